"""One SQLite connection as the scopes of core use it."""

import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mooring.core import (
    OutcomeUnknownError,
    Result,
    Statement,
    StoreBusyError,
    StoreError,
)

from mooring_sqlite._connect import Setting, restore
from mooring_sqlite._deadline import Deadline
from mooring_sqlite._errors import ENGINE_ERRORS, is_unsynced, translate_error

Values = tuple[object, ...]
Rows = list[tuple[Any, ...]]

_NEVER = float("inf")


class SqliteSession:
    """A connection with its settings and its statement deadline.

    Args:
        connection: A connection as `connect` makes it; it belongs to the session.
        settings: What its PRAGMAs read back as.
        target: The database, for messages.
        statement_timeout: Seconds a statement may run; 0 = no limit.
        read: Reads rows into a class, for results.
    """

    __slots__ = (
        "_cursor",
        "_deadline",
        "_execute",
        "_fetchall",
        "_limit",
        "_read",
        "_reading",
        "_shares",
        "connection",
        "settings",
        "target",
    )

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        settings: dict[str, Setting],
        target: str,
        statement_timeout: float,
        read: Callable[[Any, Any, type[Any]], list[Any]],
    ) -> None:
        self.connection = connection
        self.settings = settings
        self.target = target
        self._use_cursor(connection.cursor())
        self._read = read
        self._reading = False
        # The schema that was looked at for it, and what was found.
        self._shares: tuple[int, bool] = (-1, True)
        self._limit = statement_timeout or _NEVER
        self._deadline = Deadline(connection, self._limit)
        self._deadline.watch()

    @property
    def in_transaction(self) -> bool:
        """Whether SQLite has a transaction open."""
        return self.connection.in_transaction

    def run(self, statement: Statement, text: str, values: Values) -> Result:
        """Execute one statement and fetch all of its rows; see `core.Session`."""
        self._deadline.until = None
        try:
            self._execute(text, values)
            rows = self._fetchall()
            rowcount = self._changed_rows() if statement.changes_rows else None
        except ENGINE_ERRORS as cause:
            error = self._error(cause, text, changes_rows=statement.changes_rows)
            if is_unsynced(cause) and not self.connection.in_transaction:
                error = _unknown(self.target)
            if error.offset is not None:
                error.offset = statement.offset_in_sql(error.offset, text, _width)
            raise error from cause
        return Result(rows, self._cursor.description, rowcount, self._read)

    def stream(
        self,
        statement: Statement,  # noqa: ARG002 - other engines look at it
        text: str,
        values: Values,
        size: int,
    ) -> Generator[tuple[Any, Rows], None, None]:
        """Yield the columns with *size* rows at a time; see `core.Session`."""
        cursor = self.connection.cursor()
        try:
            self._deadline.until = None
            cursor.execute(text, values)
            while rows := cursor.fetchmany(size):
                yield cursor.description, rows
                # What the caller does between two fetches is not the statement's.
                self._deadline.until = None
        except ENGINE_ERRORS as cause:
            raise self._error(cause, text) from cause
        finally:
            cursor.close()

    def begin(self, *, isolation: str | None, read_only: bool) -> None:  # noqa: ARG002 - SQLite knows one isolation level
        """Begin: readers at their first statement, writers with the lock to write.

        A transaction that reads first and then writes would fail at once if another
        one committed between (SQLITE_BUSY_SNAPSHOT), so writers never do that.
        """
        if not read_only:
            self.control("BEGIN IMMEDIATE")
            return
        if not self.settings["query_only"]:
            # The connection is shared with writers: it only reads until rollback().
            self._reading = True
            self.control("PRAGMA query_only = 1")
        self.control("BEGIN")

    def commit(self) -> None:
        """Commit, and check that SQLite did; see `core.Session`."""
        try:
            self.control("COMMIT")
        except StoreError as error:
            if is_unsynced(error.__cause__):
                raise _unknown(self.target) from error.__cause__
            raise
        if self.connection.in_transaction:
            raise StoreError("COMMIT did not end the transaction")

    def rollback(self) -> None:
        """Roll back if a transaction is open; some errors did it already."""
        if self.connection.in_transaction:
            self.control("ROLLBACK")
        if self._reading:
            self.control("PRAGMA query_only = 0")
            self._reading = False

    def savepoint(self, name: str) -> None:
        """Set a savepoint."""
        self.control(f"SAVEPOINT {name}")

    def release(self, name: str) -> None:
        """Release a savepoint, keeping its work."""
        self.control(f"RELEASE {name}")

    def rollback_to(self, name: str) -> None:
        """Undo what came after a savepoint, and release it."""
        self.control(f"ROLLBACK TO {name}")
        self.control(f"RELEASE {name}")

    def may_share(self) -> bool:
        """Say whether others may join the open transaction; see `core.GroupSession`."""
        from mooring_sqlite._sharing import why_alone

        ((version,),) = self.query("PRAGMA schema_version")
        if version != self._shares[0]:
            self._shares = version, not why_alone(self.connection)
        return self._shares[1]

    def reset(self) -> bool:
        """Undo whatever is left over; return whether the connection is fit for use."""
        try:
            self.rollback()
            # One that was interrupted before it was read to its end would hold its
            # snapshot.
            self._cursor.close()
            self._use_cursor(self.connection.cursor())
        except (sqlite3.Error, StoreError):
            return False
        return True

    def restore(self, settings: Mapping[str, Setting]) -> bool:
        """Bring PRAGMAs back that a migration may have set; return if that worked."""
        try:
            restore(self.connection, settings)
        except (sqlite3.Error, StoreError):
            return False
        return True

    def unlimited(self) -> None:
        """Let statements run without a deadline: a migration has its own bounds."""
        self._deadline.limit = _NEVER

    @contextmanager
    def bounded(self, limit: float | None) -> Iterator[None]:
        """Let each statement of a migration in the block run for *limit* seconds."""
        self._deadline.limit = limit or _NEVER
        try:
            yield
        finally:
            self._deadline.limit = _NEVER

    def limited(self) -> None:
        """Hold statements to their deadline again."""
        self._deadline.limit = self._limit

    def migrate(self, sql: str, values: Values = (), *, limit: float | None) -> None:
        """Execute one statement of a migration, for at most *limit* seconds."""
        self._deadline.until = None
        self._deadline.limit = limit or _NEVER
        try:
            self._execute(sql, values).fetchall()
        except (sqlite3.Error, sqlite3.Warning, ValueError) as cause:
            raise self._error(cause, sql, changes_rows=True) from cause
        finally:
            self._deadline.limit = _NEVER

    def control(self, sql: str) -> None:
        """Execute a statement of ours that returns no rows."""
        self._deadline.until = None
        try:
            self._execute(sql)
        except sqlite3.Error as cause:
            raise self._error(cause, sql) from cause

    def query(self, sql: str, values: Values = ()) -> Rows:
        """Execute a statement of ours and return its rows."""
        self._deadline.until = None
        try:
            return self._execute(sql, values).fetchall()
        except ENGINE_ERRORS as cause:
            raise self._error(cause, sql) from cause

    def close(self) -> None:
        """Close the connection; it never raises."""
        # Breaks the cycle through the handler, so that nothing waits for the
        # garbage collector.
        self._deadline.unwatch()
        self.connection.close()

    def _use_cursor(self, cursor: sqlite3.Cursor) -> None:
        """Use one cursor for all statements: each is fetched before the next begins."""
        self._cursor = cursor
        self._execute = cursor.execute
        self._fetchall = cursor.fetchall

    def _changed_rows(self) -> int:
        if self._cursor.rowcount >= 0:
            return self._cursor.rowcount
        # Behind WITH sqlite3 does not count, but SQLite does.
        counted: int = self.connection.execute("SELECT changes()").fetchone()[0]
        return counted

    def _error(
        self, cause: Exception, text: str, *, changes_rows: bool = False
    ) -> StoreError:
        """Return mooring's error for *cause*, or raise what a signal raised."""
        self._deadline.reraise()
        error = translate_error(
            cause, target=self.target, text=text, changes_rows=changes_rows
        )
        if isinstance(error, StoreBusyError):
            # Not as configured: a migration may have set another.
            (busy_timeout,) = self.connection.execute("PRAGMA busy_timeout").fetchone()
            waited = busy_timeout / 1000
            error.message = (
                f"{self.target} is locked by another process: waited {waited:.1f} s"
                " for the lock to write (busy_timeout)"
            )
        return error


def _width(number: int) -> int:  # noqa: ARG001 - each is "?"
    return 1


def _unknown(target: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"syncing {target} to its disk failed while committing: the change may be"
        " there or not",
        hint="look at the data before you write it again, and at the disk",
    )
