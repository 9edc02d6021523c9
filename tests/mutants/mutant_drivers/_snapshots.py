"""Snapshots: one state from the first statement on, read only, streamed whole."""

from collections.abc import Generator, Iterator
from typing import Any

from mooring import core
from mooring.core import Row

from mutant_drivers._driver import Session, Snapshot
from mutant_drivers._mutant import caught_by


@caught_by("test_a_snapshot_repeats_what_it_read")
class SnapshotMoves(Session):
    """Each statement of a snapshot sees what was committed before it."""

    def begin(self, *, isolation: str | None, read_only: bool) -> None:
        if not read_only:
            super().begin(isolation=isolation, read_only=False)


@caught_by("test_a_snapshot_begins_with_its_first_statement")
class SnapshotBeginsTooEarly(Session):
    """A snapshot holds the state of when its block was entered."""

    def begin(self, *, isolation: str | None, read_only: bool) -> None:
        super().begin(isolation=isolation, read_only=read_only)
        if read_only:
            self.query("SELECT count(*) FROM sqlite_master")


@caught_by("test_a_write_in_a_snapshot_is_refused_and_changes_nothing")
class SnapshotWrites(Session):
    """A snapshot is a transaction that may write, and commits."""

    def begin(self, *, isolation: str | None, read_only: bool) -> None:
        if read_only:
            self.control("PRAGMA query_only = 0")
        super().begin(isolation=isolation, read_only=False)

    def rollback(self) -> None:
        if self.connection.in_transaction and self.settings["query_only"]:
            self.control("COMMIT")
        super().rollback()


@caught_by("test_a_write_in_a_snapshot_is_refused_and_changes_nothing")
class RefusesWritesAsMistakes(Session):
    """A write in a snapshot is an error of its SQL."""

    def _error(self, cause: Exception, text: str, **options: bool) -> core.StoreError:
        error = super()._error(cause, text, **options)
        if isinstance(error, core.ReadOnlyError):
            return core.StatementError(error.message, hint=error.hint)
        return error


@caught_by("test_the_next_borrower_of_its_connection_may_write")
class StaysReadOnly(Session):
    """A connection that was lent for a snapshot goes on to refuse writes."""

    def rollback(self) -> None:
        self._reading = False
        super().rollback()


@caught_by("test_after_an_error_a_snapshot_refuses_further_statements")
class SnapshotGoesOnAfterAnError(Snapshot[Any]):
    """A snapshot in which a statement failed runs the next one."""

    def _fail(self, error: BaseException) -> None:
        """Forget it."""


@caught_by("test_an_endless_stream_gives_its_first_rows_within_the_deadline")
class StreamsFromAList(Session):
    """A stream fetches all rows before it gives the first."""

    def stream(
        self,
        statement: Any,  # noqa: ARG002 - as in the driver
        text: str,
        values: Any,
        size: int,
    ) -> Generator[Any, None, None]:
        rows = self.query(text, values)
        for start in range(0, len(rows), size):
            yield self._cursor.description, rows[start : start + size]


@caught_by("test_a_stream_yields_every_row_in_order")
class StreamLosesItsEnd(Session):
    """A stream leaves out the last rows where they are fewer than its size."""

    def stream(
        self, statement: Any, text: str, values: Any, size: int
    ) -> Generator[Any, None, None]:
        for columns, rows in super().stream(statement, text, values, size):
            if len(rows) == size:
                yield columns, rows


@caught_by("test_going_on_with_a_stream_after_its_block_is_refused")
class StreamEndsQuietly(Snapshot[Any]):
    """A stream that is read after its block ends, as if there were no more rows."""

    def _rows(self, batches: Any) -> Iterator[Row]:
        rows = super()._rows(batches)
        while True:
            try:
                yield next(rows)
            except (StopIteration, core.StoreError):
                return


@caught_by("test_other_statements_may_run_while_a_stream_is_read")
class OneCursorForAll(Session):
    """A stream and the statements beside it share one cursor."""

    def stream(
        self,
        statement: Any,  # noqa: ARG002 - as in the driver
        text: str,
        values: Any,
        size: int,
    ) -> Generator[Any, None, None]:
        self._execute(text, values)
        while rows := self._cursor.fetchmany(size):
            yield self._cursor.description, rows
