"""A real PgBouncer in front of a server, where the program is installed."""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from time import monotonic, sleep
from typing import Final, Self

from mooring_postgres.testing._database import DatabaseServer
from mooring_postgres.testing._errors import ServerError
from mooring_postgres.testing._ports import LOOPBACK, free_ports
from mooring_postgres.testing._process_group import ProcessGroup

_VARIABLE: Final = "MOORING_TEST_PGBOUNCER"
# Where packages put it, and PATH seldom leads.
_SYSTEM_FOLDERS: Final = ("/usr/sbin", "/usr/local/sbin")

_LOG: Final = "pgbouncer.log"
_POLL_SECONDS: Final = 0.01
_PORTS_TO_TRY: Final = 5


def find_pgbouncer() -> str | None:
    """Return the path of the program PgBouncer, None if it is not installed.

    It is the one that ``MOORING_TEST_PGBOUNCER`` names, else that of the system.
    """
    if chosen := os.environ.get(_VARIABLE):
        return shutil.which(chosen)
    folders = (os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS)
    return shutil.which("pgbouncer", path=os.pathsep.join(folders))


class PgBouncer(DatabaseServer):
    """A pooler of its own: started by ``with``, gone afterwards, as a `PostgresServer`.

    Clients come as the server's user, with its password, to any of its databases.

    Args:
        server: Where it gets its connections from.
        settings: Of pgbouncer.ini, section "pgbouncer", beyond or instead of pooling
            by transaction.
        timeout: Seconds that the start may take, > 0.

    Raises:
        ServerError: The program is not installed.
    """

    def __init__(
        self,
        server: DatabaseServer,
        *,
        settings: Mapping[str, object] | None = None,
        timeout: float = 30.0,
    ) -> None:
        super().__init__(
            host=LOOPBACK,
            port=next(free_ports()),
            user=server.user,
            password=server.password,
            dbname=server.dbname,
        )
        program = find_pgbouncer()
        if program is None:
            raise ServerError(
                "PgBouncer is not installed",
                hint=f"install the package pgbouncer of the system, or set {_VARIABLE}"
                " to the path of the program",
            )
        self._program = program
        self._server = server
        self._settings = dict(settings or {})
        self._timeout = timeout
        self._group: ProcessGroup | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            ServerError: It did not start; nothing is left of it.
        """
        self._group = ProcessGroup()
        try:
            self._launch_on_a_free_port(self._group)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and the connections of its clients."""
        self.close()

    def _launch_on_a_free_port(self, group: ProcessGroup) -> None:
        name, password = (_quoted(text) for text in (self.user, self.password))
        group.write("users.txt", f"{name} {password}\n")
        for attempt in range(_PORTS_TO_TRY):
            try:
                return self._launch(group, f"pgbouncer{attempt}.ini")
            except ServerError as error:
                # Somebody else took it since it was looked at.
                if "in use" not in error.log:
                    raise
            self.port = next(free_ports())
        raise ServerError("there is no free port for PgBouncer", log=group.tail(_LOG))

    def _launch(self, group: ProcessGroup, file: str) -> None:
        path = group.write(file, self._configuration(group))
        self._process = group.spawn([self._program, path], log=_LOG)
        deadline = monotonic() + self._timeout
        while not self._listens():
            if self._process.poll() is not None or monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                raise ServerError("PgBouncer did not start", log=group.tail(_LOG))
            sleep(_POLL_SECONDS)

    def _configuration(self, group: ProcessGroup) -> str:
        settings = {
            "listen_addr": self.host,
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": group.path("users.txt"),
            "pool_mode": "transaction",
            "max_client_conn": 200,
            **self._settings,
        }
        host = self._server.host.replace("'", "''")
        lines = [
            "[databases]",
            f"* = host='{host}' port={self._server.port}",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in settings.items()),
        ]
        return "\n".join(lines) + "\n"

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """End it and remove its files; a no-op when it is closed.

        A forked child that calls it does nothing: the program is its parent's.

        Raises:
            ServerError: Something is left.
        """
        group, self._group = self._group, None
        if group and group.is_owned:
            if self._process:
                self._process.kill()
                self._process.wait()
            group.close()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
