"""The database that a store's connections share, and its file.

DuckDB keeps one engine for each file in a process, for as long as a connection to it
is open, and locks the file against other processes. It does so with POSIX record
locks, which are lost when any descriptor of the file is closed: the file is looked at
with ``stat`` only.
"""

import os
import stat
import weakref
from collections.abc import Mapping
from time import monotonic, sleep
from typing import Final
from uuid import uuid4

import duckdb
from mooring.core import OpenError, StoreBusyError

from mooring_duckdb._config import MEMORY, DuckdbConfig
from mooring_duckdb._errors import is_locked, open_error

Option = str | bool | int | float | list[str]

# How often to ask again for a file that another process has open.
_POLL_SECONDS: Final = 0.02
OPTIONS: Final[Mapping[str, Option]] = {
    # The place of an error, and its text without a drawing.
    "errors_as_json": True,
    # A table that is missing is no variable of the program.
    "python_enable_replacements": False,
    # Nor is it something to be downloaded: no timeout would end that.
    "autoinstall_known_extensions": False,
}


class Database:
    """A file, or memory that is private to the store.

    Attributes:
        path: Its absolute path without symbolic links, or ":memory:".
        in_memory: Whether it is in memory.
    """

    def __init__(self, config: DuckdbConfig) -> None:
        self.in_memory = config.path == MEMORY
        self.path = MEMORY if self.in_memory else os.path.realpath(config.path)
        # A name lets the connections of this store, and no others, share the memory.
        self._address = f"{MEMORY}{uuid4().hex}" if self.in_memory else self.path
        self._options: dict[str, Option] = dict(OPTIONS)
        if config.memory_limit:
            self._options["memory_limit"] = config.memory_limit
        if config.threads:
            self._options["threads"] = config.threads
        self._statement_timeout = config.statement_timeout
        self._create = config.create
        self._identity: tuple[int, int] | None = None
        self._anchor: duckdb.DuckDBPyConnection | None = None
        self.connections: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()

    def open(self, timeout: float) -> None:
        """Open it, and keep it open until `close`; nothing is left if that fails.

        Args:
            timeout: Seconds to wait for another process to close it, > 0.

        Raises:
            OpenError: It cannot be opened, or must not be made.
            CorruptStoreError: The file is no database; it was not changed.
            StoreBusyError: Another process has it open.
        """
        if self.path in _of_parent:
            # The engine would give out the parent's, which no lock keeps from us.
            raise StoreBusyError(
                f"{self.path} is open in the parent process of this forked one",
                hint="close it there before the fork, or start a new process (spawn)",
            )
        is_new = not self.in_memory and not self._find_file()
        try:
            self._anchor = self.connect(timeout)
            if is_new:
                # The engine makes it as the umask says; there is nothing in it yet.
                os.chmod(self.path, 0o600)
        except BaseException:
            self.close()
            if is_new and os.path.isfile(self.path):
                os.unlink(self.path)
            raise
        if not self.in_memory:
            self._identity = _identity(self.path)
        _open.add(self)

    def connect(self, timeout: float) -> duckdb.DuckDBPyConnection:
        """Return a new connection, whose statements have the store's time limit.

        Raises:
            OpenError: It cannot be opened, or the file is another one by now.
            StoreBusyError: Another process has it open.
        """
        deadline = monotonic() + timeout
        if self._identity is not None and not self.has_same_file():
            raise OpenError(
                f"{self.path} was removed or replaced while the store is open",
                hint="close the store and open it again",
            )
        while True:
            try:
                connection = duckdb.connect(self._address, config=self._options)
            except duckdb.Error as cause:
                if not is_locked(cause) or monotonic() >= deadline:
                    raise open_error(cause, self.path) from cause
                sleep(_POLL_SECONDS)
            else:
                break
        self.connections.add(connection)
        # Whatever the zone of the machine is, times are read and written in UTC.
        connection.execute("SET TimeZone = 'UTC'")
        limit_statements(connection, self._statement_timeout)
        return connection

    def has_same_file(self) -> bool:
        """Return whether the path still leads to the file that was opened."""
        return self.in_memory or _identity(self.path) == self._identity

    def close(self) -> None:
        """Let the engine end with the last connection; it never raises."""
        if self._anchor is not None:
            self._anchor.close()

    def _find_file(self) -> bool:
        """Return whether there is a file; make its folder if there is none."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            if not self._create:
                raise OpenError(
                    f"{self.path} does not exist",
                    hint="correct the path, or set create to let the driver make it",
                ) from None
            folder = os.path.dirname(self.path)
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            except OSError as cause:
                raise OpenError(
                    f"cannot create {folder}: {cause.strerror}",
                    hint="correct the path, or who may write there",
                ) from cause
            return False
        except OSError as cause:
            raise OpenError(
                f"cannot look at {self.path}: {cause.strerror}",
                hint="correct the path, or who may enter its folders",
            ) from cause
        if not stat.S_ISREG(found.st_mode):
            raise OpenError(
                f"{self.path} is not a regular file", hint="name a file, or a new path"
            )
        return True


def limit_statements(connection: duckdb.DuckDBPyConnection, seconds: float) -> None:
    """Let each statement of a connection run that long; 0 = no limit."""
    milliseconds = max(round(seconds * 1000), 1) if seconds else 0
    connection.execute(f"SET max_execution_time = {milliseconds}")


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells one file from another at the same path, None if it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


_open: "weakref.WeakSet[Database]" = weakref.WeakSet()
_of_parent: set[str] = set()


def _keep_in_child() -> None:
    """In a forked child: see to it that no connection of the parent ever ends.

    The last one to end would write to the parent's file and remove its write-ahead
    log, and wait for threads that the child does not have. Not even the end of the
    interpreter may free them, though the client library then calls it a leak.
    """
    import ctypes

    for database in list(_open):
        if not database.in_memory:
            _of_parent.add(database.path)
        for connection in list(database.connections):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


os.register_at_fork(after_in_child=_keep_in_child)
