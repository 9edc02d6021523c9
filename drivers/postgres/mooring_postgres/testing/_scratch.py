"""Databases for the tests of applications; `mooring.testing` finds them by name."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from mooring_postgres.testing._database import DatabaseServer
from mooring_postgres.testing._errors import ServerError
from mooring_postgres.testing._shared import shared_server

Options = Mapping[str, Any]


class PostgresDatabases:
    """Databases on a server.

    Args:
        server: Its user may create databases.
    """

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server

    def empty(self) -> AbstractContextManager[Options]:
        """Create a database; it is dropped afterwards, whoever is connected to it."""
        return self._database()

    def copy(self, template: Options) -> AbstractContextManager[Options]:
        """Create a database as a copy (PostgreSQL, section 22.3)."""
        return self._database(template["dbname"])

    @contextmanager
    def _database(self, template: str = "") -> Iterator[Options]:
        import psycopg

        try:
            name = self._server.create_database(template=template)
        except psycopg.Error as cause:
            raise ServerError(
                f"no database can be created on {self._server!r}: {cause}",
                hint="name a server that runs, and a user who may create databases",
            ) from cause
        try:
            yield self._server.params(name)
        finally:
            self._server.drop_database(name)


@contextmanager
def scratch_databases(folder: str) -> Iterator[PostgresDatabases]:  # noqa: ARG001 - a server keeps its own
    """Serve a run of tests with databases on the server of `shared_server`."""
    with shared_server() as server:
        yield PostgresDatabases(server)
