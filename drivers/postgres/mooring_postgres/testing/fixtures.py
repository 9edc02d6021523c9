"""Fixtures of pytest: a server for the run, and a schema of its own for each test.

They are asked for by ``pytest_plugins = ["mooring_postgres.testing.fixtures"]`` in the
topmost ``conftest.py``. Where there is no server, tests fail; none is skipped.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from mooring_postgres.testing import DatabaseServer, ServerError
from mooring_postgres.testing._shared import shared_server

if TYPE_CHECKING:
    from psycopg.rows import TupleRow
    from psycopg.sql import Composed

__all__ = ["postgres_config", "postgres_database", "postgres_server"]

_LOCK_WAIT: Final = "20s"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[DatabaseServer]:
    """A server for the whole run; what is made in it must be removed again.

    It is started for the run, or the one that ``MOORING_TEST_POSTGRES_URL`` names, by
    a role that may create databases. A test that stops a server starts its own
    `PostgresServer`.
    """
    with ExitStack() as stack:
        try:
            server = stack.enter_context(shared_server())
        except ServerError as error:
            pytest.fail(str(error), pytrace=False)
        yield server


@pytest.fixture(scope="session")
def postgres_database(postgres_server: DatabaseServer) -> Iterator[str]:
    """The name of a database for the run, dropped at its end."""
    name = postgres_server.create_database()
    yield name
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def _maintenance(
    postgres_server: DatabaseServer, postgres_database: str
) -> "Iterator[Callable[[Composed], None]]":
    """Execute a statement in the database of the run, on a session that is kept.

    To connect costs more than what each test needs of it. Where a test has ended it,
    as one may that ends all sessions, there is another.
    """
    import psycopg

    kept: list[psycopg.Connection[TupleRow]] = []

    def lives() -> bool:
        with suppress(psycopg.OperationalError):
            kept[-1].execute("")
        return not kept[-1].closed

    def execute(statement: "Composed") -> None:
        if not (kept and lives()):
            kept.append(postgres_server.connect(postgres_database))
            # A connection that a test left in a transaction is an error, not a hang.
            wait = "SELECT set_config('lock_timeout', %s, false)"
            kept[-1].execute(wait, [_LOCK_WAIT])
        kept[-1].execute(statement)

    yield execute
    for connection in kept:
        connection.close()


@pytest.fixture
def postgres_config(
    postgres_server: DatabaseServer,
    postgres_database: str,
    _maintenance: "Callable[[Composed], None]",
) -> Iterator[dict[str, Any]]:
    """Options for ``core.open``: the database of the run, and a new, empty schema.

    The schema is dropped at the end with all that is in it.
    """
    from psycopg import sql

    schema = f"mooring_test_{secrets.token_hex(6)}"
    name = sql.Identifier(schema)
    _maintenance(sql.SQL("CREATE SCHEMA {}").format(name))
    yield {
        "driver": "postgres",
        **postgres_server.params(postgres_database),
        "schema": schema,
    }
    _maintenance(sql.SQL("DROP SCHEMA {} CASCADE").format(name))
