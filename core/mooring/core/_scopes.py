"""Transactions, savepoints and snapshots: the rules that hold on every driver.

Loaded by the first of them: who runs single statements only needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, cast
from weakref import ref

from mooring.core._driver import Capability
from mooring.core._open_scopes import open_scopes, refuse_nested
from mooring.core._pool import forked
from mooring.core._result import Columns, Result, Row
from mooring.core._statement import Statement
from mooring.core.errors import (
    ArgumentError,
    NestedTransactionError,
    StoreError,
    TransactionAbortedError,
)

if TYPE_CHECKING:
    from mooring.core._lease import Lease, Waiter
    from mooring.core._pool import Pool
    from mooring.core._session import Batches, Owner, SavepointSession, Session, Values

S = TypeVar("S", bound="Session")
Translate = Callable[[str], Statement]
State = Literal["new", "open", "failed", "closed", "orphaned"]

Isolation = Literal["serializable"] | None


class RunAgain(Exception):  # noqa: N818 - nobody ever sees it: `run` begins again
    """What a transaction did is lost, by no fault of its own.

    Attributes:
        place: Where it stands in the pool's queue, to run again.
    """

    def __init__(self, place: Waiter[Any] | None) -> None:
        super().__init__()
        self.place = place


class Scope(Generic[S]):
    """A connection borrowed for the length of a ``with`` block."""

    kind = "scope"
    # Whether leaving it after a failure loses what somebody may believe to be kept.
    loses_work = True
    __slots__ = (
        "__weakref__",
        "_failure",
        "_lease",
        "_loan",
        "_pool",
        "_session",
        "_state",
        "_store",
        "_translate",
    )

    def __init__(self, store: Owner, translate: Translate, pool: Pool[S]) -> None:
        self._store = store
        self._translate = translate
        self._pool = pool
        self._state: State = "new"
        self._failure: BaseException | None = None

    def belongs_to(self, store: object) -> bool:
        """Return whether this is an open scope of *store*."""
        return self._store is store and self.is_open

    @property
    def is_open(self) -> bool:
        """Whether its block was entered and not left."""
        return self._state in ("open", "failed")

    def __enter__(self) -> Self:
        if self._state != "new":
            raise NestedTransactionError(
                f"this {self.kind} was entered before",
                hint="make a new one for each with block",
            )
        scopes = open_scopes.get()
        if scopes:
            refuse_nested(self._store)
        self._lease: Lease[S] = self._borrow()
        self._loan = self._lease.loan
        try:
            noted: ref[Any] = ref(self)
            self._lease.borrower = noted
            self._session: S = self._lease.connection
            self._begin()
            if scopes:
                scopes = tuple(
                    other
                    for other in scopes
                    if (scope := other()) is not None and scope.is_open
                )
            open_scopes.set((*scopes, noted))
            self._state = "open"
        except BaseException:
            self._give_back(fit=self._clear())
            del self._lease
            raise
        return self

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Result:
        """Execute one statement of this scope and fetch all of its rows."""
        if self._state != "open":
            self._refuse()
        try:
            statement = self._translate(sql)
            text, values = statement.bind(params)
            return self._session.run(statement, text, values)
        except BaseException as error:
            self._fail(error)
            raise

    def execute_bound(self, statement: Statement, text: str, values: Values) -> Result:
        """Execute the first statement of this scope, translated and bound before."""
        try:
            return self._session.run(statement, text, values)
        except BaseException as error:
            self._fail(error)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._state == "closed":
            return
        if self._state == "orphaned":
            self._forget()
            if kind is None:
                self._refuse()
            return
        fit = False
        try:
            self._end(failed=kind is not None)
            fit = True
        finally:
            failure, self._failure = self._failure, None
            self._state = "closed"
            try:
                self._forget()
                self._give_back(fit=fit or self._clear())
            except BaseException:  # a signal's: it is given back all the same
                self._forget()
                if self._lease.loan == self._loan:
                    self._give_back(fit=fit or self._clear())
                raise
            finally:
                # The next borrower's, so that it is gone if that one drops it.
                del self._lease
        if failure is not None and kind is None and self.loses_work:
            raise aborted(failure) from failure

    def _borrow(self) -> Lease[S]:
        return self._pool.acquire()

    def _begin(self) -> None:
        raise NotImplementedError  # each kind of scope says how

    def _clear(self) -> bool:
        """Undo what is left over; return whether the connection is fit for use."""
        return self._lease.connection.reset()

    def _end(self, *, failed: bool) -> None:
        raise NotImplementedError  # each kind of scope says how

    def orphan(self) -> None:
        """Leave the connection to the parent: this is a forked child."""
        if self._state != "closed":
            self._state = "orphaned"

    def _fail(self, error: BaseException) -> None:
        if self._state == "open":
            self._state = "failed"
            self._failure = error

    def _refuse(self) -> None:
        if self._state == "failed" and self._failure is not None:
            raise aborted(self._failure) from self._failure
        if self._state == "orphaned":
            raise forked()
        raise StoreError(
            f"this {self.kind} is not open",
            hint=f"use it inside its with block: with store... as {self.kind}:",
        )

    def _forget(self) -> None:
        scopes = open_scopes.get()
        if len(scopes) == 1 and scopes[0]() is self:  # as nearly always
            open_scopes.set(())
        elif scopes:
            open_scopes.set(tuple(other for other in scopes if other() is not self))

    def _give_back(self, *, fit: bool) -> None:
        self._lease.borrower = None
        self._pool.release(self._lease, discard=not fit)


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


class Snapshot(Scope[S]):
    """One consistent state to read, from its first statement on.

    A write raises `ReadOnlyError`. After an error it is failed like a transaction,
    but may be left quietly: there is nothing to lose.
    """

    kind = "snapshot"
    loses_work = False
    __slots__ = ("_streams",)

    _streams: list[Batches] | None

    def stream(
        self,
        sql: str,
        params: Mapping[str, object] | None = None,
        *,
        size: int = 1000,
    ) -> Iterator[Row]:
        """Yield the rows of a query, fetching *size* (>= 1) of them at a time.

        Memory holds *size* rows, however many there are. The rows end with the block:
        going on after it raises StoreError.
        """
        if self._state != "open":
            self._refuse()
        if type(size) is not int or size < 1:
            raise ArgumentError(f"size must be an int >= 1, not {size!r}")
        try:
            statement = self._translate(sql)
            text, values = statement.bind(params)
        except BaseException as error:
            self._fail(error)
            raise
        batches = self._session.stream(statement, text, values, size)
        if self._streams is None:
            self._streams = []
        self._streams.append(batches)
        return self._rows(batches)

    def _rows(self, batches: Batches) -> Iterator[Row]:
        try:
            while True:
                if self._state != "open":
                    self._refuse()
                batch = next(batches, None)
                if batch is None:
                    return
                columns = Columns(batch[0])
                for values in batch[1]:
                    yield Row(values, columns)
                    # Rows that end early and quietly would be taken for all.
                    if self._state != "open":
                        self._refuse()
        except GeneratorExit:
            raise
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            if self._state != "orphaned":
                batches.close()

    def _begin(self) -> None:
        self._streams = None  # the list is made for the first
        self._session.begin(isolation=None, read_only=True)

    def _end(self, *, failed: bool) -> None:  # noqa: ARG002 - it ends the same way
        streams, self._streams = self._streams, None
        for batches in streams or ():
            # Closing frees the engine's cursor; a thread that is in the middle of
            # one keeps it, and meets the closed scope at its next row.
            if not getattr(batches, "gi_running", False):
                batches.close()
        self._session.rollback()


def aborted(failure: BaseException) -> TransactionAbortedError:
    """Return the error for going on in a scope that failed before."""
    why = str(failure).partition("\n")[0] or type(failure).__name__
    return TransactionAbortedError(
        f"an earlier statement of this scope failed ({why}); nothing of it is kept",
        hint="let the error leave the block, or put what may fail into tx.savepoint()",
    )
