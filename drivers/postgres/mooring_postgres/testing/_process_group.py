"""Programs and their folder, which end with this process, however it ends."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Final

from mooring_postgres.testing import _watchdog
from mooring_postgres.testing._account import server_account
from mooring_postgres.testing._errors import ServerError

# sun_path, unix(7): 108 bytes on Linux and 104 on macOS, a zero byte included. The
# longest name in the folder is that of a socket.
_MAX_SOCKET_PATH: Final = 103
_LONGEST_NAME: Final = "/.s.PGSQL.65535"
# Where temporary files may be, if those of this process cannot be used.
_COMMON_FOLDERS: Final = ("/tmp", "/var/tmp")  # noqa: S108 - made there by mkdtemp

_CLOSE_SECONDS: Final = 30.0
_LOG_LINES: Final = 20


class ProcessGroup:
    """A private folder, and programs that run in it as a user who is not root.

    A watchdog ends the programs and removes the folder, when `close` is called or
    when this process is gone, be it by ``kill -9``.

    Args:
        folders: Where to make the folder, if possible; otherwise where temporary files
            are.

    Attributes:
        folder: Owned by the programs' user and closed to others (0700); short enough
            for the path of a socket.
        account: The user of the programs; None: the user of this process.
    """

    def __init__(self, *folders: str) -> None:
        self.account = server_account()
        self.folder = self._make_folder(*folders)
        self._owner = os.getpid()
        try:
            self._watchdog = self._start_watchdog()
        except BaseException:
            os.rmdir(self.folder)
            raise

    def _start_watchdog(self) -> "subprocess.Popen[bytes]":
        script = os.path.abspath(_watchdog.__file__)
        command = [sys.executable, "-I", "-S", script, self.folder, str(self._owner)]
        try:
            return subprocess.Popen(  # noqa: S603 - our own script
                command,
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,  # out of reach of Ctrl-C
            )
        except OSError as error:
            raise ServerError(
                f"{sys.executable!r} cannot be started: {error.strerror}",
                hint="use an interpreter that this user may run",
            ) from error

    def _make_folder(self, *folders: str) -> str:
        refused = []
        temporary = (tempfile.gettempdir(), *_COMMON_FOLDERS)
        for base in dict.fromkeys((*folders, *temporary)):
            try:
                folder = tempfile.mkdtemp(prefix="mooring-", dir=base)
            except OSError as error:
                refused.append(f"{base}: {error.strerror}")
                continue
            if len(os.fsencode(folder + _LONGEST_NAME)) > _MAX_SOCKET_PATH:
                refused.append(f"{base}: too long for the path of a socket")
            elif "," in folder:
                refused.append(f"{base}: a comma separates hosts in libpq")
            elif self.account is None:
                return folder
            elif self.account.may_enter(base):
                os.chown(folder, *self.account)
                return folder
            else:
                refused.append(f"{base}: user {self.account.uid} may not enter it")
            os.rmdir(folder)
        raise ServerError(
            f"no folder for a server ({'; '.join(refused)})",
            hint="set TMPDIR to a short path that every user may enter",
        )

    def path(self, name: str) -> str:
        """Return the path of *name* in the folder."""
        return os.path.join(self.folder, name)

    def make_folder(self, name: str) -> str:
        """Make a folder in the folder, as private as that."""
        path = self.path(name)
        os.mkdir(path, 0o700)
        self.own(path)
        return path

    def own(self, path: str) -> None:
        """Give what was made in the folder to the programs' user."""
        if self.account is None:
            return
        os.chown(path, *self.account)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                place = os.path.join(folder, name)
                os.chown(place, *self.account, follow_symlinks=False)

    def write(self, name: str, text: str) -> str:
        """Write a file that only the programs' user can read; return its path."""
        path = self.path(name)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "w") as file:
            file.write(text)
        self.own(path)
        return path

    def spawn(self, command: Sequence[str], *, log: str) -> "subprocess.Popen[bytes]":
        """Start a program that writes what it has to say to the file *log*."""
        account = self.account
        with open(self.path(log), "ab") as output:
            return subprocess.Popen(  # noqa: S603 - a program that was found
                command,
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=self._watchdog.pid,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )

    def run(self, command: Sequence[str], *, log: str, timeout: float) -> None:
        """Run a program to its end.

        Args:
            command: The program and its arguments.
            log: The name of the file that it writes to.
            timeout: Seconds that it may take.

        Raises:
            ServerError: It failed, or took too long and was killed.
        """
        name = os.path.basename(command[0])
        with self.spawn(command, log=log) as program:
            try:
                code = program.wait(timeout)
            except subprocess.TimeoutExpired:
                program.kill()
                raise ServerError(
                    f"{name} did not end within {timeout:g} s", log=self.tail(log)
                ) from None
            except BaseException:
                program.kill()
                raise
        if code:
            raise ServerError(f"{name} failed ({code})", log=self.tail(log))

    def tail(self, log: str) -> str:
        """Return the last lines of a program's log."""
        try:
            with open(self.path(log), encoding="utf-8", errors="replace") as file:
                return "".join(file.readlines()[-_LOG_LINES:]).rstrip()
        except FileNotFoundError:
            return ""

    def _environment(self) -> Mapping[str, str]:
        """Return what the programs see: nothing that was meant for this process."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": self.folder}

    @property
    def is_owned(self) -> bool:
        """Whether this process made it, and is not a forked child of that."""
        return os.getpid() == self._owner

    def close(self) -> None:
        """End the programs and remove the folder.

        Raises:
            ServerError: Something is left.
        """
        assert self._watchdog.stdin is not None  # noqa: S101 - for type checkers
        self._watchdog.stdin.close()
        try:
            self._watchdog.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._watchdog.kill()
            self._watchdog.wait()
        # Left only if the watchdog was killed by somebody.
        shutil.rmtree(self.folder, ignore_errors=True)
        if os.path.exists(self.folder):
            raise ServerError(f"{self.folder} could not be removed")
