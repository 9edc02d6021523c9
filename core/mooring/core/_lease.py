"""What a pool lends, who has it, and who waits for it."""

import gc
import os
import sys
import threading
from threading import get_ident
from time import monotonic
from types import FrameType
from typing import Generic, NamedTuple, Protocol, TypeVar

C = TypeVar("C")

_LIBRARY = os.path.dirname(os.__file__)


class PoolStats(NamedTuple):
    """The pool's figures at one moment: connections, and threads that wait."""

    open: int
    idle: int
    lent: int
    waiting: int
    max_open: int


class UnfinishedWork(Protocol):
    """What borrowers of a connection began together, and its next one may join."""

    def finish(self) -> None:
        """End it, whatever comes of that; it raises only what a signal raised."""


class Borrower(Protocol):
    """Has a connection for longer than one call."""

    def orphan(self) -> None:
        """Note that this is a forked child, which must not use the connection."""


class Lease(Generic[C]):
    """A connection of the pool, and who has it. Times are monotonic seconds.

    Attributes:
        connection: What the pool's ``connect`` returned.
        lent: Whether somebody has it now.
        thread: Ident of the thread that it was lent to last.
        since: When it was lent or given back last.
        good_until: Until when it may be lent without a closer look.
        expires_at: When it is to be replaced.
        borrower: Who is told in a forked child that the connection is the parent's;
            set and unset by whoever borrows it for longer than a call.
        unfinished: What is to be finished before the connection is lent to anybody
            who did not come to join it; None nearly always.
    """

    __slots__ = (
        "__weakref__",
        "borrower",
        "connection",
        "expires_at",
        "good_until",
        "lent",
        "since",
        "thread",
        "unfinished",
    )

    def __init__(self, connection: C, now: float, expires_at: float) -> None:
        self.connection = connection
        self.lent = True
        self.thread = get_ident()
        self.since = self.good_until = now
        self.expires_at = expires_at
        self.borrower: Borrower | None = None
        self.unfinished: UnfinishedWork | None = None

    def holder(self) -> str:
        """Return who has it, for how long, and where that thread is now.

        Such as "thread worker-3 for 1.2 s, now at app.py:42 in transfer".
        """
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        who = names.get(self.thread, "that has ended")
        held = f"thread {who} for {monotonic() - self.since:.1f} s"
        place = _place(self.thread)
        return f"{held}, now at {place}" if place else held


def _place(thread: int) -> str:
    """Return where a thread is in the program that uses mooring; "" if unknown."""
    frame = _frames().get(thread)
    while frame is not None:
        file = frame.f_code.co_filename
        # Neither mooring itself, nor a wait of the standard library.
        if not (
            str(frame.f_globals.get("__name__")).startswith("mooring.")
            or os.path.dirname(file) == _LIBRARY
        ):
            return (
                f"{os.path.basename(file)}:{frame.f_lineno} in {frame.f_code.co_name}"
            )
        frame = frame.f_back
    return ""


def _frames() -> dict[int, FrameType]:
    """Return where each thread is.

    If the collector ran meanwhile, and what it calls let another thread go on that
    starts or ends one, both would wait for ever (python/cpython#106883).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames()  # noqa: SLF001 - documented, whatever its name
    finally:
        if was_enabled:
            gc.enable()


class Waiter(Generic[C]):
    """A thread in the queue; served with a lease, or with leave to open one.

    Args:
        joins: It takes a connection with something unfinished too, and joins that.
    """

    __slots__ = ("joins", "lease", "may_open", "signal")

    def __init__(self, *, joins: bool = False) -> None:
        self.joins = joins
        self.lease: Lease[C] | None = None
        self.may_open = False
        self.signal = threading.Lock()
        self.signal.acquire()
