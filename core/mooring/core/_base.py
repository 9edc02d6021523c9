"""What `Store` and `SqlStore` ask for, once for all drivers."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from mooring.core._config import StoreConfig
from mooring.core._driver import Capability
from mooring.core._imports import first_use, import_safely
from mooring.core._open_scopes import open_scope, open_scopes, refuse_nested
from mooring.core._pool import Pool, closed, forked
from mooring.core._result import Result
from mooring.core._statement import Statement
from mooring.core.errors import (
    ArgumentError,
    NestedTransactionError,
    ReadOnlyError,
    SerializationError,
    TransactionAbortedError,
    UnsupportedByDriver,
)

if TYPE_CHECKING:
    from mooring.core._converter import RowConverter
    from mooring.core._group import GroupedTransaction
    from mooring.core._session import Session, Values
    from mooring.core._snapshot import Snapshot
    from mooring.core._transaction import Isolation, RunAgain, Transaction

# How often work is begun that meets conflicts with other transactions: for some two
# seconds, with the pauses between.
_ATTEMPTS: Final = 10
# What to do instead, for whoever asks for what a store has not.
_INSTEAD: Final = {
    Capability.SAVEPOINTS: "put what may fail into a transaction of its own",
    Capability.SERIALIZABLE: "use store.transaction(), and run the block again on a"
    " SerializationError; it may not see what others write meanwhile",
}

S = TypeVar("S", bound="Session")
T = TypeVar("T")


class StoreBase:
    """The rules of `Store`: it names itself, is closed, and warns if it was not.

    A driver's store subclasses it, begins each of its uses with `require_open`, and
    adds to `close` what there is to close.

    Args:
        config: The driver's configuration instance.
        capabilities: What this open store has.
        target: What was opened, for messages and logs; never a secret.
    """

    def __init__(
        self,
        config: StoreConfig,
        *,
        target: str,
        capabilities: frozenset[Capability] = frozenset(),
    ) -> None:
        self.config = config
        self.driver = config.driver
        self.capabilities = capabilities
        self.target = target
        self._pid = os.getpid()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def inherited(self) -> bool:
        """Whether this process is a forked child of the one that opened it."""
        return self._pid != os.getpid()

    def require_open(self) -> None:
        """Raise StoreClosedError if it is closed, or belongs to the parent process."""
        if self.inherited:
            raise forked()
        if self._closed:
            raise closed()

    def require(self, capability: Capability) -> None:
        """Raise UnsupportedByDriver unless this store has *capability*."""
        if capability not in self.capabilities:
            raise UnsupportedByDriver(
                f"the {self.driver} store {self.target} does not have the capability"
                f" {capability}",
                driver=self.driver,
                capability=capability,
                hint=_INSTEAD.get(capability, "open a store of a driver that has it"),
            )

    def close(self) -> None:
        """Close the store; see `Store`."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        # An instance whose __init__ failed has no _closed.
        if not getattr(self, "_closed", True) and not self.inherited:
            _warn(f"{self!r} was not closed", ResourceWarning, source=self)

    def __repr__(self) -> str:
        words = ("<Store", self.driver, self.target, *self._words())
        return " ".join(filter(None, words)) + ">"

    def _words(self) -> tuple[str, ...]:
        return ("closed" if self._closed else self._state(),)

    def _state(self) -> str:
        """Return how it is while it is open, in a few words; a driver may say more."""
        return ""


