"""What a migration in Python runs its statements on: the rules of a store, in a unit.

The scopes are those of every store, so that their rules are the same; they borrow the
one connection of the unit, whose transaction the unit itself begins and ends.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from math import inf
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    NoReturn,
    Protocol,
    runtime_checkable,
)

from mooring.core._dialect import TRANSACTION
from mooring.core._lease import Lease
from mooring.core._migration_session import MigrationUnit
from mooring.core._open_scopes import refuse_nested
from mooring.core._result import Result
from mooring.core._scope import Scope
from mooring.core._transaction import Isolation, Transaction
from mooring.core.errors import StatementNotAllowedError

if TYPE_CHECKING:
    from mooring.core._base import SqlStoreBase
    from mooring.core._driver import Capability
    from mooring.core._session import Session

_NOT_HERE: Final = (
    "remove it: all of the function is kept or undone with the note of its version; or"
    " write `transaction = False` into the file"
)
_STANDS_ALONE: Final = (
    "remove it: each statement stands alone; `with tx.transaction() as block:` keeps"
    " several together"
)


@runtime_checkable
class LendsConnection(Protocol):
    """What a `MigrationSession` has, too, where migrations in Python can run.

    Their store derives from `SqlStoreBase`, whose rules hold for their statements.
    Other engines refuse such files with `UnsupportedByDriver` before any file runs.
    """

    def lend(self, unit: MigrationUnit) -> AbstractContextManager["Session"]:
        """Return a ``with`` block that has the connection, to run statements in *unit*.

        They count as those that the unit executes: its checks, and the bounds of
        `LimitsStatements`, hold for them. In a unit of one transaction nobody calls
        ``begin``, ``commit`` or ``rollback``; without, each is one of its own.
        """
        ...


def unit_scope(
    store: "SqlStoreBase[Any]",
    session: "Session",
    *,
    transaction: bool,
    kept: Callable[[], None],
) -> AbstractContextManager[Any]:
    """Return a ``with`` block that gives a migration what it runs its statements on.

    The context has it as its one scope of *store*; nothing in it ends the unit.

    Args:
        store: The store that is migrated.
        session: The connection of the unit that is open.
        transaction: Whether the unit is a transaction: then it is a `Transaction`,
            otherwise an `Autocommit`.
        kept: Called when something stays, whatever becomes of the rest; never in a
            transaction.
    """
    if transaction:
        one: Any = _One(_Borrowed(session))
        return _UnitTransaction(store, store.translate, one, None)
    return _Autocommit(store, store.translate, _One(session), kept)


class _One:
    """The pool of one connection, which is lent already."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def acquire(self) -> Lease[Any]:
        """Lend it."""
        return Lease(self.session, 0.0, inf)

    def release(self, lease: Lease[Any], *, discard: bool) -> None:
        """Leave it to the unit, which says if it is fit for more."""


class _Borrowed:
    """A connection in a transaction that somebody else begins and ends."""

    def __init__(self, session: "Session") -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def begin(self, **_: object) -> None:
        """It is begun."""

    def commit(self) -> None:
        """The unit commits, with the note of the version."""

    def rollback(self) -> None:
        """The unit rolls back: the error leaves it."""

    def reset(self) -> bool:
        """Leave that to the unit."""
        return True


class _UnitTransaction(Transaction[Any]):
    """The transaction of a unit: it says so to whoever wants to end it."""

    kind = "migration"
    __slots__ = ()

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Result:
        """Execute one statement; see `Connection`."""
        try:
            return super().execute(sql, params)
        except StatementNotAllowedError as error:
            if error.hint == TRANSACTION:
                error.hint = _NOT_HERE
            raise

    def commit(self) -> NoReturn:
        """Refuse: what others call on a connection."""
        self._refuse_end("commit")

    def rollback(self) -> NoReturn:
        """Refuse: what others call on a connection."""
        self._refuse_end("rollback")

    def _refuse_end(self, name: str) -> NoReturn:
        error = StatementNotAllowedError(
            f"{name}() in a migration that runs in one transaction", hint=_NOT_HERE
        )
        self._fail(error)
        raise error


class _Autocommit(Scope[Any]):
    """A unit without a transaction: a failed statement leaves the next one alone."""

    kind = "migration"
    loses_work = False
    __slots__ = ("_kept",)

    def __init__(
        self,
        store: "SqlStoreBase[Any]",
        translate: Any,
        pool: Any,
        kept: Callable[[], None],
    ) -> None:
        super().__init__(store, translate, pool)
        self._kept = kept

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Result:
        """Execute one statement; see `Connection`."""
        refuse_nested(self)
        try:
            result = super().execute(sql, params)
        except StatementNotAllowedError as error:
            if error.hint == TRANSACTION:
                error.hint = _STANDS_ALONE
            raise
        self._kept()
        return result

    def transaction(self, *, isolation: Isolation = None) -> Transaction[Any]:
        """Return a transaction as a ``with`` block; see `SqlStore`."""
        return _Block(self, self._translate, self._pool, isolation, self._kept)

    def require(self, capability: "Capability") -> None:
        """Raise UnsupportedByDriver unless the store has *capability*."""
        self._store.require(capability)

    def commit(self) -> NoReturn:
        """Refuse: what others call on a connection."""
        raise StatementNotAllowedError(
            "commit() in a migration without a transaction", hint=_STANDS_ALONE
        )

    rollback = commit

    def _begin(self) -> None:
        """Nothing begins."""

    def _end(self, *, failed: bool) -> None:
        """Nothing ends."""

    def _fail(self, error: BaseException) -> None:
        """Go on: what ran before stays."""


class _Block(Transaction[Any]):
    """A transaction inside a unit without one; it stays when it is committed."""

    __slots__ = ("_kept",)

    def __init__(
        self,
        owner: _Autocommit,
        translate: Any,
        pool: Any,
        isolation: Isolation,
        kept: Callable[[], None],
    ) -> None:
        super().__init__(owner, translate, pool, isolation)
        self._kept = kept

    def _end(self, *, failed: bool) -> None:
        super()._end(failed=failed)
        if not failed and self._state == "open":
            self._kept()
