"""A connection on which operations fail, as the engine's own errors would come."""

from collections.abc import Generator
from typing import Any, Final, NoReturn, Protocol

from mooring import core
from mooring.core import Lease, Pool, Result, Statement
from mooring.testing._faults import Draw, ErrorClass, Kind, Operation

AnyPool = Pool[Any]

# As many as there are threads: the pool behind it has the limit.
_NO_LIMIT: Final = 1_000_000
_LOST: Final = core.ConnectionLostError
_READS: Final = frozenset({"SELECT", "VALUES", "TABLE", "EXPLAIN"})


class Injector(Protocol):
    """What a session asks before and after it does something."""

    def meet(self, operation: Operation) -> Draw:
        """Return what the operation meets; a delay is over then."""
        ...

    def fail(
        self, draw: Draw, operation: Operation, kind: Kind, error: ErrorClass
    ) -> NoReturn:
        """Note the fault, and raise it."""
        ...


def faulty_pool(pool: AnyPool, injector: Injector) -> AnyPool:
    """Return a pool that lends what *pool* lends, with faults."""

    def borrow(timeout: float) -> FaultySession:
        return FaultySession(pool, pool.acquire(timeout), injector)

    return Pool(
        borrow,
        FaultySession.give_back,
        name=pool.name,
        max_open=_NO_LIMIT,
        max_idle=0,
        timeout=pool.timeout,
    )


class FaultySession:
    """A `Session` that stands before another one."""

    def __init__(self, pool: AnyPool, lease: Lease[Any], injector: Injector) -> None:
        self._pool = pool
        self._lease = lease
        self._session: Any = lease.connection
        self._injector = injector

    @property
    def in_transaction(self) -> bool:
        """Whether the engine has a transaction open."""
        found: bool = self._session.in_transaction
        return found

    def run(self, statement: Statement, text: str, values: Any) -> Result:
        """Execute one statement; see `Session`.

        Where a connection is lost during a single write, nobody can know what became
        of it; in a transaction nothing is committed yet.
        """
        single = not self.in_transaction
        may_write = bool(statement.writes) or statement.verb not in _READS
        if_lost = core.OutcomeUnknownError if single and may_write else _LOST
        draw = self._before("execute", if_lost=if_lost)
        result: Result = self._session.run(statement, text, values)
        if draw.answer_is_lost:
            self._break_off()
            self._injector.fail(draw, "execute", "lost answer", if_lost)
        return result

    def stream(
        self, statement: Statement, text: str, values: Any, size: int
    ) -> Generator[Any, None, None]:
        """Yield the columns with *size* rows at a time; see `Session`.

        Each batch is an operation: rows may break off in the middle.
        """
        batches = self._session.stream(statement, text, values, size)
        try:
            while True:
                self._before("stream")
                batch = next(batches, None)
                if batch is None:
                    return
                yield batch
        finally:
            batches.close()

    def begin(self, *, isolation: str | None, read_only: bool) -> None:
        """Begin a transaction."""
        self._before("begin")
        self._session.begin(isolation=isolation, read_only=read_only)

    def commit(self) -> None:
        """Commit; where the connection is lost, nobody can know if that was done."""
        unknown = core.OutcomeUnknownError
        draw = self._before("commit", if_lost=unknown)
        self._session.commit()
        if draw.answer_is_lost:
            self._injector.fail(draw, "commit", "lost answer", unknown)

    def rollback(self) -> None:
        """Roll back: what fails here is rolled back by the engine all the same."""
        self._session.rollback()

    def savepoint(self, name: str) -> None:
        """Set a savepoint."""
        self._before("savepoint")
        self._session.savepoint(name)

    def release(self, name: str) -> None:
        """Release a savepoint, keeping its work."""
        self._before("release")
        self._session.release(name)

    def rollback_to(self, name: str) -> None:
        """Undo what came after a savepoint, and release it."""
        self._before("rollback to")
        self._session.rollback_to(name)

    def reset(self) -> bool:
        """Undo whatever is left over; return whether the connection is fit for use.

        It was never lost in truth: in memory that would be the end of the data.
        """
        fit: bool = self._session.reset()
        return fit

    def give_back(self) -> None:
        """Give the connection back to the pool that it came from."""
        self._pool.release(self._lease, discard=not self.reset())

    def _before(self, operation: Operation, *, if_lost: ErrorClass = _LOST) -> Draw:
        draw = self._injector.meet(operation)
        if draw.error is _LOST:
            self._break_off()
            self._injector.fail(draw, operation, "error", if_lost)
        if draw.error is not None:
            self._injector.fail(draw, operation, "error", draw.error)
        return draw

    def _break_off(self) -> None:
        """Do what a server does when a connection is lost."""
        self._session.rollback()