class SqlStoreBase(StoreBase, Generic[S]):
    """The rules of `SqlStore` over a driver's `Session` and two pools.

    A driver's store subclasses it and adds the migration side (`Migratable`).

    Attributes:
        group_commit: Which transactions may share their COMMIT with others that wait
            for the same connection: none (``"off"``), those that may run again
            (``"closures"``), or ``"all"``. A driver whose sessions have ``may_share``
            sets it; it is for engines where one connection writes.

    Args:
        config: The driver's configuration instance.
        capabilities: What this open store has.
        target: What was opened, for messages and logs; never a secret.
        translate: The driver's cached translator of SQL texts.
        writers: The pool of connections that may write.
        readers: The pool of connections for single reads and snapshots; the same
            object as *writers* where there is only one kind.
    """

    group_commit: str = "off"

    # Who runs single statements only needs none of them.
    _transaction_class: type[Transaction[S]] = first_use(
        "mooring.core._transaction", "Transaction"
    )
    _snapshot_class: type[Snapshot[S]] = first_use("mooring.core._snapshot", "Snapshot")
    _run_again: type[RunAgain] = first_use("mooring.core._transaction", "RunAgain")
    _grouped_class: type[GroupedTransaction[Any]] = first_use(
        "mooring.core._group", "GroupedTransaction"
    )

    def __init__(
        self,
        config: StoreConfig,
        *,
        capabilities: frozenset[Capability],
        target: str,
        translate: Callable[[str], Statement],
        writers: Pool[S],
        readers: Pool[S],
    ) -> None:
        super().__init__(config, capabilities=capabilities, target=target)
        self.translate = translate
        self._writers = writers
        self._readers = readers
        # What users borrow from; the two above are the driver's, for its own work.
        self._to_write = writers
        self._to_read = readers
        self._schema: dict[str, tuple[int, int, int]] = {}

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> Result:
        """Execute one statement in a transaction of its own; see `SqlStore`."""
        statement = self.translate(sql)
        if open_scopes.get():
            refuse_nested(self)
        text, values = statement.bind(params)
        attempt = 1
        while True:
            try:
                return self._execute(statement, text, values)
            except SerializationError:
                # The statement is all of the work.
                if not statement.repeatable or attempt == _ATTEMPTS:
                    raise
            _pause(attempt)
            attempt += 1

    def _execute(self, statement: Statement, text: str, values: Values) -> Result:
        if not statement.writes:
            pool = self._to_read
            lease = pool.acquire()
            loan = lease.loan
            try:
                result = lease.connection.run(statement, text, values)
                pool.release(lease)
            except BaseException as error:
                if lease.loan == loan:
                    pool.release(lease, discard=not lease.connection.reset())
                if pool is self._to_write or not isinstance(error, ReadOnlyError):
                    raise
                # Refused before it did anything: the text writes, and is known to
                # from now on.
                statement.writes = True
            else:
                return result
        pool = self._to_write
        if pool.is_busy and statement.changes_rows and self._groups(may_run_again=True):
            # It has to wait, so it may as well share its COMMIT.
            return self._execute_shared(statement, text, values)
        lease = pool.acquire()
        loan = lease.loan
        try:
            result = lease.connection.run(statement, text, values)
            pool.release(lease)
        except BaseException:
            if lease.loan == loan:
                pool.release(lease, discard=not lease.connection.reset())
            raise
        return result

    def _execute_shared(
        self, statement: Statement, text: str, values: Values
    ) -> Result:
        # Apart: what a function inside refers to makes each call slower.
        return self.run(lambda tx: tx.execute_bound(statement, text, values))

    def transaction(
        self, *, isolation: Isolation = None, alone: bool = False
    ) -> Transaction[S]:
        """Return a read-write transaction as a ``with`` block; see `SqlStore`."""
        if not alone and self._groups(may_run_again=False):
            return self._grouped(isolation, may_run_again=False)
        return self._transaction_class(self, self.translate, self._to_write, isolation)

    def _groups(self, *, may_run_again: bool) -> bool:
        """Return whether a transaction may share its COMMIT with others."""
        mode = self.group_commit
        if mode == "off" or (mode == "closures" and not may_run_again):
            return False
        # What stands between must see each transaction by itself.
        return self._to_write is self._writers

    def _grouped(self, isolation: Isolation, *, may_run_again: bool) -> Transaction[S]:
        # The sessions of a driver that turns group_commit on are such.
        pool: Pool[Any] = self._to_write
        return self._grouped_class(self, self.translate, pool, isolation, may_run_again)

    def read(self) -> Snapshot[S]:
        """Return a consistent snapshot as a ``with`` block; see `SqlStore`."""
        return self._snapshot_class(self, self.translate, self._to_read)

    def run(
        self,
        fn: Callable[[Transaction[S]], T],
        *,
        attempts: int = _ATTEMPTS,
        alone: bool = False,
    ) -> T:
        """Run *fn* serializably, and again on conflicts; see `SqlStore`."""
        if type(attempts) is not int or attempts < 1:
            raise ArgumentError(f"attempts must be an int >= 1, not {attempts!r}")
        if not alone and self._groups(may_run_again=True):
            scope = self._grouped("serializable", may_run_again=True)
        else:
            scope = self.transaction(isolation="serializable", alone=True)
        attempt = 1
        place = None
        try:
            while True:
                try:
                    with scope as tx:
                        return fn(tx)
                except self._run_again as lost:
                    # As if it had not begun, but for its place in the queue.
                    place = lost.place
                except (SerializationError, TransactionAbortedError) as error:
                    conflict = isinstance(error, SerializationError) or isinstance(
                        error.__cause__, SerializationError
                    )
                    if not conflict or attempt == attempts:
                        raise
                    place = None
                if place is None:
                    _pause(attempt)
                    attempt += 1
                scope = self.transaction(isolation="serializable", alone=True)
                scope.place = place
        except BaseException:
            if place is not None:
                self._to_write.leave(place)
            raise

    @property
    def converter(self) -> RowConverter:
        """The cattrs converter that reads rows into classes; one per driver."""
        return row_converter(self.driver)

    def _read_rows(
        self, rows: Sequence[tuple[Any, ...]], names: Sequence[str], cls: type[Any]
    ) -> list[Any]:
        return row_converter(self.driver).read_all(rows, names, cls)

    def connect(self, timeout: float | None = None) -> None:
        """Open one connection now, so that a wrong configuration shows at once.

        Args:
            timeout: Seconds that it may take, > 0; ``connect_timeout`` by default.
        """
        if timeout is None:
            timeout = self.config.connect_timeout
        self._writers.release(self._writers.acquire(timeout))

    def note_schema(
        self, table: str, *, version: int, applied: int, known: int
    ) -> None:
        """Remember how far a version table is; a migrator says so."""
        self._schema[table] = version, applied, known

    @property
    def schema_versions(self) -> Mapping[str, tuple[int, int, int]]:
        """By version table, as a migrator saw it last: newest version, applied, known.

        Empty where nobody looked.
        """
        return dict(self._schema)

    def interpose(self, make: Callable[[Pool[Any]], Pool[Any]]) -> None:
        """Put other pools between the store and its users, until it is closed.

        For tests that disturb or undo what a store does: scopes and single statements
        borrow from them, under the same rules. The driver's own work, migrations and
        health checks, does not.

        Args:
            make: Called with the pool of writers and, where it is another one, with
                that of readers; returns what stands before it.
        """
        writers = make(self._to_write)
        shared = self._to_read is self._to_write
        self._to_read = writers if shared else make(self._to_read)
        self._to_write = writers

    @contextmanager
    def interposed(self, make: Callable[[Pool[Any]], Pool[Any]]) -> Iterator[None]:
        """Interpose pools for a ``with`` block; blocks may stand inside each other.

        Raises:
            StoreBusyError: At the end, a connection was still lent after
                ``close_timeout``. The pools are gone nevertheless.
        """
        before = self._to_read, self._to_write
        self.interpose(make)
        between = self._to_read, self._to_write
        try:
            yield
        finally:
            self._to_read, self._to_write = before
            _close_all(between, self.config.close_timeout)

    def refuse_nested(self) -> None:
        """Raise NestedTransactionError if this context has an open scope of it."""
        refuse_nested(self)

    def close(self) -> None:
        """Close the store; see `Store`."""
        scope = open_scope(self)
        if scope is not None:
            raise NestedTransactionError(
                f"close() inside an open {scope.kind} of the store",
                hint="leave the block first",
            )
        self._closed = True
        # Those between first, as they borrow from the others; the writers last, since
        # the last one to go may still have to tidy up.
        _close_all(
            [self._to_read, self._to_write, self._readers, self._writers],
            self.config.close_timeout,
        )

    def _words(self) -> tuple[str, ...]:
        schema = (f"v{v} ({a}/{k})" for v, a, k in self._schema.values())
        return (*schema, *super()._words())

    def _state(self) -> str:
        """Return the pools' figures in words; a driver may say more."""
        stats = self._writers.stats
        return f"{stats.lent}/{stats.max_open} connections"


def _close_all(pools: Iterable[Pool[Any]], timeout: float) -> None:
    """Close pools in this order, each once, whatever becomes of the others."""
    with ExitStack() as stack:
        for pool in reversed(dict.fromkeys(pools)):
            stack.callback(pool.close, timeout)


_converters: dict[str, RowConverter] = {}


def row_converter(driver: str) -> RowConverter:
    """Return the one converter of a driver; cattrs is imported at the first."""
    converter = _converters.get(driver)
    if converter is None:
        import_safely("mooring.core._converter")
        from mooring.core._converter import RowConverter

        converter = _converters.setdefault(driver, RowConverter())
    return converter


def _pause(attempt: int) -> None:
    """Sleep before the next attempt: longer each time, and never in step."""
    import_safely("random")
    from random import uniform
    from time import sleep

    sleep(uniform(0.5, 1.0) * min(0.005 * 2**attempt, 0.5))  # noqa: S311 - no secret
