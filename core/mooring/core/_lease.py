"""What a pool lends, who has it, who waits for it, and the lock around all that."""

import threading
from collections import deque
from collections.abc import Callable
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from mooring.core._session import Borrower

C = TypeVar("C")


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
        lent: Whether somebody has it now.
        thread: Ident of the thread that it was lent to last.
        since: When it was lent or given back last.
        good_until: Until when it may be lent without a closer look.
        expires_at: When it is to be replaced.
        borrower: Who is told in a forked child that the connection is the parent's;
            set and unset by whoever borrows it for longer than a call.
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
    )

    def __init__(self, connection: C, now: float, expires_at: float) -> None:
        self.connection = connection
        self.lent = True
        self.thread = get_ident()
        self.since = self.good_until = now
        self.expires_at = expires_at
        self.borrower: Borrower | None = None

    def holder(self) -> str:
        """Return who has it and for how long: "thread worker-3 for 1.2 s"."""
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        who = names.get(self.thread, "that has ended")
        return f"thread {who} for {monotonic() - self.since:.1f} s"


class Waiter(Generic[C]):
    """A thread in the queue; served with a lease, or with leave to open one."""

    __slots__ = ("lease", "may_open", "signal")

    def __init__(self) -> None:
        self.lease: Lease[C] | None = None
        self.may_open = False
        self.signal = threading.Lock()
        self.signal.acquire()


class Guard:
    """The pool's lock, which knows who holds it.

    The garbage collector may run at any allocation, and with it the end of a scope that
    somebody dropped: on a thread that holds the lock already. What it wants to do then
    is deferred until the lock is free.
    """

    __slots__ = ("_deferred", "_lock", "_owner")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._deferred: deque[Callable[[], object]] = deque()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = get_ident()

    def __exit__(self, *_: object) -> None:
        self._owner = 0
        self._lock.release()
        while self._deferred:
            self._deferred.popleft()()

    def defers(self, act: Callable[[], object]) -> bool:
        """Take *act* for later and return True, if this thread holds the lock."""
        if self._owner != get_ident():
            return False
        self._deferred.append(act)
        return True
