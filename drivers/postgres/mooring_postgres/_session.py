"""One PostgreSQL connection as the scopes of core use it."""

import select
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import psycopg
from mooring.core import (
    OutcomeUnknownError,
    Result,
    ResultError,
    Statement,
    StoreError,
    TransactionAbortedError,
)
from psycopg.pq import ExecStatus, TransactionStatus

from mooring_postgres._connection import BoundedConnection, SingleCursor
from mooring_postgres._errors import (
    is_lost,
    is_stale_plan,
    lost,
    may_write,
    translate_error,
    unknown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg.errors import Diagnostic

Values = tuple[object, ...]
Rows = list[tuple[Any, ...]]
# A psycopg.Cursor: its types take literal strings only, and our texts are made.
Cursor = Any

_IDLE: Final = TransactionStatus.IDLE
_OVER: Final = (TransactionStatus.IDLE, TransactionStatus.UNKNOWN)
_OPEN: Final = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
_TUPLES: Final = ExecStatus.TUPLES_OK
# Queries that a cursor on the server can be declared for.
_QUERIES: Final = frozenset({"SELECT", "VALUES", "TABLE"})
# More rows than these are not kept in memory by a connection that nobody uses.
_KEPT_ROWS: Final = 1000


class PostgresSession:
    """A connection in autocommit: a single statement costs one round trip.

    Args:
        connection: A connection as `connect` makes it; it belongs to the session.
        target: The database, for messages; never a secret.
        ping_timeout: Seconds that `is_alive` waits for the server.
        read: Reads rows into a class, for results.
    """

    __slots__ = (
        "_controls",
        "_cursor",
        "_execute",
        "_in_block",
        "_is_open",
        "_poll",
        "_read",
        "_read_only",
        "_streams",
        "_turn",
        "_unreplicated",
        "connection",
        "ping_timeout",
        "target",
    )

    def __init__(
        self,
        connection: BoundedConnection,
        *,
        target: str,
        ping_timeout: float,
        read: Callable[[Any, Any, type[Any]], list[Any]],
    ) -> None:
        self.connection = connection
        self.target = target
        self.ping_timeout = ping_timeout
        self._read = read
        self._use_cursor()
        # Apart, so that the other one keeps what it knows of its last statement.
        self._controls: Cursor = connection.cursor()
        self._in_block = False  # begun by us, whatever became of the connection since
        self._read_only = False
        self._is_open = True
        self._unreplicated = False
        self._streams = count(1)
        self._turn = 0  # counts transactions
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)
        connection.add_notice_handler(self._note)

    @property
    def in_transaction(self) -> bool:
        """Whether the server has a transaction open."""
        return self.connection.pgconn.transaction_status in _OPEN

    @property
    def is_busy(self) -> bool:
        """Whether the server waits for the data of a COPY: fit for nothing else."""
        status = self.connection.pgconn.transaction_status
        return bool(status == TransactionStatus.ACTIVE)

    def run(self, statement: Statement, text: str, values: Values) -> Result:
        """Execute one statement and fetch all of its rows; see `core.Session`."""
        cursor = self._cursor
        try:
            self._execute(text, values)
        except psycopg.Error as cause:
            if not (is_stale_plan(cause) and self._forget_plans()):
                error = self._statement_error(cause, statement)
                if error.offset is not None:
                    error.offset = statement.offset_in_sql(error.offset, text, _width)
                raise error from cause
            return self.run(statement, text, values)
        if self._unreplicated:
            self._refuse_unreplicated()
        found = cursor.pgresult
        rowcount = cursor.rowcount if statement.changes_rows else None
        if found.status != _TUPLES:
            return Result([], None, rowcount, self._read)
        return Result(self._rows(cursor), _columns(found), rowcount, self._read)

    def stream(
        self, statement: Statement, text: str, values: Values, size: int
    ) -> Generator[tuple[Any, Rows], None, None]:
        """Yield the columns with *size* rows at a time; see `core.Session`.

        It reads through a cursor of the server, so that neither side holds all rows.
        """
        if statement.verb not in _QUERIES:
            yield from self._slices(statement, text, values, size)
            return
        name, turn = f"mooring_{next(self._streams)}", self._turn
        cursor: Cursor = self.connection.cursor()
        declare = f"DECLARE {name} NO SCROLL CURSOR FOR {text}"
        fetch = f"FETCH FORWARD {size} FROM {name}"
        declared = False
        try:
            cursor.execute(declare, values, prepare=False)
            declared = True
            while True:
                cursor.execute(fetch, prepare=False)
                rows = self._rows(cursor)
                if not rows:
                    return
                yield _columns(cursor.pgresult), rows
        except psycopg.Error as cause:
            error = self._statement_error(cause, statement)
            error.offset = None  # it points into our text
            raise error from cause
        finally:
            # Only in its own transaction: later the connection is somebody else's. One
            # that a Ctrl-C kept us from noting ends with the transaction.
            if declared and turn == self._turn and self._is_in_good_transaction():
                self.control(f"CLOSE {name}")
            cursor.close()

    def begin(self, *, isolation: str | None, read_only: bool) -> None:
        """Begin a transaction; a snapshot is taken by its first statement.

        The level is always said, whatever the default of the role is.
        """
        self._turn += 1
        self._in_block, self._read_only = True, read_only
        if read_only:
            self._control_transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        elif isolation == "serializable":
            self._control_transaction("BEGIN ISOLATION LEVEL SERIALIZABLE")
        else:
            self._control_transaction("BEGIN ISOLATION LEVEL READ COMMITTED")

    def commit(self) -> None:
        """Commit, and check that the server did; see `core.Session`."""
        self._turn += 1
        self._in_block = False
        try:
            done = self.connection.command("COMMIT")
        except psycopg.Error as cause:
            if self._is_lost(cause):
                raise unknown(
                    cause, target=self.target, limit=self.connection.limit
                ) from cause
            raise self._error(cause) from cause
        if self._unreplicated:
            self._refuse_unreplicated()
        if done != "COMMIT":
            self.close()  # psycopg does not know that it has to forget its plans
            raise TransactionAbortedError(
                "the server rolled the transaction back instead of committing it",
                hint="look for an error that a function or a trigger swallowed",
            )

    def rollback(self) -> None:
        """Roll back if a transaction is open; it never fails.

        On a connection that is gone there is nothing to roll back any more.
        """
        self._turn += 1
        self._in_block = False
        status = self.connection.pgconn.transaction_status
        # One that is active is still used by another thread, which it waits for.
        if status in _OVER:
            return
        # A snapshot made and altered no table: psycopg, which forgets every prepared
        # statement at a ROLLBACK, need not see this one.
        harmless = self._read_only and status == TransactionStatus.INTRANS
        try:
            if harmless:
                self.connection.command("ROLLBACK")
            else:
                self._controls.execute("ROLLBACK", prepare=False)
        except psycopg.Error:
            self.close()

    def savepoint(self, name: str) -> None:
        """Set a savepoint."""
        self._control_transaction(f"SAVEPOINT {name}")

    def release(self, name: str) -> None:
        """Release a savepoint, keeping its work."""
        self._control_transaction(f"RELEASE {name}")

    def rollback_to(self, name: str) -> None:
        """Undo what came after a savepoint, and release it."""
        self.control(f"ROLLBACK TO {name}; RELEASE {name}")

    def reset(self) -> bool:
        """Undo whatever is left over; return whether the connection is fit for use."""
        self.rollback()
        # Of one who left without an answer; the next borrower must not be told.
        self._unreplicated = False
        return self.connection.pgconn.transaction_status == _IDLE

    def is_quiet(self) -> bool:
        """Return False if the server sent something since: mostly, that it is gone."""
        # The descriptor of one that is closed may be somebody else's by now.
        return self._is_open and not self._poll.poll(0)

    def is_alive(self, left: float) -> bool:
        """Ask the server if it is still there, within *left* and ``ping_timeout``."""
        try:
            with self.limited(min(left, self.ping_timeout)):
                self._controls.execute("", prepare=False)
        except psycopg.Error:
            return False
        return self.is_quiet()

    @contextmanager
    def limited(self, seconds: float | None) -> "Iterator[None]":
        """Let each wait in the block take this long, None for as long as it takes."""
        before, self.connection.limit = self.connection.limit, seconds
        try:
            yield
        finally:
            self.connection.limit = before

    def control(self, sql: str) -> None:
        """Execute a statement of ours that returns nothing."""
        self._command(sql)

    def control_single(self, sql: str) -> None:
        """Execute one statement of a migration; a second in the text is an error."""
        self._command(sql, cursor=self._cursor)

    def query(self, sql: str, values: Sequence[object] | None = None) -> Rows:
        """Execute a query of ours, with ``%s`` for values, and return its rows."""
        rows: Rows = self._command(sql, values).fetchall()
        return rows

    def close(self) -> None:
        """Close the connection; it never raises."""
        self._is_open = False
        with suppress(psycopg.Error):
            self.connection.close()

    def _control_transaction(self, sql: str) -> None:
        try:
            self.connection.command(sql)
        except psycopg.Error as cause:
            raise self._error(cause) from cause

    def _use_cursor(self) -> None:
        """Use one cursor for all statements: each is fetched before the next begins."""
        self._cursor: Cursor = SingleCursor(self.connection)
        self._execute = self._cursor.execute

    def _command(
        self,
        sql: str,
        values: Sequence[object] | None = None,
        *,
        cursor: Cursor = None,
    ) -> Cursor:
        cursor = cursor or self._controls
        try:
            cursor.execute(sql, values, prepare=False)
        except psycopg.Error as cause:
            raise self._error(cause) from cause
        if self._unreplicated:
            self._refuse_unreplicated()
        return cursor

    def _rows(self, cursor: Cursor) -> Rows:
        try:
            rows: Rows = cursor.fetchall()
        except psycopg.DataError as cause:
            raise ResultError(
                f"a value cannot be read, but the statement is done: {cause}",
                hint="select it as text: CAST(column AS TEXT)",
            ) from cause
        if len(rows) > _KEPT_ROWS and cursor is self._cursor:
            self._use_cursor()
        return rows

    def _slices(
        self, statement: Statement, text: str, values: Values, size: int
    ) -> Generator[tuple[Any, Rows], None, None]:
        """Yield the rows of what is no query, and so is done as a whole."""
        result = self.run(statement, text, values)
        columns = list(zip(result.keys(), strict=True))
        rows = [tuple(row) for row in result]
        for start in range(0, len(rows), size):
            yield columns, rows[start : start + size]

    def _forget_plans(self) -> bool:
        """Drop prepared statements; False inside a transaction, which has failed.

        The ROLLBACK that it needs makes psycopg drop them by itself.
        """
        if self.in_transaction:
            return False
        self.control("DEALLOCATE ALL")
        return True

    def _is_in_good_transaction(self) -> bool:
        return self.connection.pgconn.transaction_status == TransactionStatus.INTRANS

    def _is_lost(self, cause: psycopg.Error) -> bool:
        status = self.connection.pgconn.transaction_status
        waiting = status == TransactionStatus.ACTIVE
        if is_lost(cause, closed=self.connection.closed, waiting=waiting):
            self.close()
            return True
        return False

    def _statement_error(
        self, cause: psycopg.Error, statement: Statement
    ) -> StoreError:
        """Return mooring's error for *cause*, by what the statement may have done."""
        if self._is_lost(cause):
            # Inside a transaction nothing is committed, whatever it did.
            if not self._in_block and may_write(statement.sql, statement.verb):
                return unknown(cause, target=self.target, limit=self.connection.limit)
            return lost(cause, target=self.target, limit=self.connection.limit)
        return self._error(cause, statement)

    def _error(
        self, cause: psycopg.Error, statement: Statement | None = None
    ) -> StoreError:
        if self._is_lost(cause):
            return lost(cause, target=self.target, limit=self.connection.limit)
        cancelled, self.connection.cancelled = self.connection.cancelled, False
        return translate_error(
            cause,
            changes_rows=statement is not None and statement.changes_rows,
            cancelled=cancelled,
        )

    def _note(self, notice: "Diagnostic") -> None:
        """Remember that a commit is on this server, but not on its standby."""
        # The wait for a synchronous standby was cancelled (PostgreSQL, section 26.2.8).
        if notice.source_function == "SyncRepWaitForLSN":
            self._unreplicated = True

    def _refuse_unreplicated(self) -> None:
        self._unreplicated = False
        raise OutcomeUnknownError(
            "committed on the server, but perhaps not on its synchronous standby: the"
            " change is lost if that takes over now",
            hint="look at the standby, and at the data before you write it again",
        )


def _width(number: int) -> int:
    return len(f"${number}")


def _columns(result: Any) -> list[tuple[str]]:
    """Return the columns' names as a description; psycopg's own takes long to make."""
    return [(result.fname(place).decode(),) for place in range(result.nfields)]
