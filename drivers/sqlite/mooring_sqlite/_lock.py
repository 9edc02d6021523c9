"""The migration lock: one holder per database, over all threads and processes.

A POSIX record lock (fcntl(2)) on all of a file beside the database, made by lockf(3),
which is in a module that every program has loaded. The kernel frees it when its process
dies, however it dies, and a forked child does not keep it alive, as it would with
flock(2). It belongs to the process: closing any descriptor of the file would drop it,
so the file is opened once per process, closed when no thread holds or waits for the
lock, and never deleted, since two processes could then lock two files of one name.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import suppress
from time import monotonic, sleep
from typing import Final, Self

from mooring.core import MigrationLockError, OpenError

_POLL_SECONDS: Final = 0.01

_guard = threading.Lock()
# By process too: a forked child inherits this dict, but none of the locks.
_files: dict[tuple[int, str], _LockFile] = {}


class _LockFile:
    """The lock file of one database in this process.

    Attributes:
        fd: Its descriptor.
        mutex: Held by the thread that holds the lock, or is the next to try.
        users: Threads that hold the lock or wait for it.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.mutex = threading.Lock()
        self.users = 0


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
        self._file = _use(self._path)
        try:
            self._wait(self._file.mutex)
        except BaseException:
            _leave(self._path)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Free the lock."""
        try:
            with suppress(OSError):
                os.ftruncate(self._file.fd, 0)
            os.lockf(self._file.fd, os.F_ULOCK, 0)
        finally:
            self._file.mutex.release()
            _leave(self._path)

    def _wait(self, mutex: threading.Lock) -> None:
        """Wait for the other threads, then for the other processes."""
        deadline = monotonic() + self._timeout
        if not mutex.acquire(timeout=min(self._timeout, threading.TIMEOUT_MAX)):
            raise self._too_late()
        try:
            while not self._try():
                if monotonic() >= deadline:
                    raise self._too_late()  # noqa: TRY301 - the mutex
                sleep(_POLL_SECONDS)
            self._sign()
        except BaseException:
            mutex.release()
            raise

    def _try(self) -> bool:
        try:
            os.lockf(self._file.fd, os.F_TLOCK, 0)
        except OSError as error:
            # POSIX allows either for "held by another process".
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise OpenError(
                    f"{self._path} cannot be locked: {error.strerror}",
                    hint="keep the database on a local file system",
                ) from error
            return False
        if _is_at(self._path, self._file.fd):
            return True
        # Somebody deleted the file: what is locked is not what others will lock.
        fd = _open(self._path)  # first: if it fails, ours is still there to be closed
        os.close(self._file.fd)
        self._file.fd = fd
        return False

    def _sign(self) -> None:
        """Write who holds it, for the message of whoever waits in vain."""
        from datetime import UTC, datetime

        since = datetime.now(UTC).strftime("%H:%M:%S")
        note = f"pid {os.getpid()}, host {os.uname().nodename}, since {since} UTC"
        with suppress(OSError):  # a note for people, on a disk that may be full
            os.ftruncate(self._file.fd, 0)
            os.pwrite(self._file.fd, note.encode(), 0)

    def _holder(self) -> str:
        note = os.pread(self._file.fd, 200, 0).decode("utf-8", "replace")
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


def _use(path: str) -> _LockFile:
    """Return the lock file at *path*, opened if this process does not use it yet."""
    key = (os.getpid(), path)
    with _guard:
        if key not in _files:
            _files[key] = _LockFile(_open(path))
        _files[key].users += 1
        return _files[key]


def _leave(path: str) -> None:
    """Close the lock file if no thread of this process uses it any more."""
    key = (os.getpid(), path)
    with _guard:
        file = _files[key]
        file.users -= 1
        if not file.users:
            del _files[key]
            os.close(file.fd)


def _open(path: str) -> int:
    try:
        # Not through a symbolic link: what it leads to would be emptied.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(path, flags, 0o600)
    except OSError as cause:
        raise OpenError(
            f"the migration lock {path} cannot be made: {cause.strerror}",
            hint=f"let user id {os.geteuid()} write the folder, or migrate as"
            " a user who can",
        ) from cause
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise OpenError(f"the migration lock {path} is not a regular file")
    if found.st_mode & 0o600 != 0o600 and found.st_uid == os.geteuid():
        os.fchmod(fd, 0o600)  # new, and a umask took what it needs
    return fd


def _is_at(path: str, fd: int) -> bool:
    """Return whether *path* still leads to the open file *fd*."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False
