"""Stores and proxies on the server of the run, and what its tests share."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import DatabaseServer, PgBouncer, Proxy

Plain = Any  # a psycopg.Connection, whose types take literal strings only


@pytest.fixture
def proxy(postgres_server: DatabaseServer) -> Iterator[Proxy]:
    """A proxy in front of the server of the run; it forwards."""
    with Proxy(postgres_server) as proxy:
        yield proxy


@pytest.fixture
def open_postgres(
    postgres_config: dict[str, object],
) -> Iterator[Callable[..., PostgresStore]]:
    """Open stores on the schema of the test, ``open_postgres(**options)``.

    They are closed with the test.
    """
    with ExitStack() as stack:

        def run(**options: Any) -> PostgresStore:
            migrate = options.pop("migrate", None)
            sources = options.pop("migrations", ())
            config = {**postgres_config, **options}
            store = core.open(config, migrations=sources, migrate=migrate)
            assert isinstance(store, PostgresStore)
            stack.callback(store.close)
            return store

        yield run


@pytest.fixture
def plain(
    postgres_server: DatabaseServer, postgres_config: dict[str, Any]
) -> Iterator[Plain]:
    """A connection without us, in autocommit, to the schema of the test."""
    options = f"-c search_path={postgres_config['schema']}"
    with postgres_server.connect(postgres_config["dbname"], options=options) as found:
        yield found


@pytest.fixture
def make_role(
    plain: Plain,
) -> Iterator[Callable[..., dict[str, str]]]:
    """Make roles that log in, ``make_role(attributes)``; return who they are.

    They are dropped with the test; what they own goes to the server's own role.
    """
    made: list[str] = []

    def make(attributes: str = "") -> dict[str, str]:
        name = f"mooring_test_{secrets.token_hex(6)}"
        plain.execute(f"CREATE ROLE {name} {attributes} LOGIN PASSWORD 'password'")
        made.append(name)
        return {"user": name, "password": "password"}

    yield make
    for name in made:
        plain.execute(f"REASSIGN OWNED BY {name} TO current_user")
        plain.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.fixture
def pgbouncer(postgres_server: DatabaseServer) -> Iterator[PgBouncer]:
    """A pooler by transaction in front of the server of the run."""
    with PgBouncer(postgres_server) as pgbouncer:
        yield pgbouncer
