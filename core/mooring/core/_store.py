"""The protocols of an opened store: what applications may rely on, on every driver."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeVar, runtime_checkable

from mooring.core._config import StoreConfig
from mooring.core._driver import Capability
from mooring.core._result import Result, Row

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")
Params = Mapping[str, object]


@runtime_checkable
class Store(Protocol):
    """An opened store. Thread-safe; not usable in a forked child."""

    @property
    def config(self) -> StoreConfig:
        """The driver's configuration instance that it was opened with."""
        ...

    @property
    def driver(self) -> str:
        """Name of its driver."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What this open store has, at most what its driver declares."""
        ...

    def close(self) -> None:
        """Close the store; closing it again does nothing.

        It waits ``close_timeout`` for connections that are lent.

        Raises:
            StoreBusyError: Some were not given back in time: it says which threads
                have them. The store is closed, and they close as they come back.
            NestedTransactionError: Called inside an open scope of the store; it
                stays open.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Connection(Protocol):
    """What runs statements inside a ``with`` block; for one thread at a time."""

    def execute(self, sql: str, params: Params | None = None) -> Result:
        """Execute one statement and fetch all of its rows.

        Args:
            sql: One statement with ``:name`` placeholders.
            params: A value for each name, no more and no less: None, bool, int (64
                bit), float (not NaN), str (no NUL), bytes, an aware datetime,
                `Json`, or `In`.

        Raises:
            TransactionAbortedError: An earlier statement of the scope failed.
            StatementNotAllowedError: A control statement, or several statements.
            ParameterError: Placeholders and values do not fit.
            IntegrityError: A constraint refused it.
            StatementTimeoutError: It ran longer than ``statement_timeout``.
            StoreError: It failed otherwise. After any error the scope is failed.
        """
        ...


class Transaction(Connection, Protocol):
    """A read-write transaction."""

    def savepoint(self) -> AbstractContextManager["Transaction"]:
        """Return a savepoint: a ``with`` block that can fail by itself.

        Leaving it by an exception undoes what it did and leaves the transaction as it
        was before; without one, its work stays part of the transaction. Savepoints
        may stand inside each other.

        Raises:
            UnsupportedByDriver: The store lacks the capability ``savepoints``; the
                transaction goes on.
        """
        ...


class Autocommit(Connection, Protocol):
    """A connection on which each statement stands alone.

    What a migration in Python is given that runs without a transaction of its own.
    """

    def transaction(
        self, *, isolation: Literal["serializable"] | None = None
    ) -> AbstractContextManager[Transaction]:
        """Return a read-write transaction as a ``with`` block; see `SqlStore`."""
        ...


class Snapshot(Connection, Protocol):
    """One consistent state to read, from its first statement on."""

    def stream(
        self, sql: str, params: Params | None = None, *, size: int = 1000
    ) -> Iterator[Row]:
        """Yield the rows of a query, fetching *size* (>= 1) of them at a time.

        They end with the block: going on after it raises StoreError.
        """
        ...


@runtime_checkable
class SqlStore(Store, Protocol):
    """An opened store that speaks SQL; the same on every driver.

    A context (PEP 567: a thread, an asyncio task) holds at most one open scope of a
    store. A second one, or `execute` beside it, raises `NestedTransactionError`.
    """

    @property
    def converter(self) -> "Converter":
        """The cattrs converter that reads rows into classes; one per driver."""
        ...

    def execute(self, sql: str, params: Params | None = None) -> Result:
        """Execute one statement, in a transaction of its own; see `Connection`.

        On a conflict with another transaction it is run again, as in `run`, if it reads
        or changes rows; others may have kept a part.

        Raises:
            SerializationError: Each attempt met a conflict; nothing is kept.
            OutcomeUnknownError: The connection broke during a single write.
            NestedTransactionError: The context has an open scope of this store.
            StoreBusyError: The lock to write was not free in time.
            PoolTimeoutError: No connection was free in time.
            StoreClosedError: The store is closed.
        """
        ...

    def transaction(
        self,
        *,
        isolation: Literal["serializable"] | None = None,
        alone: bool = False,
    ) -> AbstractContextManager[Transaction]:
        """Return a read-write transaction as a ``with`` block.

        It commits on exit and rolls back on any exception. After an error of a
        statement it is failed: leaving the block without an exception then rolls back
        and raises `TransactionAbortedError`.

        Args:
            isolation: None is the engine's default; ``"serializable"`` means the same
                on every store that has the capability.
            alone: Share the COMMIT with no other transaction, where the store would
                do so. For what takes long, and for changes of the schema.

        Raises:
            UnsupportedByDriver: ``"serializable"``, and the store lacks that
                capability; nothing was begun.
            OutcomeUnknownError: The connection broke while committing.
            SerializationError: Conflict with another transaction, at a statement or
                while committing, or it shared its COMMIT with one that was rolled
                back; nothing is kept. See `run`.
        """
        ...

    def read(self) -> AbstractContextManager[Snapshot]:
        """Return a consistent snapshot as a ``with`` block.

        It begins with its first statement; a write in it raises `ReadOnlyError`.
        """
        ...

    def run(
        self,
        fn: Callable[[Transaction], T],
        *,
        attempts: int = 10,
        alone: bool = False,
    ) -> T:
        """Return ``fn(tx)``, run in a serializable transaction that is committed.

        On a conflict with another transaction *fn* runs again, in the same thread and
        context, after a short pause: it must have no effects outside, and not wait for
        other transactions. If it shared its COMMIT with one that was rolled back, it
        runs again at once, alone.

        Args:
            fn: Called with the transaction.
            attempts: Most runs that meet a conflict, >= 1.
            alone: Share the COMMIT with no other transaction; see `transaction`.

        Raises:
            UnsupportedByDriver: The store lacks the capability ``serializable``;
                *fn* was not called.
            SerializationError: Each attempt met a conflict; nothing is kept.
            OutcomeUnknownError: The connection broke while committing; never retried.
        """
        ...
