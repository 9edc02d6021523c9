"""A real PostgreSQL server that lives as long as whoever started it."""

import os
import secrets
import signal
import subprocess
from collections.abc import Mapping
from time import monotonic, sleep
from typing import Final, Literal, Self

import psutil

from mooring_postgres.testing._binaries import VERSIONS, usable_binaries
from mooring_postgres.testing._database import DatabaseServer
from mooring_postgres.testing._errors import ServerError
from mooring_postgres.testing._memory import memory_folders
from mooring_postgres.testing._ports import LOOPBACK, free_ports
from mooring_postgres.testing._process_group import ProcessGroup
from mooring_postgres.testing._settings import configuration

StopMode = Literal["smart", "fast", "immediate"]

# PostgreSQL, section 18.5 "Shutting Down the Server".
_SIGNALS: Final[Mapping[StopMode, signal.Signals]] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}
_LOG: Final = "postgres.log"
_POLL_SECONDS: Final = 0.01
_PORTS_TO_TRY: Final = 5


class PostgresServer(DatabaseServer):
    """A server of its own, with new data: started by ``with``, gone afterwards.

    It takes passwords on TCP (scram-sha-256), and trusts whoever reaches its socket,
    which lies in a folder that only its user may enter. When this process ends in any
    way, ``kill -9`` included, the server ends and its folder is removed.

    Args:
        version: The major version of PostgreSQL, 16 or 18.
        durable: Survive a crash of the machine too (fsync); slower, and for servers
            that are killed in a test.
        in_memory: Keep its data in memory (Linux, ``/dev/shm``) if there is 1 GiB for
            it, otherwise where temporary files are. Where a test makes its own tables,
            the server then works a third less.
        settings: Lines of postgresql.conf that differ from those for tests.
        timeout: Seconds that each start and stop may take, > 0.

    Attributes:
        durable: As it was given.
        in_memory: As it was given.
        settings: As they were given.
        timeout: As it was given.
        socket_folder: What to give as host to connect by the Unix socket; set by the
            first start, and as long as the server is not closed.
    """

    socket_folder: str

    def __init__(
        self,
        *,
        version: int = VERSIONS[-1],
        durable: bool = False,
        in_memory: bool = False,
        settings: Mapping[str, object] | None = None,
        timeout: float = 60.0,
    ) -> None:
        if version not in VERSIONS:
            raise ServerError(
                f"there is no PostgreSQL {version} to start",
                hint=f"choose one of {', '.join(map(str, VERSIONS))}",
            )
        if durable and in_memory:
            raise ServerError(
                "what is kept in memory is not durable",
                hint="leave out either durable or in_memory",
            )
        super().__init__(
            host=LOOPBACK,
            port=next(free_ports()),
            user="postgres",
            password=secrets.token_urlsafe(24),
        )
        self._version = version
        self.durable = durable
        self.in_memory = in_memory
        self.settings = dict(settings or {})
        self.timeout = timeout
        self._group: ProcessGroup | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._binaries = ""

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server and remove its data."""
        self.close()

    @property
    def version(self) -> int:
        """The major version of PostgreSQL."""
        return self._version

    @property
    def pid(self) -> int:
        """The process id of the postmaster.

        Raises:
            ServerError: The server is down.
        """
        return self._running().pid

    @property
    def log(self) -> str:
        """The last lines that the server wrote."""
        return self._group.tail(_LOG) if self._group else ""

    def start(self) -> None:
        """Start the server; a no-op while it runs.

        The first start makes the data; later ones find what the server left, and use
        the same port and password.

        Raises:
            ServerError: There are no programs, or it did not start; nothing is left of
                a first start that failed.
        """
        if self._process and self._process.poll() is None:
            return
        if self._group:
            self._launch(self._group)
            return
        self._group = ProcessGroup(*(memory_folders() if self.in_memory else ()))
        try:
            self._binaries = usable_binaries(self._version, self._group)
            self._make_data(self._group)
            self.socket_folder = self._group.make_folder("socket")
            self._launch_on_a_free_port(self._group)
        except BaseException:
            self.close()
            raise

    def _make_data(self, group: ProcessGroup) -> None:
        """Make the data folder of the first start."""
        password = group.write("password", self.password)
        # Unicode rules that are the same on each machine.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        group.run(
            [
                self._program("initdb"),
                f"--pgdata={group.path('data')}",
                f"--username={self.user}",
                f"--pwfile={password}",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                # Each connection pays for it twice, and the password is random.
                "--set=scram_iterations=1",
                "--encoding=UTF8",
                "--locale=C",
                *(locale if self._version >= 17 else ["--lc-ctype=C.UTF-8"]),
                "--no-sync",
                "--no-instructions",
            ],
            log="initdb.log",
            timeout=self.timeout,
        )
        os.unlink(password)
        with open(group.path("data/postgresql.conf"), "a") as file:
            file.write(configuration(self.settings, durable=self.durable))

    def _program(self, name: str) -> str:
        return os.path.join(self._binaries, name)

    def _launch_on_a_free_port(self, group: ProcessGroup) -> None:
        for _ in range(_PORTS_TO_TRY - 1):
            try:
                return self._launch(group)
            except ServerError as error:
                # Somebody else took it since it was looked at.
                if "Address already in use" not in error.log:
                    raise
            self.port = next(free_ports())
        return self._launch(group)

    def _launch(self, group: ProcessGroup) -> None:
        """Start the postmaster and wait until it lets clients in."""
        folder = self.socket_folder.replace('"', '""')
        self._process = group.spawn(
            [
                self._program("postgres"),
                *("-D", group.path("data")),
                *("-p", str(self.port)),
                *("-c", f"listen_addresses={self.host}"),
                *("-c", f'unix_socket_directories="{folder}"'),
            ],
            log=_LOG,
        )
        try:
            self._wait_until_ready(group, self._process)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def _wait_until_ready(
        self, group: ProcessGroup, process: "subprocess.Popen[bytes]"
    ) -> None:
        deadline = monotonic() + self.timeout
        while not _is_ready(group.path("data/postmaster.pid"), process.pid):
            if process.poll() is not None:
                raise ServerError(
                    f"PostgreSQL {self._version} ended while it started"
                    f" ({process.returncode})",
                    log=self.log,
                )
            if monotonic() > deadline:
                raise ServerError(
                    f"PostgreSQL {self._version} did not start within"
                    f" {self.timeout:g} s",
                    log=self.log,
                    hint="look at the load of the machine, or raise timeout",
                )
            sleep(_POLL_SECONDS)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and keep its data; a no-op while it is down.

        Args:
            mode: "smart" waits until the clients leave, "fast" rolls back what they
                do, "immediate" ends as in a crash.

        Raises:
            ServerError: It did not stop in time; it still runs.
        """
        if not self._process or self._process.poll() is not None:
            return
        self._process.send_signal(_SIGNALS[mode])
        self._process.send_signal(signal.SIGCONT)  # if a test froze it
        try:
            self._process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise ServerError(
                f"PostgreSQL did not stop within {self.timeout:g} s (mode {mode})",
                log=self.log,
                hint="close the connections, or stop it with another mode",
            ) from None

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop the server, and start it on the same data and port."""
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """Kill every process of the server (SIGKILL), as if the machine stopped.

        Raises:
            ServerError: The server is down.
        """
        process = self._running()
        postmaster = psutil.Process(process.pid)
        postmaster.suspend()  # it would start others in their place
        family = postmaster.children(recursive=True)
        for member in (*family, postmaster):
            member.kill()
        process.wait()
        # Until the last is gone, the next start finds their shared memory in use.
        deadline = monotonic() + self.timeout
        while any(_lives(member) for member in family) and monotonic() < deadline:
            sleep(_POLL_SECONDS)

    def _running(self) -> "subprocess.Popen[bytes]":
        if not self._process or self._process.poll() is not None:
            raise ServerError("the server is down", log=self.log, hint="start it")
        return self._process

    def close(self) -> None:
        """Stop the server at once and remove its data; a no-op when it is closed.

        A forked child that calls it does nothing: the server is its parent's.

        Raises:
            ServerError: Something is left.
        """
        group, self._group = self._group, None
        if group and group.is_owned:
            try:
                self.stop("immediate")
            finally:
                group.close()

    # -- fail-over ------------------------------------------------------------

    def standby(self, *, synchronous: bool = False) -> "PostgresServer":
        """Start a standby that streams from this server; the caller closes it.

        It can be read from at once, and has the same roles and passwords.

        Args:
            synchronous: A COMMIT on this server waits until it is safe there too, also
                while the standby is down.

        Raises:
            ServerError: It could not be made.
        """
        from mooring_postgres.testing._standby import Standby

        standby = Standby(self)
        try:
            standby.start()
            if synchronous:
                standby.make_synchronous()
        except BaseException:
            standby.close()
            raise
        return standby

    def promote(self) -> None:
        """Make a standby a primary, and return when it takes writes.

        Raises:
            ServerError: It is no standby, or was not promoted in time.
        """
        import psycopg

        promote = "SELECT pg_promote(wait => true, wait_seconds => %s)"
        with self.connect() as connection:
            try:
                done = connection.execute(promote, [int(self.timeout)]).fetchone()
            except psycopg.errors.ObjectNotInPrerequisiteState as error:
                raise ServerError("the server is no standby") from error
        if done != (True,):
            raise ServerError("the standby was not promoted in time", log=self.log)


def _lives(process: psutil.Process) -> bool:
    try:
        # A zombie waits for init to look at it, and holds nothing any more.
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _is_ready(path: str, pid: int) -> bool:
    """Read, as pg_ctl does, if the postmaster *pid* says that it accepts clients."""
    try:
        with open(path) as file:
            lines = file.read().split("\n")
    except FileNotFoundError:
        return False
    # Lines 1 and 8 of postmaster.pid (src/include/utils/pidfile.h).
    return len(lines) > 8 and lines[0] == str(pid) and lines[7].rstrip() == "ready"
