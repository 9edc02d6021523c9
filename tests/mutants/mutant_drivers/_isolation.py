"""Isolation, and ``run``, which runs a function again on conflicts and nothing else."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from mooring import core
from mooring_sqlite._config import SqliteConfig
from mooring_sqlite._path import Location

from mutant_drivers._driver import Session, Store, Transaction
from mutant_drivers._mutant import caught_by

Work = Callable[[Any], Any]


class _RunsAgain(Store):
    """Run a function again on the errors of a class, however often."""

    again: tuple[type[BaseException], ...] = (core.SerializationError,)

    def run(self, fn: Work, *, attempts: int = 10, **_other: Any) -> Any:
        for _ in range(attempts - 1):
            try:
                return super().run(fn, attempts=1)
            except self.again:
                continue
        return super().run(fn, attempts=1)


@caught_by("test_it_runs_again_on_a_conflict_and_keeps_only_the_last_attempt")
class RunsOnce(_RunsAgain):
    """``run`` gives up at the first conflict."""

    again = ()


@caught_by("test_whatever_else_is_raised_ends_it_at_once")
class RunsAgainWhateverHappens(_RunsAgain):
    """``run`` runs the function again after any error of the store."""

    again = (core.StoreError,)


@caught_by("test_whatever_else_is_raised_ends_it_at_once")
class RunsAgainWhenItMayBeDone(_RunsAgain):
    """``run`` runs the function again when it is not known if it was committed."""

    again = (core.SerializationError, core.OutcomeUnknownError)


@caught_by("test_conflicts_without_end_are_bounded")
class RunsWithoutEnd(Store):
    """``run`` goes on until there is no conflict, whatever ``attempts`` says."""

    def run(self, fn: Work, *, attempts: int = 10, **_other: Any) -> Any:  # noqa: ARG002 - that it does not matter is the defect
        while True:
            try:
                return super().run(fn, attempts=1)
            except core.SerializationError:
                continue


@caught_by("test_it_runs_again_on_a_conflict_and_keeps_only_the_last_attempt")
class KeepsEachAttempt(Store):
    """An attempt that meets a conflict keeps what it wrote before."""

    def run(self, fn: Work, *, attempts: int = 10, **_other: Any) -> Any:
        def keep(tx: Any) -> Any:
            try:
                return fn(tx)
            except core.SerializationError:
                tx._session.control("COMMIT")
                raise

        return super().run(keep, attempts=attempts)


@caught_by("test_each_attempt_has_the_caller_s_thread_and_context")
class RunsElsewhere(Store):
    """The function is called in another thread."""

    def run(self, fn: Work, *, attempts: int = 10, **_other: Any) -> Any:
        context = copy_context()

        def elsewhere(tx: Any) -> Any:
            found: list[Any] = []
            thread = threading.Thread(target=lambda: found.append(context.run(fn, tx)))
            thread.start()
            thread.join()
            return found[0]

        return super().run(elsewhere, attempts=attempts)


class _BeginsWhenItWrites(Session):
    late = False

    def begin(self, *, isolation: str | None, read_only: bool) -> None:
        self.late = isolation == "serializable"
        if not self.late:
            super().begin(isolation=isolation, read_only=read_only)

    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        if self.late and statement.writes:
            self.late = False
            self.control("BEGIN IMMEDIATE")
        return super().run(statement, text, values)

    def commit(self) -> None:
        self.late = False
        if self.connection.in_transaction:
            super().commit()

    def rollback(self) -> None:
        self.late = False
        super().rollback()


@caught_by("test_serializable_transactions_never_skew_each_other")
class SerializableInNameOnly(Store):
    """A serializable transaction begins at its first write, after what it read."""

    session_class = _BeginsWhenItWrites

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        super().__init__(config, location)
        self._writers._max_open = 4


@caught_by("test_any_other_isolation_is_refused_before_anything_happens")
class TakesAnyIsolation(Store):
    """The name of an isolation that there is not is taken for the default."""

    def transaction(self, *, isolation: Any = None, **_other: Any) -> Transaction[Any]:
        known = isolation if isolation == "serializable" else None
        return super().transaction(isolation=known)


@caught_by("test_nobody_sees_what_is_not_committed")
class ReadsWhatIsNotCommitted(Store):
    """A single read runs on the connection that somebody writes with."""

    def _execute(self, statement: Any, text: str, values: Any) -> core.Result:
        _, lent = self._writers.leases()
        if lent and not statement.writes:
            return lent[0].connection.run(statement, text, values)
        return super()._execute(statement, text, values)
