"""Fixtures of pytest: a server for the run, and a schema of its own for each test.

They are asked for by ``pytest_plugins = ["mooring_postgres.testing.fixtures"]`` in the
topmost ``conftest.py``. Where there is no server, tests fail; none is skipped.
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest

from mooring_postgres.testing import DatabaseServer, ServerError
from mooring_postgres.testing._shared import shared_server

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


@pytest.fixture
def postgres_config(
    postgres_server: DatabaseServer, postgres_database: str
) -> Iterator[dict[str, Any]]:
    """Options for ``core.open``: the database of the run, and a new, empty schema.

    The schema is dropped at the end with all that is in it.
    """
    from psycopg import sql

    schema = f"mooring_test_{secrets.token_hex(6)}"
    name = sql.Identifier(schema)
    with postgres_server.connect(postgres_database) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    yield {
        "driver": "postgres",
        **postgres_server.params(postgres_database),
        "schema": schema,
    }
    with postgres_server.connect(postgres_database) as connection:
        # A connection that the test left in a transaction is an error, not a hang.
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [_LOCK_WAIT])
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(name))
