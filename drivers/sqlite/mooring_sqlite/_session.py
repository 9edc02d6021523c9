"""One SQLite connection as the scopes of core use it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from time import monotonic
from typing import Any, Final

from mooring.core import (
    OutcomeUnknownError,
    Result,
    Statement,
    StoreBusyError,
    StoreError,
    import_safely,
)

from mooring_sqlite._connect import Setting, restore
from mooring_sqlite._deadline import UNSTOPPED, Deadline
from mooring_sqlite._errors import ENGINE_ERRORS, is_unsynced, translate_error

Values = tuple[object, ...]
Rows = list[tuple[Any, ...]]

_NEVER = float("inf")
# Commits between two looks at the log.
_LOOK: Final = 32


class SqliteSession:
    """A connection with its settings and its statement deadline.

    Args:
        connection: A connection as `connect` makes it; it belongs to the session.
        settings: What its PRAGMAs read back as.
        target: The database, for messages.
        statement_timeout: Seconds a statement may run; 0 = no limit.
        read: Reads rows into a class, for results.
        read_deadline: Seconds a snapshot may be open; 0 = no limit.
        upkeep: Called with the session behind every 32nd commit; it raises only what a
            signal raised.
    """

    __slots__ = (
        "_commits",
        "_cursor",
        "_deadline",
        "_execute",
        "_fetchall",
        "_limit",
        "_read",
        "_reading",
        "_shares",
        "_upkeep",
        "busy",
        "connection",
        "ends",
        "gate",
        "given_up",
        "read_deadline",
        "settings",
        "streams",
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
        read_deadline: float = 0.0,
        upkeep: Callable[[SqliteSession], object] | None = None,
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
        self._upkeep = upkeep
        self._commits = 0
        # A snapshot may be given up from another thread while its own one does
        # something else: never while a statement is busy. It has the gate for that; it
        # may be had twice, since the garbage collector runs at any time.
        self.busy = self.given_up = False
        self.gate = RLock()
        self.read_deadline = read_deadline
        self.ends: float | None = None
        self.streams: set[sqlite3.Cursor] = set()

    @property
    def in_transaction(self) -> bool:
        """Whether SQLite has a transaction open."""
        return self.connection.in_transaction

    @property
    def may_read(self) -> bool:
        """Whether it can hold a snapshot: False after that was given up."""
        return self.ends is None or self.connection.in_transaction

    def run(self, statement: Statement, text: str, values: Values) -> Result:
        """Execute one statement and fetch all of its rows; see `core.Session`."""
        self._deadline.until = None
        if self.ends is not None:
            self.busy = True
            if monotonic() >= self.ends:
                raise self._expired()
        try:
            self._execute(text, values)
            rows = self._fetchall()
            rowcount = None
            if statement.changes_rows:
                rowcount = self._cursor.rowcount
                if rowcount < 0:
                    rowcount = self._changed_rows()
        except ENGINE_ERRORS as cause:
            error = self._error(cause, text, changes_rows=statement.changes_rows)
            if is_unsynced(cause) and not self.connection.in_transaction:
                error = _unknown(self.target)
            if error.offset is not None:
                error.offset = statement.offset_in_sql(error.offset, text, _width)
            raise error from cause
        finally:
            self.busy = False
        result = Result(rows, self._cursor.description, rowcount, self._read)
        if rowcount is not None and not self.connection.in_transaction:
            self._commits += 1
            if self._commits % _LOOK == 0:
                self._look_after()  # by the same cursor
        return result

    def stream(
        self,
        statement: Statement,  # noqa: ARG002 - other engines look at it
        text: str,
        values: Values,
        size: int,
    ) -> Generator[tuple[Any, Rows], None, None]:
        """Yield the columns with *size* rows at a time; see `core.Session`."""
        cursor = self.connection.cursor()
        self.streams.add(cursor)
        begun = False
        try:
            while True:
                # What the caller does between two fetches is not the statement's.
                self._deadline.until = None
                self.busy = True
                try:
                    if self.ends is not None and monotonic() >= self.ends:
                        raise self._expired()
                    if not begun:
                        cursor.execute(text, values)
                        begun = True
                    rows, columns = cursor.fetchmany(size), cursor.description
                finally:
                    self.busy = False
                if not rows:
                    return
                yield columns, rows
        except ENGINE_ERRORS as cause:
            raise self._error(cause, text) from cause
        finally:
            # Closed by whoever takes it out: once, as two at a time must not.
            if _taken(self.streams, cursor):
                cursor.close()

    def begin(self, *, isolation: str | None, read_only: bool) -> None:  # noqa: ARG002 - SQLite knows one isolation level
        """Begin: readers at their first statement, writers with the lock to write.

        A transaction that reads first and then writes would fail at once if another
        one committed between (SQLITE_BUSY_SNAPSHOT), so writers never do that.
        """
        if not read_only:
            self.control("BEGIN IMMEDIATE")
            return
        if self.read_deadline:
            self.busy = True
            self.ends = self._deadline.end = monotonic() + self.read_deadline
        if not self.settings["query_only"]:
            # The connection is shared with writers: it only reads until rollback().
            self._reading = True
            self.control("PRAGMA query_only = 1")
        self.control("BEGIN")
        self.busy = False

    def commit(self) -> None:
        """Commit, and check that SQLite did; see `core.Session`."""
        self._deadline.until = UNSTOPPED
        try:
            self._execute("COMMIT")
        except sqlite3.Error as cause:
            error = self._error(cause, "COMMIT")
            if is_unsynced(cause):
                error = _unknown(self.target)
            raise error from cause
        self._deadline.reraise()
        if self.connection.in_transaction:
            raise StoreError("COMMIT did not end the transaction")
        self._commits += 1
        if self._commits % _LOOK == 0:
            self._look_after()

    def _look_after(self) -> None:
        """Have the log looked at, behind a commit."""
        if self._upkeep is None:
            return
        try:
            self._upkeep(self)
        except BaseException as error:
            # A signal's. Nothing was wrong when it came, however deep it came from: who
            # waits for the COMMIT is told that it was one.
            error.__context__ = None
            raise

    def rollback(self) -> None:
        """Roll back if a transaction is open; some errors did it already."""
        if self.ends is not None:
            self.busy = True
            if self.given_up:
                with self.gate:  # until that is done
                    pass
            self.ends = None
            self._deadline.end = _NEVER
            self.busy = False
        if self.connection.in_transaction:
            self.control("ROLLBACK")
        if self._reading:
            self.control("PRAGMA query_only = 0")
            self._reading = False

    def give_up_overdue(self) -> bool:
        """End a snapshot past its deadline, from any thread; return whether one was."""
        import_safely("mooring_sqlite._overdue")
        from mooring_sqlite._overdue import give_up_overdue

        return give_up_overdue(self)

    def _expired(self) -> StoreError:
        """Return the error for a snapshot past its deadline, and let go of it."""
        import_safely("mooring_sqlite._overdue")
        from mooring_sqlite._overdue import expired

        return expired(self)

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
        import_safely("mooring_sqlite._sharing")
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
        self._deadline.watch()  # a health check puts its own in the place

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
        with self.gate:
            self._deadline.unwatch()
            self.connection.close()

    def _use_cursor(self, cursor: sqlite3.Cursor) -> None:
        """Use one cursor for all statements: each is fetched before the next begins."""
        self._cursor = cursor
        self._execute = cursor.execute
        self._fetchall = cursor.fetchall

    def _changed_rows(self) -> int:
        # Behind WITH sqlite3 does not count, but SQLite does.
        counted: int = self.connection.execute("SELECT changes()").fetchone()[0]
        return counted

    def _error(
        self, cause: Exception, text: str, *, changes_rows: bool = False
    ) -> StoreError:
        """Return mooring's error for *cause*, or raise what a signal raised."""
        self._deadline.reraise()
        interrupted = getattr(cause, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT
        if interrupted and self.ends is not None and monotonic() >= self.ends:
            return self._expired()
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


def _taken(streams: set[sqlite3.Cursor], cursor: sqlite3.Cursor) -> bool:
    """Take *cursor* out and return whether it was there: for one thread it is."""
    try:
        streams.remove(cursor)
    except KeyError:
        return False
    return True


def _width(number: int) -> int:  # noqa: ARG001 - each is "?"
    return 1


def _unknown(target: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"syncing {target} to its disk failed while committing: the change may be"
        " there or not",
        hint="look at the data before you write it again, and at the disk",
    )
