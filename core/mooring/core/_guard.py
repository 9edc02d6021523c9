"""A lock that may be wanted in the middle of itself."""

import threading
from collections import deque
from collections.abc import Callable
from threading import get_ident


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

    @property
    def is_mine(self) -> bool:
        """Whether this thread holds the lock."""
        return self._owner == get_ident()

    def defers(self, act: Callable[[], object]) -> bool:
        """Take *act* for later and return True, if this thread holds the lock."""
        if not self.is_mine:
            return False
        self._deferred.append(act)
        return True
