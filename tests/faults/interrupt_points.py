"""A Ctrl-C at every point where Python can raise one, one after the other.

Python looks for signals as a function of Python begins, behind each call of one in C,
and while a lock is waited for. `sys.setprofile` tells of these points, and what it
raises is raised there; so a test begins anew with the next point until it gets through
untouched.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from types import FrameType
from typing import Any

from mooring import core

ADD = "INSERT INTO t (name) VALUES (:name)"
# Called as something is dropped, where Python drops what is raised: two callbacks, and
# a generator that is not read to its end.
_FINALIZERS = ("_lost", "_dropped", "_shared")


class Interrupt:
    """Raises KeyboardInterrupt at one point of what mooring does in this thread.

    Args:
        point: Which one, from 0 on.
    """

    def __init__(self, point: int) -> None:
        self._left = point
        self.where = ""

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Count the points inside of a ``with`` block.

        The collector is off: what is raised in a finalizer that it calls, perhaps of
        another test, Python drops.
        """
        gc.disable()
        sys.setprofile(self._count)
        try:
            yield
        finally:
            sys.setprofile(None)
            gc.enable()

    def _count(self, frame: FrameType, event: str, arg: Any) -> None:
        name = getattr(arg, "__name__", "")
        if event not in ("call", "c_return") and (event, name) != ("c_call", "acquire"):
            return
        module = str(frame.f_globals.get("__name__"))
        if not module.startswith("mooring") or frame.f_code.co_name in _FINALIZERS:
            return
        if self._left:
            self._left -= 1
            return
        sys.setprofile(None)
        code = frame.f_code
        self.where = f"{event} {name} in {module}:{frame.f_lineno} {code.co_qualname}"
        raise KeyboardInterrupt


def run(store: core.SqlStore, name: str) -> None:
    """Write a row as a closure, which may run again."""
    store.run(lambda tx: tx.execute(ADD, {"name": name}))


def block(store: core.SqlStore, name: str) -> None:
    """Write a row in a block, behind a savepoint."""
    with store.transaction() as tx, tx.savepoint():
        tx.execute(ADD, {"name": name})


def single(store: core.SqlStore, name: str) -> None:
    """Write a row by a statement alone."""
    store.execute(ADD, {"name": name})


# Each way to write, by name.
WRITES = {way.__name__: way for way in (run, block, single)}


def through_all_points(
    round_: Callable[[int, Interrupt], None], *, patience: float
) -> int:
    """Call with each point, until none is left; return how many rounds there were.

    And once more from the first on: what is done only once, such as an import, is in
    the way then no more of what comes behind it.

    Args:
        round_: Called with the number of the round, and the interrupt to arm.
        patience: Seconds of which a round must not take two thirds: whoever waits for
            that long was forgotten.
    """
    number = 0
    for _ in range(2):
        for point in count():
            interrupt = Interrupt(point)
            began = time.monotonic()
            try:
                round_(number, interrupt)
                assert time.monotonic() - began < 2 * patience / 3, "it took long"
            except BaseException as error:
                error.add_note(f"interrupted at {interrupt.where}")
                raise
            number += 1
            if not interrupt.where:
                break
    return number
