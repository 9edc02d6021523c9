"""What a pool lends, who has it, who waits for it, and the lock around all that."""

import gc
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from mooring.core._session import Borrower, UnfinishedWork

C = TypeVar("C")

_LIBRARY = os.path.dirname(os.__file__)


class PoolStats(NamedTuple):
    """The pool's figures at one moment: connections, and threads that wait."""

    open: int
    idle: int
    lent: int
    waiting: int
    max_open: int


class Lease(Generic[C]):
    """A connection of the pool, and who has it. Times are monotonic seconds.

    Attributes:
        connection: What the pool's ``connect`` returned.
        loan: Its number, odd while somebody has it; whoever borrowed it and finds
            another one has given it back, or passed it on.
        thread: Ident of the thread that it was lent to last.
        since: When it was lent or given back last.
        good_until: Until when it may be lent without a closer look.
        expires_at: When it is to be replaced.
        borrower: Who is told in a forked child that the connection is the parent's;
            set and unset by whoever borrows it for longer than a call. Weakly, so
            that both are gone at once when they are dropped.
        unfinished: What is to be finished before the connection is lent to anybody
            who did not come to join it; None nearly always.
    """

    __slots__ = (
        "__weakref__",
        "borrower",
        "connection",
        "expires_at",
        "good_until",
        "loan",
        "since",
        "thread",
        "unfinished",
    )

    def __init__(self, connection: C, now: float, expires_at: float) -> None:
        self.connection = connection
        self.loan = 1
        self.thread = get_ident()
        self.since = self.good_until = now
        self.expires_at = expires_at
        self.borrower: weakref.ref[Borrower] | None = None
        self.unfinished: UnfinishedWork | None = None

    @property
    def lent(self) -> bool:
        """Whether somebody has it now."""
        return bool(self.loan & 1)

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
            str(frame.f_globals.get("__name__")).startswith(("mooring.", "mooring_"))
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

    __slots__ = ("given_up", "joins", "lease", "may_open", "served", "signal")

    def __init__(self, *, joins: bool = False) -> None:
        self.joins = joins
        self.lease: Lease[C] | None = None
        self.may_open = False
        # Both stay: it was served, or nobody stands there any more.
        self.served = self.given_up = False
        self.signal = threading.Lock()
        self.signal.acquire()


def is_mine(lock: object) -> bool:
    """Return whether this thread holds an RLock."""
    owned: bool = lock._is_owned()  # type: ignore[attr-defined]  # noqa: SLF001 - as threading.Condition asks it
    return owned


class Guard:
    """The pool's lock, and what is to be done when it is free.

    The garbage collector may run at any allocation, and with it the end of a scope that
    somebody dropped: on a thread that holds the lock already. What it wants to do then
    is deferred.

    Attributes:
        lock: To be entered itself. Its ``with`` is C code, where no signal's exception
            comes between: a method of Python might take it and never be left.
    """

    __slots__ = ("_deferred", "lock")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._deferred: deque[Callable[[], object]] = deque()

    def defers(self, act: Callable[[], object]) -> bool:
        """Take *act* for later and return True, if this thread holds the lock."""
        if not is_mine(self.lock):
            return False
        self._deferred.append(act)
        return True

    def catch_up(self) -> None:
        """Do what was deferred; to be called behind each use of the lock."""
        while self._deferred:
            try:
                act = self._deferred.popleft()
            except IndexError:  # another thread was faster
                return
            act()
