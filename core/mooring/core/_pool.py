"""A small pool of connections: fair, bounded, without threads of its own.

The last connection given back is the first lent again, so that surplus ones age out;
who waits longest is served first, by handing the connection over directly, so that
nobody who comes later can take it. What is expired or surplus is closed when a
connection comes back or is asked for: there is no background thread.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from mooring.core.errors import (
    MooringError,
    PoolTimeoutError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
)

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
        thread: Ident of the thread that it was lent to last.
        since: When it was lent or given back last.
    """

    __slots__ = ("checked_at", "connection", "opened_at", "since", "thread")

    def __init__(self, connection: C, now: float) -> None:
        self.connection = connection
        self.opened_at = self.checked_at = self.since = now
        self.thread = threading.get_ident()

    def holder(self) -> str:
        """Return who has it and for how long: "thread worker-3 for 1.2 s"."""
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        who = names.get(self.thread, "that has ended")
        return f"thread {who} for {monotonic() - self.since:.1f} s"


class _Waiter(Generic[C]):
    """A thread in the queue; served with a lease, or with leave to open one."""

    __slots__ = ("lease", "may_open", "signal")

    def __init__(self) -> None:
        self.lease: Lease[C] | None = None
        self.may_open = False
        self.signal = threading.Lock()
        self.signal.acquire()


# Waited how long, for what; the pool's figures; who holds; the last connect error.
BusyErrorFactory = Callable[[str, float, PoolStats, list[str]], MooringError]


