"""A store that fails now and then, and the same way for the same seed."""

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from time import sleep
from typing import NoReturn

from mooring import core
from mooring.core import StoreConfig
from mooring.testing._faults import (
    KINDS,
    NOTHING,
    Dice,
    Draw,
    ErrorClass,
    Fault,
    Kind,
    Operation,
)
from mooring.testing._faulty_session import AnyPool, faulty_pool


class FaultyStore:
    """Makes stores fail: errors, delays, and answers that are lost, by rate and seed.

    The errors are those that the store raises by itself, and the rules of scopes and
    retries are the store's own. What a lost answer was about has happened. The same
    seed gives the same faults to the same operations: each thread has a sequence of its
    own, by its name. Migrations, health checks and rollbacks do not fail.

    It is an observer, for stores that others open::

        registry.register_observer(FaultyStore(seed=7, errors=0.1), name="faults")

    or stands around an open store for a while: see `around`.

    Args:
        seed: Where the sequences begin.
        errors: How many operations fail before they have an effect, 0 to 1.
        delays: How many are held up.
        lost_answers: How many statements and COMMITs are done, and not answered.
        delay: Seconds that one is held up, >= 0; no deadline of the store counts them.
        kinds: The errors to choose from, of `ConnectionLostError`,
            `SerializationError`, `StoreBusyError`, `StatementTimeoutError` and
            `UnavailableError`, which comes when a store is opened. Where something was
            about to be committed, a lost connection is an `OutcomeUnknownError`, and
            it was not done.

    Attributes:
        active: Whether there are faults now; may be set at any time.

    Raises:
        ArgumentError: A rate is not between 0 and 1, or an error not one of those.
    """

    def __init__(
        self,
        *,
        seed: int,
        errors: float = 0.0,
        delays: float = 0.0,
        lost_answers: float = 0.0,
        delay: float = 0.01,
        kinds: Sequence[ErrorClass] = KINDS,
    ) -> None:
        rates = {"errors": errors, "delays": delays, "lost_answers": lost_answers}
        for name, rate in rates.items():
            if not 0 <= rate <= 1:
                raise core.ArgumentError(f"{name} must be between 0 and 1, not {rate}")
        if not 0 <= delay <= threading.TIMEOUT_MAX:
            raise core.ArgumentError(f"delay must be seconds >= 0, not {delay}")
        others = [kind for kind in kinds if kind not in KINDS]
        if others:
            raise core.ArgumentError(
                f"{others[0].__name__} is not injected",
                hint=f"choose from {', '.join(kind.__name__ for kind in KINDS)}",
            )
        self.active = True
        self.seed = seed
        self._delay = delay
        self._dice = Dice(
            seed, errors=errors, delays=delays, lost_answers=lost_answers, kinds=kinds
        )
        self._faults: list[Fault] = []

    def __repr__(self) -> str:
        state = "active" if self.active else "paused"
        return f"<FaultyStore seed={self.seed} {state}, {len(self._faults)} faults>"

    @property
    def faults(self) -> list[Fault]:
        """What was injected so far, in the order in which it came."""
        return list(self._faults)

    @contextmanager
    def around(self, store: core.SqlStore) -> Iterator["FaultyStore"]:
        """Make an open store fail in a ``with`` block.

        Raises:
            ArgumentError: Its driver does not build on `SqlStoreBase`.
        """
        with _disturbable(store).interposed(self._before):
            yield self

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let all succeed in a ``with`` block; what is done there is not counted."""
        before, self.active = self.active, False
        try:
            yield
        finally:
            self.active = before

    @core.hookimpl(wrapper=True)
    def open_store(
        self, config: StoreConfig
    ) -> Generator[None, core.SqlStore, core.SqlStore]:
        """Make a store fail from its opening on; the opening may fail as well."""
        del config  # any store
        draw = self.meet("open")
        if draw.error is not None:
            self.fail(draw, "open", "error", draw.error)
        store = yield
        try:
            base = _disturbable(store)
        except core.ArgumentError:
            store.close()
            raise
        base.interpose(self._before)
        return store

    def meet(self, operation: Operation) -> Draw:
        """Return what an operation meets; a delay is over then."""
        if not self.active:
            return NOTHING
        draw = self._dice.throw(operation)
        if draw.delayed:
            self._note(draw, operation, "delay", "")
            sleep(self._delay)
        return draw

    def fail(
        self, draw: Draw, operation: Operation, kind: Kind, error: ErrorClass
    ) -> NoReturn:
        """Note a fault, and raise it."""
        self._note(draw, operation, kind, error.__name__)
        raise error(
            f"{kind} of {operation}, injected into operation {draw.number} of this"
            f" thread by FaultyStore(seed={self.seed})"
        )

    def _note(self, draw: Draw, operation: Operation, kind: Kind, error: str) -> None:
        self._faults.append(
            Fault(
                thread=threading.current_thread().name,
                number=draw.number,
                operation=operation,
                kind=kind,
                error=error,
            )
        )

    def _before(self, pool: AnyPool) -> AnyPool:
        return faulty_pool(pool, self)


def _disturbable(store: core.SqlStore) -> core.SqlStoreBase[core.Session]:
    if not isinstance(store, core.SqlStoreBase):
        raise core.ArgumentError(
            f"a {type(store).__name__} cannot be disturbed: it does not derive from"
            " core.SqlStoreBase"
        )
    return store
