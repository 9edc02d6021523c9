"""Stores, servers and faults on the way to them, for the tests of this folder."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import trustme
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import (
    DatabaseServer,
    PgBouncer,
    PostgresServer,
    Proxy,
)

# Longer than a machine under load takes for what does not hang.
PATIENCE = 20.0

Plain = Any  # a psycopg.Connection, whose types take literal strings only


@pytest.fixture
def proxy(postgres_server: DatabaseServer) -> Iterator[Proxy]:
    """A proxy in front of the server of the run; it forwards."""
    with Proxy(postgres_server) as proxy:
        yield proxy


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    """A certificate authority; its certificate is in ``ca.pem``."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority


@pytest.fixture
def open_postgres(
    postgres_config: dict[str, object],
) -> Iterator[Callable[..., PostgresStore]]:
    """Open stores on the schema of the test, ``open_postgres(**options)``.

    Their sessions have the name of the schema; they are closed with the test.
    """
    with ExitStack() as stack:

        def run(**options: Any) -> PostgresStore:
            migrate = options.pop("migrate", None)
            sources = options.pop("migrations", ())
            name = {"application_name": postgres_config["schema"]}
            config = {**postgres_config, **name, **options}
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


@pytest.fixture(scope="session")
def own_server() -> Iterator[PostgresServer]:
    """A server that tests may stop; each leaves it running."""
    with PostgresServer(in_memory=True) as server:
        yield server


@pytest.fixture
def sessions(
    postgres_server: DatabaseServer, postgres_config: dict[str, Any]
) -> Callable[..., list[int]]:
    """Return the process ids of the sessions that the test's stores have."""

    def find(server: DatabaseServer = postgres_server) -> list[int]:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
        with server.connect() as connection:
            rows = connection.execute(query, [postgres_config["schema"]]).fetchall()
        return [pid for (pid,) in rows]

    return find


@pytest.fixture
def no_session_stays(sessions: Callable[..., list[int]]) -> Callable[..., None]:
    """Assert that the server has ended every session of the test's stores.

    It sees some time later that a client has gone.
    """

    def look(*server: DatabaseServer) -> None:
        deadline = monotonic() + PATIENCE
        while sessions(*server) and monotonic() < deadline:
            sleep(0.02)

        assert sessions(*server) == []

    return look


@pytest.fixture
def terminate(
    sessions: Callable[..., list[int]], postgres_server: DatabaseServer
) -> Callable[..., int]:
    """End every session of the test's stores; return how many there were."""

    def end(server: DatabaseServer = postgres_server) -> int:
        query = "SELECT pg_terminate_backend(%s)"
        found = sessions(server)
        with server.connect() as connection:
            for pid in found:
                connection.execute(query, [pid])
        deadline = monotonic() + PATIENCE
        while set(found) & set(sessions(server)) and monotonic() < deadline:
            sleep(0.01)
        return len(found)

    return end


@pytest.fixture
def within() -> Callable[[float], AbstractContextManager[None]]:
    """Assert that a block ends in so many seconds, and some for a slow machine."""

    @contextmanager
    def bounded(seconds: float) -> Iterator[None]:
        started = monotonic()
        yield

        assert monotonic() - started < seconds + 2

    return bounded


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """Return how many descriptors this process has open."""
    return lambda: len(os.listdir("/proc/self/fd"))