class Pool(Generic[C]):
    """Lend connections to threads.

    Args:
        connect: Opens one, given the seconds left for it. It runs outside the lock.
        close: Closes one; it must not raise.
        name: What the connections are, for messages: "readers".
        max_open: Most connections open at a time, >= 1.
        max_idle: Most kept unused, >= 0.
        timeout: Seconds that `acquire` waits by default, > 0.
        max_lifetime: Age in seconds at which one is replaced; 0 = never.
        max_idle_time: Unused seconds after which one is closed; 0 = never.
        check: Says if an unused connection is still good; a cheap question.
        check_period: Unused seconds after which *check* is asked; 0 = at each loan.
        busy: Makes the error for a wait in vain; by default a `PoolTimeoutError`.
    """

    def __init__(
        self,
        connect: Callable[[float], C],
        close: Callable[[C], object],
        *,
        name: str,
        max_open: int,
        max_idle: int,
        timeout: float,
        max_lifetime: float = 0.0,
        max_idle_time: float = 0.0,
        check: Callable[[C], bool] | None = None,
        check_period: float = 0.0,
        busy: BusyErrorFactory | None = None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self._connect = connect
        self._close = close
        self._max_open = max_open
        self._max_idle = max_idle
        self._max_lifetime = max_lifetime or float("inf")
        self._max_idle_time = max_idle_time or float("inf")
        self._check = check
        self._check_period = check_period
        self._busy = busy or _pool_timeout
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._idle: deque[Lease[C]] = deque()
        self._lent: set[Lease[C]] = set()
        self._waiters: deque[_Waiter[C]] = deque()
        self._drained = threading.Event()
        self._open = 0  # lent, idle, and being opened
        self._closed = False
        self._last_error: str = ""
        _pools.add(self)

    # -- lending --------------------------------------------------------------

    def acquire(self, timeout: float | None = None) -> Lease[C]:
        """Lend a connection; give it back with `release`.

        Args:
            timeout: Seconds to wait, >= 0; the pool's own by default.

        Raises:
            PoolTimeoutError: None came free; or what the pool's *busy* makes.
            StoreClosedError: The pool is closed, or belongs to a parent process.
            OpenError: A new connection was needed and could not be opened.
        """
        if self._pid != os.getpid():
            raise forked(self._pid)
        lock = self._lock
        while True:
            with lock:
                if self._closed:
                    raise closed()
                if not self._idle or self._waiters:
                    break
                lease = self._idle.pop()
                self._lent.add(lease)
            now = monotonic()
            if self._is_good(lease, now):
                lease.since = now
                lease.thread = threading.get_ident()
                return lease
            self.release(lease, discard=True)
        return self._acquire_slowly(self.timeout if timeout is None else timeout)

    def release(self, lease: Lease[C], *, discard: bool = False) -> None:
        """Take a lent connection back; *discard* closes it."""
        if self._pid != os.getpid():
            return  # the parent's; see _abandon
        now = monotonic()
        surplus: list[Lease[C]] = []
        with self._lock:
            self._lent.remove(lease)
            lease.since = now
            if discard or self._closed or now - lease.opened_at > self._max_lifetime:
                self._drop(lease, surplus)
            elif self._waiters:
                self._hand_over(lease)
            elif len(self._idle) >= self._max_idle:
                self._drop(lease, surplus)
            else:
                self._idle.append(lease)
                # Ends at the latest with the one just put at the other end.
                while now - self._idle[0].since > self._max_idle_time:
                    self._drop(self._idle.popleft(), surplus)
        for dropped in surplus:
            self._close(dropped.connection)

    def _is_good(self, lease: Lease[C], now: float) -> bool:
        if now - lease.opened_at > self._max_lifetime:
            return False
        unused = now - lease.since
        if unused > self._max_idle_time:
            return False
        if self._check is None or now - lease.checked_at < self._check_period:
            return True
        lease.checked_at = now
        return self._check(lease.connection)

    def _acquire_slowly(self, timeout: float) -> Lease[C]:
        started = monotonic()
        with self._lock:
            if self._closed:
                raise closed()
            if self._open < self._max_open and not self._waiters:
                self._open += 1
                waiter = None
            else:
                waiter = _Waiter[C]()
                self._waiters.append(waiter)
        if waiter is not None:
            lease = self._wait(waiter, timeout, started)
            if lease is not None:
                lease.since = monotonic()
                lease.thread = threading.get_ident()
                return lease
        return self._open_one(max(timeout - (monotonic() - started), 0.001))

    def _wait(
        self, waiter: _Waiter[C], timeout: float, started: float
    ) -> Lease[C] | None:
        """Wait in the queue; return a lease, or None for leave to open one."""
        try:
            waiter.signal.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))
        except BaseException:  # Ctrl-C: leave the queue, and pass on what was given
            self._leave(waiter)
            raise
        with self._lock:
            if waiter.lease is not None or waiter.may_open:
                return waiter.lease
            if self._closed:
                raise closed()
            ahead = self._waiters.index(waiter)
            self._waiters.remove(waiter)
            holders = [lease.holder() for lease in self._lent]
            stats = self._stats()
        raise self._timeout_error(monotonic() - started, ahead, stats, holders)

    def _timeout_error(
        self, waited: float, ahead: int, stats: PoolStats, holders: list[str]
    ) -> MooringError:
        error = self._busy(self.name, waited, stats, holders)
        notes = []
        if ahead:
            notes.append(f"{ahead} waited longer")
        if self._last_error:
            notes.append(f"last connection error: {self._last_error}")
        if notes:
            error.message += f" ({'; '.join(notes)})"
        return error

    def _leave(self, waiter: _Waiter[C]) -> None:
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
                return
            lease, may_open = waiter.lease, waiter.may_open
            if may_open:
                self._open -= 1
                self._admit()
        if lease is not None:
            self.release(lease)

    def _open_one(self, timeout: float) -> Lease[C]:
        """Open a connection; its place is counted in ``_open`` already."""
        try:
            connection = self._connect(timeout)
        except BaseException as error:
            with self._lock:
                self._last_error = str(error).partition("\n")[0]
                self._open -= 1
                self._admit()
                self._note_drained()
            raise
        lease = Lease(connection, monotonic())
        with self._lock:
            self._last_error = ""
            self._lent.add(lease)
        return lease

    # The following run with the lock held.

    def _hand_over(self, lease: Lease[C]) -> None:
        waiter = self._waiters.popleft()
        waiter.lease = lease
        self._lent.add(lease)
        waiter.signal.release()

    def _drop(self, lease: Lease[C], surplus: list[Lease[C]]) -> None:
        surplus.append(lease)
        self._open -= 1
        self._admit()
        self._note_drained()

    def _admit(self) -> None:
        """Let the first in the queue open a connection in a freed place."""
        if self._waiters and self._open < self._max_open and not self._closed:
            self._open += 1
            waiter = self._waiters.popleft()
            waiter.may_open = True
            waiter.signal.release()

    def _note_drained(self) -> None:
        if self._closed and self._open == 0:
            self._drained.set()

    def _stats(self) -> PoolStats:
        return PoolStats(
            self._open,
            len(self._idle),
            len(self._lent),
            len(self._waiters),
            self._max_open,
        )

    # -- the whole pool -------------------------------------------------------

    @property
    def stats(self) -> PoolStats:
        """The figures of this moment."""
        with self._lock:
            return self._stats()

    def leases(self) -> tuple[list[Lease[C]], list[Lease[C]]]:
        """Return the idle and the lent connections of this moment, to look at."""
        with self._lock:
            return list(self._idle), list(self._lent)

    def close(self, timeout: float) -> None:
        """Close the pool; connections that are lent close as they come back.

        Args:
            timeout: Seconds to wait for those, >= 0.

        Raises:
            StoreBusyError: Some were not given back in time; it says who has them.
                The pool is closed nevertheless.
        """
        if self._pid != os.getpid():
            return  # the parent's; see _abandon
        with self._lock:
            self._closed = True
            idle = list(self._idle)
            self._idle.clear()
            self._open -= len(idle)
            for waiter in self._waiters:
                waiter.signal.release()
            self._waiters.clear()
            self._note_drained()
        for lease in idle:
            self._close(lease.connection)
        if self._drained.wait(timeout):
            return
        holders = ", ".join(lease.holder() for lease in self.leases()[1])
        raise StoreBusyError(
            f"closed, but {self.name} are still in use after {timeout:g} s: {holders}",
            hint="leave every transaction() and read() block before close(),"
            " or raise close_timeout; what is open now is closed as it comes back",
        )


def closed() -> StoreClosedError:
    """Return the error for any use after close."""
    return StoreClosedError(
        "the store is closed", hint="open it again with core.open()"
    )


def forked(parent: int) -> StoreClosedError:
    """Return the error for a store that a forked child got from its parent."""
    return StoreClosedError(
        f"the store was opened in process {parent} and cannot be used in its child"
        f" {os.getpid()}",
        hint="open a store of its own in each process, after the fork",
    )


def _pool_timeout(
    name: str, waited: float, stats: PoolStats, holders: list[str]
) -> StoreError:
    held = f"; held by {', '.join(holders[:3])}" if holders else ""
    return PoolTimeoutError(
        f"no connection came free in {waited:.1f} s: {stats.lent} of {stats.max_open}"
        f" {name} are in use, {stats.waiting} threads wait{held}",
        hint="keep transactions short, or raise max_open_conns or pool_timeout",
    )


_pools: "weakref.WeakSet[Pool[Any]]" = weakref.WeakSet()
_abandoned: list[object] = []


def _abandon() -> None:
    """In a forked child: keep the parent's connections, and never close them.

    Closing one would end the parent's session, or drop locks of its database files.
    """
    for pool in _pools:
        _abandoned.append((list(pool._idle), list(pool._lent)))


os.register_at_fork(after_in_child=_abandon)
