"""A standby of a server, for tests of fail-over (PostgreSQL, section 26.2)."""

import secrets
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from mooring_postgres.testing._errors import ServerError
from mooring_postgres.testing._process_group import ProcessGroup
from mooring_postgres.testing._server import PostgresServer

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow

_POLL_SECONDS: Final = 0.02


class Standby(PostgresServer):
    """A server whose data is a copy of the primary's, and follows it.

    Args:
        primary: It runs.
    """

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__(
            version=primary.version,
            durable=primary.durable,
            in_memory=primary.in_memory,
            settings=primary.settings,
            timeout=primary.timeout,
        )
        self.password = primary.password  # the roles are copied too
        self._primary = primary
        self._name = f"standby_{secrets.token_hex(4)}"

    def _make_data(self, group: ProcessGroup) -> None:
        # By the socket, which both servers' user may reach, and which needs no
        # password that would have to be written down.
        host = self._primary.socket_folder.replace("\\", "\\\\").replace("'", "\\'")
        source = (
            f"host='{host}' port={self._primary.port} user={self.user}"
            f" application_name={self._name}"
        )
        group.run(
            [
                self._program("pg_basebackup"),
                f"--pgdata={group.path('data')}",
                f"--dbname={source}",
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ],
            log="pg_basebackup.log",
            timeout=self.timeout,
        )
        with open(group.path("data/postgresql.auto.conf"), "a") as file:
            # The copy would wait for the standbys of its primary once it is promoted.
            file.write("synchronous_standby_names = ''\n")

    def make_synchronous(self) -> None:
        """Let the primary's commits wait for this standby.

        Raises:
            ServerError: It did not become synchronous in time.
        """
        from psycopg import sql

        with self._primary.connect() as connection:
            command = sql.SQL("ALTER SYSTEM SET synchronous_standby_names = {}")
            connection.execute(command.format(sql.Literal(self._name)))
            connection.execute("SELECT pg_reload_conf()")
            deadline = monotonic() + self.timeout
            while not self._is_synchronous(connection):
                if monotonic() > deadline:
                    raise ServerError(
                        "the standby did not become synchronous", log=self.log
                    )
                sleep(_POLL_SECONDS)

    def _is_synchronous(self, primary: "Connection[TupleRow]") -> bool:
        found = primary.execute(
            "SELECT sync_state FROM pg_stat_replication WHERE application_name = %s",
            [self._name],
        )
        return found.fetchone() == ("sync",)
