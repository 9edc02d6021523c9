"""One DuckDB connection as the scopes of core use it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import duckdb
from mooring.core import (
    OutcomeUnknownError,
    Result,
    Statement,
    StatementTimeoutError,
    StoreError,
    TransactionAbortedError,
)

from mooring_duckdb._database import limit_statements
from mooring_duckdb._errors import is_outcome_unknown, translate_error

if TYPE_CHECKING:
    from collections.abc import Iterator

Values = tuple[object, ...]
Rows = list[tuple[Any, ...]]

# How many rows of a stream are fetched at a time when it must make room.
_CHUNK: Final = 10_000


class DuckdbSession:
    """A connection with its transaction, whose state the engine does not tell.

    Args:
        connection: A connection as `Database.connect` makes it; it belongs to the
            session.
        statement_timeout: Seconds a statement may run; 0 = no limit.
        read: Reads rows into a class, for results.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        *,
        statement_timeout: float,
        read: Callable[[Any, Any, type[Any]], list[Any]],
    ) -> None:
        self.connection = connection
        self.in_transaction = False
        self._statement_timeout = statement_timeout
        self._read = read
        self._failed = False
        self._stream: _Stream | None = None

    def run(self, statement: Statement, text: str, values: Values) -> Result:
        """Execute one statement and fetch all of its rows; see `core.Session`."""
        connection = self.connection
        try:
            self._make_room()
            connection.execute(text, values)
            changed = connection.rowcount
            rows: Rows = connection.fetchall()
            description = connection.description
        except duckdb.Error as cause:
            raise self._statement_error(cause, statement, text) from cause
        except RuntimeError as cause:
            raise _interrupted(cause) from cause
        if statement.changes_rows and changed < 0:
            # With RETURNING its rows are those that it changed.
            return Result(rows, description, len(rows), self._read)
        if changed >= 0 or statement.writes:
            # What the engine answers otherwise is the count, or that it is done.
            counted = changed if statement.changes_rows else None
            return Result([], None, counted, self._read)
        return Result(rows, description, None, self._read)

    def stream(
        self, statement: Statement, text: str, values: Values, size: int
    ) -> Generator[tuple[Any, Rows], None, None]:
        """Yield the columns with *size* rows at a time; see `core.Session`.

        A connection has one result that is not fetched yet: if another statement
        comes between, the rest of the stream is fetched before.
        """
        stream = _Stream(self.connection, self._statement_timeout)
        try:
            self._make_room()
            self.connection.execute(text, values)
            self._stream = stream
            description = self.connection.description
            while rows := stream.fetch(size):
                yield description, rows
            self._stream = None
        except duckdb.Error as cause:
            raise self._statement_error(cause, statement, text) from cause
        except RuntimeError as cause:
            raise _interrupted(cause) from cause
        finally:
            # Later the connection is at another statement, or somebody else's.
            if self._stream is stream:
                self._drop_stream()

    def begin(self, *, isolation: str | None, read_only: bool) -> None:  # noqa: ARG002 - DuckDB knows one isolation level
        """Begin; a snapshot is taken by the first statement."""
        self.control(f"BEGIN TRANSACTION{' READ ONLY' if read_only else ''}")
        self.in_transaction = True
        self._failed = False

    def commit(self) -> None:
        """Commit; see `core.Session`.

        After an error the engine answers COMMIT by a rollback, without a word.
        """
        if self._failed:
            raise TransactionAbortedError("a statement of the transaction failed")
        # Whatever the answer is, no transaction is left.
        self.in_transaction = False
        try:
            self.control("COMMIT")
        except StoreError as error:
            cause = error.__cause__
            if isinstance(cause, duckdb.Error) and is_outcome_unknown(cause):
                raise _unknown(error) from cause
            raise

    def rollback(self) -> None:
        """Roll back if a transaction is open."""
        self._drop_stream()
        if self.in_transaction:
            self.in_transaction = False
            self.control("ROLLBACK")

    def reset(self) -> bool:
        """Undo whatever is left over; return whether the connection is fit for use."""
        try:
            self.rollback()
            # Ends a result that nobody fetched, which would hold its snapshot.
            self.control("SELECT 1")
        except StoreError:
            return False
        return True

    @contextmanager
    def limited(self, seconds: float) -> "Iterator[None]":
        """Let each statement in the block run that long."""
        limit_statements(self.connection, seconds)
        try:
            yield
        finally:
            with suppress(duckdb.Error):
                limit_statements(self.connection, self._statement_timeout)

    def control(self, sql: str) -> None:
        """Execute a statement of ours that returns nothing."""
        self.query(sql)

    def query(self, sql: str, values: Values = ()) -> Rows:
        """Execute a statement of ours and return its rows."""
        try:
            self._make_room()
            return self.connection.execute(sql, values).fetchall()
        except duckdb.Error as cause:
            self._failed = self.in_transaction
            raise translate_error(cause, text=sql, changes_rows=True) from cause
        except RuntimeError as cause:
            raise _interrupted(cause) from cause

    def close(self) -> None:
        """Close the connection; it never raises."""
        self.connection.close()

    def _drop_stream(self) -> None:
        """End a stream that was not read to its end.

        The next statement would wait until the engine has no more rows to give.
        """
        if self._stream is not None:
            self._stream = None
            self.connection.interrupt()

    def _make_room(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.fetch_all()

    def _statement_error(
        self, cause: duckdb.Error, statement: Statement, text: str
    ) -> StoreError:
        self._failed = self.in_transaction
        error = translate_error(cause, text=text, changes_rows=statement.changes_rows)
        if not self.in_transaction and statement.writes and is_outcome_unknown(cause):
            return _unknown(error)
        if error.offset is not None:
            error.offset = statement.offset_in_sql(error.offset, text, _width)
        return error


class _Stream:
    """The rows of the result that a connection is at."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, statement_timeout: float
    ) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = connection
        self._statement_timeout = statement_timeout
        self._fetched: Rows = []

    def fetch(self, size: int) -> Rows:
        """Return the next rows, none at the end."""
        if self._connection is not None:
            return self._connection.fetchmany(size)
        rows, self._fetched = self._fetched[:size], self._fetched[size:]
        return rows

    def fetch_all(self) -> None:
        """Fetch the rest, so that the connection is free for another statement.

        Raises:
            StatementTimeoutError: It did not end in time.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        until = monotonic() + (self._statement_timeout or float("inf"))
        while rows := connection.fetchmany(_CHUNK):
            self._fetched += rows
            if monotonic() > until:
                raise StatementTimeoutError(
                    "the rest of a stream took longer than statement_timeout to fetch,"
                    " which another statement of its snapshot had to wait for",
                    hint="read the stream to its end first, or use two snapshots",
                )


def _width(number: int) -> int:  # noqa: ARG001 - each is "?"
    return 1


def _interrupted(cause: RuntimeError) -> BaseException:
    """Return what to raise for a RuntimeError of the client library.

    It puts one in the place of whatever a signal's handler raised meanwhile.
    """
    return KeyboardInterrupt() if "interrupted" in str(cause) else cause


def _unknown(error: StoreError) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"the engine failed while committing ({error.message}): the change may be there"
        " or not",
        hint="look at the disk, and at the data before you write it again",
    )
