"""Faults by rate and seed: which operation meets one, and which."""

import random
import threading
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import attrs

from mooring import core

Operation = Literal[
    "open",
    "begin",
    "execute",
    "stream",
    "commit",
    "savepoint",
    "release",
    "rollback to",
]
Kind = Literal["error", "delay", "lost answer"]
ErrorClass = type[core.StoreError]

_LOST: Final = core.ConnectionLostError
_CONFLICT: Final = core.SerializationError
_BUSY: Final = core.StoreBusyError
_TIMEOUT: Final = core.StatementTimeoutError
_UNAVAILABLE: Final = core.UnavailableError

# What can go wrong where. A connection that is lost while something is committed leaves
# the outcome unknown, which is for whoever raises the error to say.
POSSIBLE: Final[dict[Operation, tuple[ErrorClass, ...]]] = {
    "open": (_UNAVAILABLE,),
    "begin": (_LOST, _BUSY),
    "execute": (_LOST, _CONFLICT, _BUSY, _TIMEOUT),
    "stream": (_LOST, _TIMEOUT),
    "commit": (_LOST, _CONFLICT),
    "savepoint": (_LOST,),
    "release": (_LOST,),
    "rollback to": (_LOST,),
}
# An answer that tells of an effect.
ANSWERED: Final[frozenset[Operation]] = frozenset({"execute", "commit"})

KINDS: Final = (_LOST, _CONFLICT, _BUSY, _TIMEOUT, _UNAVAILABLE)


@attrs.frozen(kw_only=True)
class Fault:
    """One fault that was injected.

    Attributes:
        thread: Name of the thread that met it.
        number: Which of the thread's operations it was, from 1.
        operation: What it was doing.
        kind: ``error``, before it had an effect; ``lost answer``, after; or ``delay``.
        error: Name of the error's class as it was raised, "" for a delay.
    """

    thread: str
    number: int
    operation: Operation
    kind: Kind
    error: str = ""


class Draw(NamedTuple):
    """What an operation meets: at most a delay, and one of the two others."""

    number: int
    delayed: bool = False
    error: ErrorClass | None = None
    answer_is_lost: bool = False


NOTHING: Final = Draw(0)


class Dice:
    """Draws faults; each thread has a sequence of its own, by its name.

    A draw takes the same number of random numbers whatever the rates are, so that a
    higher rate adds faults and leaves those that were there.

    Args:
        seed: Where the sequences begin.
        errors: Rate of errors, 0 to 1.
        delays: Rate of delays.
        lost_answers: Rate of lost answers.
        kinds: The errors to choose from.
    """

    def __init__(
        self,
        seed: int,
        *,
        errors: float,
        delays: float,
        lost_answers: float,
        kinds: Sequence[ErrorClass],
    ) -> None:
        self._seed = seed
        self._errors = errors
        self._delays = delays
        self._lost_answers = lost_answers
        self._kinds = frozenset(kinds)
        self._lock = threading.Lock()
        self._threads: dict[str, tuple[random.Random, list[int]]] = {}

    def throw(self, operation: Operation) -> Draw:
        """Return what this operation of this thread meets."""
        name = threading.current_thread().name
        with self._lock:
            if name not in self._threads:
                self._threads[name] = random.Random(f"{self._seed}/{name}"), [0]  # noqa: S311 - no secret
            dice, count = self._threads[name]
            count[0] += 1
            number = count[0]
            delay, error, which, lost = (dice.random() for _ in range(4))
        possible = [kind for kind in POSSIBLE[operation] if kind in self._kinds]
        fails = bool(possible) and error < self._errors
        return Draw(
            number,
            delayed=delay < self._delays,
            error=possible[int(which * len(possible))] if fails else None,
            answer_is_lost=not fails
            and operation in ANSWERED
            and lost < self._lost_answers,
        )
