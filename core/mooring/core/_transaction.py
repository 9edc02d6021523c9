"""Transactions and their savepoints."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from mooring.core._driver import Capability
from mooring.core._scope import Scope, aborted
from mooring.core.errors import ArgumentError, StoreError

if TYPE_CHECKING:
    from mooring.core._lease import Lease, Waiter
    from mooring.core._pool import Pool
    from mooring.core._scope import Translate
    from mooring.core._session import Owner, SavepointSession, Session

S = TypeVar("S", bound="Session")

Isolation = Literal["serializable"] | None


class RunAgain(Exception):  # noqa: N818 - nobody ever sees it: `run` begins again
    """What a transaction did is lost, by no fault of its own.

    Attributes:
        place: Where it stands in the pool's queue, to run again.
    """

    def __init__(self, place: Waiter[Any] | None) -> None:
        super().__init__()
        self.place = place


class Transaction(Scope[S]):
    """A read-write transaction: commits on exit, rolls back on any exception.

    After an error of a statement it is failed: a further statement raises
    `TransactionAbortedError`, and so does leaving the block without an exception.

    Attributes:
        place: Its place in the pool's queue, where it has one already.
    """

    kind = "transaction"
    __slots__ = ("_depth", "_isolation", "place")

    def __init__(
        self,
        store: Owner,
        translate: Translate,
        pool: Pool[S],
        isolation: Isolation,
    ) -> None:
        if isolation not in (None, "serializable"):
            raise ArgumentError(
                f"isolation must be None or 'serializable', not {isolation!r}"
            )
        if isolation is not None:
            store.require(Capability.SERIALIZABLE)
        super().__init__(store, translate, pool)
        self._isolation = isolation
        self.place: Waiter[S] | None = None
        self._depth = 0

    def savepoint(self) -> Savepoint[S]:
        """Return a savepoint: a ``with`` block that can fail by itself.

        Leaving it by an exception undoes what it did and leaves the transaction as it
        was before; without one, its work stays part of the transaction.

        Raises:
            UnsupportedByDriver: The store has no savepoints; the transaction goes on.
        """
        self._store.require(Capability.SAVEPOINTS)
        return Savepoint(self)

    def _borrow(self) -> Lease[S]:
        if self.place is not None:
            return self._pool.take(self.place)
        return self._pool.acquire()

    def _begin(self) -> None:
        self._session.begin(isolation=self._isolation, read_only=False)

    def _end(self, *, failed: bool) -> None:
        if self._depth and not failed:
            failed = True
            self._fail(StoreError("the block was left with a savepoint still open"))
        if failed or self._state == "failed":
            self._session.rollback()
        else:
            self._commit()

    def _commit(self) -> None:
        commit(self._session)

    @property
    def _savepoints(self) -> SavepointSession:
        # A store with the capability has such sessions.
        return cast("SavepointSession", self._session)

    def enter_savepoint(self) -> int:
        """Set the next savepoint and return its depth; `Savepoint` calls it."""
        if self._state != "open":
            self._refuse()
        self._depth += 1
        try:
            self._savepoints.savepoint(f"mooring_{self._depth}")
        except BaseException as error:
            self._depth -= 1
            self._fail(error)
            raise
        return self._depth

    def leave_savepoint(self, depth: int, *, failed: bool) -> None:
        """End the savepoint at *depth*; `Savepoint` calls it."""
        if self._state in ("closed", "orphaned"):
            return  # its transaction is over, and says what there is to say
        if depth != self._depth:
            self._fail(StoreError("savepoints were left out of order"))
            return
        self._depth -= 1
        failure = self._failure
        if not self._session.in_transaction:
            # The engine rolled the whole transaction back: nothing to go on with.
            self._fail(failure or StoreError("the engine rolled back"))
            return
        try:
            if failed or failure is not None:
                self._savepoints.rollback_to(f"mooring_{depth}")
                self._state, self._failure = "open", None
            else:
                self._savepoints.release(f"mooring_{depth}")
        except BaseException as error:
            self._fail(error)
            raise
        if failure is not None and not failed:
            raise aborted(failure) from failure


def commit(session: Session) -> None:
    """Commit, or leave no transaction open."""
    try:
        session.commit()
    except StoreError:
        session.rollback()
        raise


class Savepoint(Generic[S]):
    """A part of a transaction that can fail by itself; see `Transaction.savepoint`."""

    __slots__ = ("_depth", "_transaction")

    def __init__(self, transaction: Transaction[S]) -> None:
        self._transaction = transaction
        self._depth = 0

    def __enter__(self) -> Transaction[S]:
        self._depth = self._transaction.enter_savepoint()
        return self._transaction

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._transaction.leave_savepoint(self._depth, failed=kind is not None)
