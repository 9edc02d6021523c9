"""A failed scope is failed, COMMIT is checked, a savepoint restores its parent."""

from contextlib import suppress
from types import TracebackType
from typing import Any

from mooring import core

from mutant_drivers._driver import Session, Transaction
from mutant_drivers._mutant import caught_by


@caught_by("test_any_exception_rolls_back_and_goes_on_as_it_is")
class CommitsOnError(Session):
    """A block that is left by an exception is committed."""

    def rollback(self) -> None:
        if self.connection.in_transaction:
            self.control("COMMIT")
        super().rollback()


@caught_by("test_any_exception_rolls_back_and_goes_on_as_it_is")
class CommitsEachStatement(Session):
    """Inside a block each statement is committed by itself."""

    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        result = super().run(statement, text, values)
        if self.connection.in_transaction and not self._reading:
            self.control("COMMIT")
            self.control("BEGIN IMMEDIATE")
        return result


@caught_by("test_any_exception_rolls_back_and_goes_on_as_it_is")
class SwallowsTheException(Transaction[Any]):
    """An exception that leaves a block is rolled back for, and hidden."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        return True  # type: ignore[return-value]  # that it hides it is the defect


@caught_by("test_after_any_error_a_further_statement_is_refused")
class GoesOnAfterAnError(Transaction[Any]):
    """After the error of a statement its transaction runs the next one."""

    def _fail(self, error: BaseException) -> None:
        """Forget it."""


@caught_by("test_after_any_error_a_further_statement_is_refused")
class ForgetsWhatFailed(Transaction[Any]):
    """A failed scope is refused without the error that made it fail."""

    def _refuse(self) -> None:
        raise core.TransactionAbortedError(
            "the transaction is aborted", hint="use tx.savepoint()"
        )


@caught_by("test_leaving_a_failed_block_quietly_rolls_back_and_raises")
class LosesWorkQuietly(Transaction[Any]):
    """A failed block that is left without an exception ends as if it were kept."""

    loses_work = False


@caught_by("test_a_deferred_foreign_key_fails_at_commit_and_keeps_nothing")
class SwallowsErrorsOfCommit(Session):
    """An error of COMMIT is dropped, and the transaction left open."""

    def commit(self) -> None:
        with suppress(core.StoreError):
            super().commit()


@caught_by("test_a_deferred_foreign_key_fails_at_commit_and_keeps_nothing")
class TakesRollbackForCommit(Session):
    """A COMMIT that the engine answers by rolling back is taken for one."""

    def commit(self) -> None:
        try:
            super().commit()
        except core.IntegrityError:
            self.control("ROLLBACK")


@caught_by("test_the_next_borrower_meets_nothing_of_a_failed_scope")
class LendsOpenTransactions(Session):
    """A connection comes back in a transaction, and is lent again as it is."""

    def rollback(self) -> None:
        """Leave it to whoever comes next."""

    def reset(self) -> bool:
        return True


@caught_by("test_an_error_in_a_savepoint_restores_its_parent")
class SavepointKeepsWhatFailed(Session):
    """Leaving a savepoint by an exception keeps what it did."""

    def rollback_to(self, name: str) -> None:
        self.release(name)


@caught_by("test_any_exception_undoes_the_savepoint_only")
class SavepointUndoesItsParent(Session):
    """Leaving a savepoint by an exception rolls the whole transaction back."""

    def rollback_to(self, name: str) -> None:  # noqa: ARG002 - that it does not matter is the defect
        self.control("ROLLBACK")
        self.control("BEGIN IMMEDIATE")


@caught_by("test_an_error_in_a_savepoint_restores_its_parent")
class SavepointFailsItsParent(Transaction[Any]):
    """After a failed savepoint its parent is failed, too."""

    def leave_savepoint(self, depth: int, *, failed: bool) -> None:
        failure = self._failure
        super().leave_savepoint(depth, failed=failed)
        if failure is not None:
            self._fail(failure)


@caught_by("test_an_outer_savepoint_undoes_what_an_inner_one_kept")
class InnerSavepointsCommit(Session):
    """The work of a savepoint inside another one is kept though that one is undone."""

    def savepoint(self, name: str) -> None:
        if name.endswith("_1"):
            super().savepoint(name)

    def release(self, name: str) -> None:
        if name.endswith("_1"):
            super().release(name)
        else:
            self.control("RELEASE mooring_1")
            self.control("SAVEPOINT mooring_1")
