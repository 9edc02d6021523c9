"""Every wait ends, at the time that is configured, and says for what it was."""

import weakref
from collections.abc import Generator
from time import monotonic
from typing import Any, ClassVar

from mooring import core
from mooring.core import PoolStats
from mooring_sqlite._config import SqliteConfig
from mooring_sqlite._deadline import Deadline
from mooring_sqlite._path import Location

from mutant_drivers._driver import Session, Store
from mutant_drivers._mutant import caught_by


class _OwnDeadline(Session):
    """Stop a statement at a time that the mutant chooses."""

    def __init__(self, connection: Any, **options: Any) -> None:
        super().__init__(connection, **options)
        self._deadline = Deadline(connection, self.limit(options["statement_timeout"]))
        self._deadline.watch()

    def limit(self, configured: float) -> float:
        raise NotImplementedError  # each mutant says how


@caught_by("test_two_stores_do_not_see_each_other_s_settings")
class IgnoresStatementTimeout(_OwnDeadline):
    """A statement may run one second, or two, whatever ``statement_timeout`` says."""

    def limit(self, configured: float) -> float:  # noqa: ARG002 - that it does not matter is the defect
        return 1.0 if self.settings["query_only"] else 2.0


@caught_by("test_no_deadline_is_possible")
class TakesNoDeadlineForAtOnce(_OwnDeadline):
    """``statement_timeout=0`` stops every statement that is not done at once."""

    def limit(self, configured: float) -> float:
        return configured or 0.001


class _OfAnother(Session):
    """Hold a statement to the deadline of whichever other store there is."""

    stores: ClassVar[weakref.WeakSet[Store]] = weakref.WeakSet()

    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        self.stores.add(self.store)
        others = (store for store in self.stores if store is not self.store)
        self._deadline.limit = next(others, self.store).config.statement_timeout
        return super().run(statement, text, values)


@caught_by("test_two_stores_do_not_see_each_other_s_settings")
class MixesUpTwoStores(Store):
    """Of two stores each has the settings of the other."""

    session_class = _OfAnother

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        super().__init__(config, location)
        _OfAnother.stores.add(self)


@caught_by("test_what_its_reader_does_between_rows_does_not_count")
class CountsWhatItsReaderDoes(Session):
    """The deadline of a stream counts what its reader does between two rows."""

    def stream(
        self, statement: Any, text: str, values: Any, size: int
    ) -> Generator[Any, None, None]:
        started = monotonic()
        for batch in super().stream(statement, text, values, size):
            if monotonic() - started > self._deadline.limit:
                raise core.StatementTimeoutError("the stream took too long")
            yield batch


@caught_by("test_a_statement_past_its_deadline_is_stopped_and_changes_nothing")
class DoesNotSayWhichSetting(Session):
    """The error at a deadline does not name the setting to change."""

    def _error(self, cause: Exception, text: str, **options: bool) -> core.StoreError:
        error = super()._error(cause, text, **options)
        if isinstance(error, core.StatementTimeoutError):
            return core.StatementTimeoutError("interrupted", hint="ask for less")
        return error


@caught_by("test_a_deadline_inside_a_transaction_fails_it")
class DeadlineEndsTheTransaction(Session):
    """A deadline rolls the transaction back, and what follows runs outside of one."""

    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        try:
            return super().run(statement, text, values)
        except core.StatementTimeoutError:
            if self.connection.in_transaction:
                self.control("COMMIT")
            raise


@caught_by("test_an_exhausted_pool_says_its_numbers_and_who_holds")
class PoolGivesNoNumbers(Store):
    """The end of a wait for a connection says that it ended, and no more."""

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        super().__init__(config, location)
        self._readers._busy = self._busy

    def _busy(
        self,
        waited: float,  # noqa: ARG002 - that it does not matter is the defect
        stats: PoolStats,  # noqa: ARG002 - that it does not matter is the defect
        holders: list[str],  # noqa: ARG002 - that it does not matter is the defect
    ) -> core.MooringError:
        return core.PoolTimeoutError("no connection", hint="raise max_open_conns")


@caught_by("test_waiting_for_a_row_that_another_changes_ends", waits=True)
class WaitsWithoutEnd(Store):
    """The wait for the turn to write has no end."""

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        super().__init__(config, location)
        self._writers.timeout = 1e6
