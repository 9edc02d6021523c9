"""The migration lock: one holder per database, over all threads and processes.

A POSIX record lock (fcntl(2)) on a file beside the database. The kernel frees it when
its process dies, however it dies, and a forked child does not keep it alive, as it
would with flock(2). It belongs to the process: closing any descriptor of the file
would drop it, so the file is opened once per process and never closed, and never
deleted, since two processes could then lock two files of one name.
"""

import errno
import fcntl
import os
import threading
from time import monotonic, sleep
from typing import Final, Self

from mooring.core import MigrationLockError, OpenError

_POLL_SECONDS: Final = 0.01

_guard = threading.Lock()
# By process too: a forked child inherits this dict, but none of the locks.
_files: dict[tuple[int, str], "tuple[int, threading.Lock]"] = {}


class MigrationLock:
    """The lock of the database at *path*, a real path; a ``with`` block holds it."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = f"{path}-mooring.lock"
        self._timeout = timeout

    def __enter__(self) -> Self:
        """Wait for the lock.

        Raises:
            MigrationLockError: It was not free in time.
            OpenError: The lock file cannot be made.
        """
        self._file, self._mutex = _open_once(self._path)
        deadline = monotonic() + self._timeout
        if not self._mutex.acquire(timeout=min(self._timeout, threading.TIMEOUT_MAX)):
            raise self._too_late()
        try:
            while not self._try():
                if monotonic() >= deadline:
                    raise self._too_late()  # noqa: TRY301 - the mutex
                sleep(_POLL_SECONDS)
        except BaseException:
            self._mutex.release()
            raise
        self._sign()
        return self

    def __exit__(self, *_: object) -> None:
        """Free the lock."""
        os.ftruncate(self._file, 0)
        fcntl.lockf(self._file, fcntl.LOCK_UN)
        self._mutex.release()

    def _try(self) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # POSIX allows either for "held by another process".
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise OpenError(
                    f"{self._path} cannot be locked: {error.strerror}",
                    hint="keep the database on a local file system",
                ) from error
            return False
        return True

    def _sign(self) -> None:
        """Write who holds it, for the message of whoever waits in vain."""
        from datetime import UTC, datetime

        since = datetime.now(UTC).strftime("%H:%M:%S")
        note = f"pid {os.getpid()}, host {os.uname().nodename}, since {since} UTC"
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, note.encode(), 0)

    def _holder(self) -> str:
        note = os.pread(self._file, 200, 0).decode("utf-8", "replace")
        if not note or note.startswith(f"pid {os.getpid()},"):
            return "another thread of this process"
        return f"another process ({note})"

    def _too_late(self) -> MigrationLockError:
        return MigrationLockError(
            f"{self._holder()} holds the migration lock; gave up after"
            f" {self._timeout:g} s, nothing was changed",
            hint="wait and run again, or raise migration_timeout; `mooring migrate"
            " status` shows how far it is",
        )


def _open_once(path: str) -> tuple[int, threading.Lock]:
    key = (os.getpid(), path)
    with _guard:
        if key not in _files:
            try:
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as cause:
                raise OpenError(
                    f"the migration lock {path} cannot be made: {cause.strerror}",
                    hint=f"let user id {os.geteuid()} write the folder, or migrate as"
                    " a user who can",
                ) from cause
            found = os.fstat(file)
            if found.st_mode & 0o600 != 0o600 and found.st_uid == os.geteuid():
                os.fchmod(file, 0o600)  # new, and a umask took what it needs
            _files[key] = (file, threading.Lock())
        return _files[key]
