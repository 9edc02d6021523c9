"""Undoing what a test does: its work goes into one transaction that is rolled back.

The store goes on as it is, and so do its rules; it borrows from another pool, whose
one connection has a transaction open already and sets savepoints where it would begin
and commit.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from mooring import core
from mooring.core import Capability, Lease, Pool, PoolStats, Result, Statement

_SCOPE: Final = "mooring_scope"

AnyPool = Pool[Any]


@contextmanager
def rolled_back(store: core.SqlStore) -> Iterator[None]:
    """Undo, at the end of a ``with`` block, all that is done in it with *store*.

    Everything goes through one connection, in one transaction that is never committed:
    what the block commits is a savepoint that is released, and nobody else sees it.
    Migrations and what other stores do are not undone.

    Raises:
        UnsupportedByDriver: The store has no savepoints; the block was not entered.
        NestedTransactionError: Nor where the context has an open scope of the store.
        StoreBusyError: At the end, another thread still had the connection.
    """
    if not isinstance(store, core.SqlStoreBase):
        raise core.UnsupportedByDriver(
            f"a {type(store).__name__} cannot be rolled back: it does not derive from"
            " core.SqlStoreBase",
            driver=store.driver,
            capability=Capability.SAVEPOINTS,
            hint="use the fixture store, a database of its own for each test",
        )
    store.require(Capability.SAVEPOINTS)
    store.refuse_nested()
    serializable = Capability.SERIALIZABLE in store.capabilities
    one = _OneConnection("serializable" if serializable else None)
    with store.interposed(one.before):
        yield


class _OneConnection:
    """Makes the pool of the one connection that everybody borrows meanwhile."""

    def __init__(self, isolation: str | None) -> None:
        self._isolation = isolation
        self._pool: AnyPool | None = None
        self._begun = False

    def before(self, pool: AnyPool) -> AnyPool:
        """Return the same pool for writers, which come first, and for readers."""
        if self._pool is None:
            self._from = pool
            self._pool = Pool(
                self._begin,
                _NestedSession.end,
                name="connections",
                max_open=1,
                max_idle=1,
                timeout=pool.timeout,
                busy=_busy,
            )
        return self._pool

    def _begin(self, timeout: float) -> "_NestedSession":
        if self._begun:
            raise _gone()
        lease = self._from.acquire(timeout)
        try:
            lease.connection.begin(isolation=self._isolation, read_only=False)
        except BaseException:
            self._from.release(lease, discard=not lease.connection.reset())
            raise
        self._begun = True
        return _NestedSession(self._from, lease)


class _NestedSession:
    """A connection inside a transaction, as a `Session` outside of one."""

    def __init__(self, pool: AnyPool, lease: Lease[Any]) -> None:
        self._pool = pool
        self._lease = lease
        self._session: Any = lease.connection
        self._in_scope = False
        self._read_only = False
        self._streams: list[Any] = []

    @property
    def in_transaction(self) -> bool:
        """Whether a scope is open, and the transaction around it too."""
        return self._in_scope and self._session.in_transaction

    def run(self, statement: Statement, text: str, values: Any) -> Result:
        """Execute one statement, by itself if no scope is open; see `Session`."""
        self._refuse_write(statement)
        if self._in_scope:
            return self._result(statement, text, values)
        self.begin(isolation=None, read_only=False)
        try:
            result = self._result(statement, text, values)
        except BaseException:
            self.rollback()
            raise
        self.commit()
        return result

    def stream(self, statement: Statement, text: str, values: Any, size: int) -> Any:
        """Yield the columns with *size* rows at a time; see `Session`."""
        self._refuse_write(statement)
        batches = self._session.stream(statement, text, values, size)
        self._streams.append(batches)
        return batches

    def begin(self, *, isolation: str | None, read_only: bool) -> None:  # noqa: ARG002 - the outer transaction has it
        """Set the savepoint that stands for the beginning.

        Outside of a transaction some engines would begin one, and commit it.
        """
        if not self._session.in_transaction:
            raise _gone()
        self._session.savepoint(_SCOPE)
        self._in_scope, self._read_only = True, read_only

    def commit(self) -> None:
        """Release it."""
        self._session.release(_SCOPE)
        self._in_scope = self._read_only = False

    def rollback(self) -> None:
        """Go back to it, if a scope is open."""
        was_open = self.in_transaction
        self._in_scope = self._read_only = False
        streams, self._streams = self._streams, []
        for batches in streams:
            # An engine's cursor must not outlive the savepoint that it was made behind.
            if not batches.gi_running:
                batches.close()
        if was_open:
            self._session.rollback_to(_SCOPE)

    def savepoint(self, name: str) -> None:
        """Set a savepoint."""
        self._session.savepoint(name)

    def release(self, name: str) -> None:
        """Release a savepoint, keeping its work."""
        self._session.release(name)

    def rollback_to(self, name: str) -> None:
        """Undo what came after a savepoint, and release it."""
        self._session.rollback_to(name)

    def reset(self) -> bool:
        """Undo what is left of a scope; return whether the transaction goes on."""
        try:
            self.rollback()
        except core.StoreError:
            return False
        in_transaction: bool = self._session.in_transaction
        return in_transaction

    def end(self) -> None:
        """Roll all of it back, and give the connection back."""
        self._pool.release(self._lease, discard=not self._session.reset())

    def _result(self, statement: Statement, text: str, values: Any) -> Result:
        result: Result = self._session.run(statement, text, values)
        return result

    def _refuse_write(self, statement: Statement) -> None:
        if self._read_only and statement.writes:
            raise core.ReadOnlyError(
                "a write where only reads are possible",
                hint="write in store.transaction(), or with store.execute()",
            )


def _gone() -> core.ConnectionLostError:
    return core.ConnectionLostError(
        "the transaction that is to be rolled back is over already: its connection was"
        " lost, or the engine ended it after an error",
        hint="use the fixture store, a database of its own for each test",
    )


def _busy(waited: float, _: PoolStats, holders: list[str]) -> core.MooringError:
    who = f"; {holders[0]} has it" if holders else ""
    return core.PoolTimeoutError(
        f"waited {waited:.1f} s for the one connection of a test that is rolled"
        f" back{who}",
        hint="leave every block before another thread, or another context, needs the"
        " store; or use the fixture store",
    )
