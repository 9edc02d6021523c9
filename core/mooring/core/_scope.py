"""A connection borrowed for a ``with`` block: the rules that hold on every driver.

Loaded by the first of them: who runs single statements only needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar
from weakref import ref

from mooring.core._open_scopes import open_scopes, refuse_nested
from mooring.core._pool import forked
from mooring.core._result import Result
from mooring.core._statement import Statement
from mooring.core.errors import (
    NestedTransactionError,
    StoreError,
    TransactionAbortedError,
)

if TYPE_CHECKING:
    from mooring.core._lease import Lease
    from mooring.core._pool import Pool
    from mooring.core._session import Owner, Session, Values

S = TypeVar("S", bound="Session")
Translate = Callable[[str], Statement]
State = Literal["new", "open", "failed", "closed", "orphaned"]


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


def aborted(failure: BaseException) -> TransactionAbortedError:
    """Return the error for going on in a scope that failed before."""
    why = str(failure).partition("\n")[0] or type(failure).__name__
    return TransactionAbortedError(
        f"an earlier statement of this scope failed ({why}); nothing of it is kept",
        hint="let the error leave the block, or put what may fail into tx.savepoint()",
    )
