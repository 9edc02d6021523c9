"""Threads at work on one store lose nothing and see nothing half done."""

from typing import Any

from mooring import core

from mutant_drivers._driver import Session, Store
from mutant_drivers._mutant import caught_by


@caught_by("test_no_increment_is_lost")
class DropsWritesWhenBusy(Store):
    """A write that would have to wait for its turn is left out."""

    def _execute(self, statement: Any, text: str, values: Any) -> core.Result:
        stats = self._writers.stats
        if statement.changes_rows and stats.lent:
            return core.Result([], None, 0, self._read_rows)
        return super()._execute(statement, text, values)


class _Halves(Session):
    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        result = super().run(statement, text, values)
        if statement.changes_rows and self.connection.in_transaction:
            self.control("COMMIT")
            self.control("BEGIN IMMEDIATE")
        return result


@caught_by("test_readers_never_see_half_a_transfer")
class ShowsHalves(Store):
    """What a transaction wrote is seen before it is committed."""

    session_class = _Halves


@caught_by("test_failures_of_some_do_not_touch_the_work_of_others")
class KeepsFailuresUnderLoad(Session):
    """A transaction that fails while others wait for their turn is committed."""

    def rollback(self) -> None:
        if self.connection.in_transaction and self.store._writers.stats.waiting:
            self.control("COMMIT")
        super().rollback()
