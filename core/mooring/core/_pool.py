"""A small pool of connections: fair, bounded, without threads of its own.

The last connection given back is the first lent again, so that surplus ones age out;
who waits longest is served first, and whoever comes later queues behind. What is
expired or surplus is closed when a connection comes back or is asked for: there is no
background thread.

The ordinary loan takes no lock: a deque's ``pop`` and ``append`` are atomic. Whoever
gives back looks for waiters *after* the connection is among the idle ones, and whoever
waits looks among the idle ones *after* it is in the queue, so that one of the two
always sees the other.

A signal's exception, such as that of a Ctrl-C, may come behind every call. So whatever
is half done then is done before the exception leaves, and what belongs together is
written with no call between.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from os import getpid
from threading import get_ident
from time import monotonic
from typing import Any, Generic, TypeVar

from mooring.core._lease import Guard, Lease, PoolStats, Waiter, is_mine
from mooring.core.errors import (
    MooringError,
    PoolTimeoutError,
    StoreBusyError,
    StoreClosedError,
)

C = TypeVar("C")
T = TypeVar("T")

_NEVER = float("inf")


# Seconds waited, the pool's figures, who has the connections.
BusyErrorFactory = Callable[[float, PoolStats, list[str]], MooringError]


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
        check: Says if an unused connection is still good, given the seconds left to
            find out.
        check_period: Unused seconds after which *check* is asked; 0 = at each loan.
        glance: Asked at each loan, so it must cost next to nothing: False where
            something happened to the unused connection, so that *check* is asked.
        reset: Undoes what is left over on one whose loan was lost, and says if it is
            good again; such a one is closed by default.
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
        check: Callable[[C, float], bool] | None = None,
        check_period: float = 0.0,
        glance: Callable[[C], bool] | None = None,
        reset: Callable[[C], bool] | None = None,
        busy: BusyErrorFactory | None = None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self._connect = connect
        self._close = close
        self._max_open = max_open
        self._max_idle = max_idle
        self._max_lifetime = max_lifetime or _NEVER
        self._max_idle_time = max_idle_time or _NEVER
        self._check = check
        self._glance = glance
        self._reset = reset
        # How long an unused connection may be lent without a closer look.
        self._trust = min(self._max_idle_time, check_period if check else _NEVER)
        self._busy = busy or self._pool_timeout
        self._guard = Guard()
        self._lock = self._guard.lock
        self._idle: deque[Lease[C]] = deque()
        # Leases belong to the idle ones or to who borrowed them. One that nobody has
        # any more was lost to an exception that came from outside, such as Ctrl-C.
        self._all: dict[weakref.ref[Lease[C]], C] = {}
        self._opening = 0
        self._waiters: deque[Waiter[C]] = deque()
        self._prune_at = _NEVER  # when the oldest idle one may be too old
        self._drained = threading.Event()
        self._end: Callable[[], StoreClosedError] | None = None
        self._last_error = ""
        _pools.add(self)

    def acquire(self, timeout: float | None = None, *, joins: bool = False) -> Lease[C]:
        """Lend a connection; give it back with `release`.

        One that is dropped instead is closed or reset, and its place is free again.

        Args:
            timeout: Seconds to wait, >= 0; the pool's own by default.
            joins: Take one with something unfinished too; see `pass_on`.

        Raises:
            PoolTimeoutError: None came free; or what the pool's *busy* makes.
            StoreClosedError: The pool is closed, or belongs to a parent process.
            OpenError: A new connection was needed and could not be opened.
        """
        left = self.timeout if timeout is None else timeout
        lease: Lease[C] | None = None
        fit = True
        try:
            while not self._waiters and self._end is None:
                try:
                    lease = self._idle.pop()
                except IndexError:
                    break
                now = monotonic()
                fit = now < lease.good_until and (
                    self._glance is None or self._glance(lease.connection)
                )
                if not fit or now >= lease.expires_at:
                    fit = False  # as long as nobody looked
                    fit = now < lease.expires_at and self._is_good(lease, now, left)
                if fit:
                    lease.since = now
                    lease.thread = get_ident()
                    lease.loan += 1
                    return lease
                self._discard(lease)
                left = max(left - (monotonic() - now), 0.0)
                lease, fit = None, True
        except BaseException:
            if lease is not None:
                lease.loan += 1
                self.release(lease, discard=not fit)
            raise
        # Not Waiter[C](): typing would take longer than the rest.
        waiter: Waiter[C] = Waiter(joins=joins)
        try:
            with self._lock:
                if self._end is not None:
                    raise self._end()  # noqa: TRY301 - under the lock that close() takes
                self._waiters.append(waiter)
                self._serve()
            self._guard.catch_up()
            return self.take(waiter, left)
        except BaseException:
            self.leave(waiter)
            raise

    def release(self, lease: Lease[C], *, discard: bool = False) -> None:
        """Take a lent connection back; *discard* closes it.

        What is unfinished on it is finished first.
        """
        if not lease.loan & 1:
            raise ValueError("this connection was given back before")
        is_idle = False
        try:
            if lease.unfinished is not None:
                lease.unfinished.finish()
            now = monotonic()
            lease.since = now
            if discard or now >= lease.expires_at:
                lease.loan += 1
                self._discard(lease)
                return
            lease.good_until = now + self._trust
            lease.loan += 1
            is_idle = True
            self._idle.append(lease)
            if (
                self._waiters
                or self._end is not None
                or now >= self._prune_at
                or len(self._idle) > self._max_idle
            ):
                self._settle(now)
        except BaseException:
            if is_idle:
                self._settle(monotonic())
            elif lease.loan & 1:
                self.release(lease, discard=discard)
            # Else it was to be closed, which happens at the latest as it is dropped.
            raise

    def pass_on(self, lease: Lease[C]) -> bool:
        """Give a lent connection, with what is unfinished on it, to who waits longest.

        Return whether that one joins: if not, or if nobody waits, nothing happened.
        """
        # Looked at without the lock too: nearly always nobody waits. The collector may
        # have come here from the midst of the lock.
        waiters = self._waiters
        if not waiters or is_mine(self._lock):
            return False
        with self._lock:
            if self._end is not None or not waiters or not waiters[0].joins:
                return False
            waiter = waiters[0]
            lease.loan += 2
            waiter.lease = lease
            waiter.served = True
            try:
                waiters.popleft()
            finally:
                waiter.signal.release()
        self._guard.catch_up()
        return True

    @property
    def joiner_waits(self) -> bool:
        """Whether who waits longest joins what is unfinished; a glance, no lock."""
        try:
            return bool(self._waiters) and self._waiters[0].joins
        except IndexError:  # it was served between the two
            return False

    @property
    def is_busy(self) -> bool:
        """Whether no connection lies unused; a glance, no lock."""
        return not self._idle

    def put_first(self, places: list[Waiter[C]]) -> None:
        """Put places at the head of the queue, in order; doing it twice is the same.

        Each is to be taken by one thread, with `take`, or given up with `leave`.
        """
        if self._guard.defers(lambda: self.put_first(places)):
            return
        with self._lock:
            try:
                self._put_first(places)
            except BaseException:
                self._put_first(places)
                raise
        self._guard.catch_up()

    def _is_good(self, lease: Lease[C], now: float, left: float) -> bool:
        """Look closer at a connection that was not used for a while."""
        if now >= lease.since + self._max_idle_time:
            return False
        return self._check is None or self._check(lease.connection, left)

    def _settle(self, now: float) -> None:
        """Serve who waits, and close what is surplus, too old, or left after close."""
        if self._guard.defers(lambda: self._settle(now)):
            return
        surplus = []
        with self._lock:
            self._serve()
            keep = 0 if self._end else self._max_idle
            oldest_good = now - self._max_idle_time
            while self._idle and (
                len(self._idle) > keep or self._idle[0].since <= oldest_good
            ):
                surplus.append(self._idle.popleft())
            self._prune_at = now + self._max_idle_time
        self._guard.catch_up()
        for lease in surplus:
            self._discard(lease)

    def _discard(self, lease: Lease[C]) -> None:
        """Close a connection that is not among the idle ones, and free its place."""
        if self._end is forked:
            return  # the parent's; see _abandon
        if self._guard.defers(lambda: self._discard(lease)):
            return
        try:
            self._close(lease.connection)
        finally:
            with self._lock:
                self._all.pop(weakref.ref(lease), None)
                self._serve()
            self._guard.catch_up()

    def _lost(self, lease: weakref.ref[Lease[C]]) -> None:
        """Free the place of a lease that nobody gave back.

        Its connection is used again if it can be reset, and closed otherwise.
        """
        if self._end is forked or self._guard.defers(lambda: self._lost(lease)):
            return
        with self._lock:
            connection = self._all.pop(lease, None)
        if connection is None:
            return
        if self._reset is not None and self._reset(connection):
            self.release(self._lease(connection))
            return
        try:
            self._close(connection)
        finally:
            with self._lock:
                self._serve()
            self._guard.catch_up()

    def take(self, waiter: Waiter[C], timeout: float | None = None) -> Lease[C]:
        """Wait at a place in the queue and lend what it is served; see `acquire`."""
        left = self.timeout if timeout is None else timeout
        try:
            started = monotonic()
            if not waiter.served:
                self._wait(waiter, left, started)
            lease = waiter.lease
            if lease is None:
                left = max(left - (monotonic() - started), 0.001)
                lease = self._open(waiter, left)
            lease.since = monotonic()
            lease.thread = get_ident()
            waiter.lease = None
        except BaseException:  # Ctrl-C too: leave the queue, pass on what was given
            self.leave(waiter)
            raise
        return lease

    def _wait(self, waiter: Waiter[C], timeout: float, started: float) -> None:
        """Wait in the queue until served; raise if that takes too long."""
        waiter.signal.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))
        if waiter.served:
            return
        with self._lock:
            if waiter.lease is not None or waiter.may_open:  # only just now
                return
            if self._end is not None:
                raise self._end()
            ahead = self._waiters.index(waiter)
            self._waiters.remove(waiter)
            holders = [lease.holder() for lease in self._leases() if lease.lent]
            stats = self._stats()
        self._guard.catch_up()
        error = self._busy(monotonic() - started, stats, holders)
        notes = []
        if ahead:
            notes.append(f"{ahead} waited longer")
        if self._last_error:
            notes.append(f"last connection error: {self._last_error}")
        if notes:
            error.message += f" ({'; '.join(notes)})"
        raise error

    def leave(self, waiter: Waiter[C]) -> None:
        """Give up a place in the queue, and what it was served and not yet taken."""
        with self._lock:
            waiter.given_up = True
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            if waiter.may_open:
                waiter.may_open = False
                self._opening -= 1
            lease, waiter.lease = waiter.lease, None
            self._serve()
        self._guard.catch_up()
        if lease is not None:
            self.release(lease)

    def _open(self, waiter: Waiter[C], timeout: float) -> Lease[C]:
        """Open a connection, in a place that is counted in ``_opening`` already."""
        connection = None
        try:
            connection = self._connect(timeout)
            lease = waiter.lease = self._lease(connection)
            self._last_error = ""
        except BaseException as error:
            with self._lock:
                self._last_error = str(error).partition("\n")[0]
            if connection is not None and waiter.lease is None:
                self._close(connection)
            raise
        finally:
            with self._lock:
                waiter.may_open = False
                self._opening -= 1
                self._serve()
            self._guard.catch_up()
        return lease

    def _lease(self, connection: C) -> Lease[C]:
        """Return a loan of a connection that is new here."""
        now = monotonic()
        lease = Lease(connection, now, now + self._max_lifetime)
        with self._lock:
            self._all[weakref.ref(lease, self._lost)] = connection
            self._prune_at = min(self._prune_at, now + self._max_idle_time)
        self._guard.catch_up()
        return lease

    def _pool_timeout(
        self, waited: float, stats: PoolStats, holders: list[str]
    ) -> MooringError:
        held = f"; held by {', '.join(holders[:3])}" if holders else ""
        return PoolTimeoutError(
            f"no connection came free in {waited:.1f} s: {stats.lent} of"
            f" {stats.max_open} {self.name} are in use, {stats.waiting} threads wait"
            f"{held}",
            hint="keep transactions short, or raise max_open_conns or pool_timeout",
        )

    # The following run with the lock held.

    def _put_first(self, places: list[Waiter[C]]) -> None:
        for place in reversed(places):
            if self._end is not None:
                place.signal.release()
            elif not (place.served or place.given_up or place in self._waiters):
                self._waiters.appendleft(place)
        self._serve()

    def _serve(self) -> None:
        """Give idle connections, then places for new ones, to who waits longest."""
        while self._waiters and self._end is None:
            waiter = self._waiters[0]
            try:
                # Asked first, as an exception takes ten times as long.
                lease = self._idle.pop() if self._idle else None
            except IndexError:
                lease = None
            if lease is not None:
                lease.loan += 1
                waiter.lease = lease
            elif len(self._all) + self._opening >= self._max_open:
                return
            else:
                self._opening += 1
                waiter.may_open = True
            waiter.served = True
            try:
                self._waiters.popleft()
            finally:
                waiter.signal.release()
        if self._end is not None and not self._all and not self._opening:
            self._drained.set()

    def _leases(self) -> list[Lease[C]]:
        return [lease for found in [*self._all] if (lease := found()) is not None]

    def _stats(self) -> PoolStats:
        lent = sum(lease.lent for lease in self._leases())
        return PoolStats(
            open=len(self._all) + self._opening,
            idle=len(self._idle),
            lent=lent,
            waiting=len(self._waiters),
            max_open=self._max_open,
        )

    @property
    def stats(self) -> PoolStats:
        """The figures of this moment."""
        with self._lock:
            stats = self._stats()
        self._guard.catch_up()
        return stats

    def leases(self) -> tuple[list[Lease[C]], list[Lease[C]]]:
        """Return the idle and the lent connections of this moment, to look at."""
        with self._lock:
            found = list(self._idle), [lease for lease in self._leases() if lease.lent]
        self._guard.catch_up()
        return found

    def inspect(self, look: Callable[[C], T]) -> list[T]:
        """Return what *look* says of each unused connection; nobody has it meanwhile.

        It counts as no use: the connections age as if they had not been touched.
        """
        found = []
        for _ in range(len(self._idle)):
            try:
                lease = self._idle.popleft()
            except IndexError:
                break
            try:
                found.append(look(lease.connection))
            except BaseException:
                self._discard(lease)
                raise
            self._idle.append(lease)
            if self._waiters or self._end is not None:
                self._settle(monotonic())
        return found

    def close(self, timeout: float) -> None:
        """Close the pool; connections that are lent close as they come back.

        Args:
            timeout: Seconds to wait for those, >= 0.

        Raises:
            StoreBusyError: Some were not given back in time; it says who has them.
                The pool is closed nevertheless.
        """
        if self._end is forked:
            return
        with self._lock:
            self._end = closed
            for waiter in self._waiters:
                waiter.signal.release()
            self._waiters.clear()
            self._serve()
        self._guard.catch_up()
        self._settle(monotonic())
        if self._drained.wait(timeout):
            return
        holders = ", ".join(lease.holder() for lease in self.leases()[1])
        raise StoreBusyError(
            f"closed, but {self.name} are still in use after {timeout:g} s: {holders}",
            hint="leave every transaction() and read() block before close(),"
            " or raise close_timeout; what is open now is closed as it comes back",
        )

    def abandon(self) -> object:
        """In a forked child: refuse every use; return what must never be closed."""
        self._end = forked
        self._guard = Guard()  # the parent may have held the old one
        self._lock = self._guard.lock
        leases = self._leases()
        for lease in leases:
            if lease.borrower is not None and (borrower := lease.borrower()):
                borrower.orphan()
        return leases, self._all


def closed() -> StoreClosedError:
    """Return the error for any use after close."""
    return StoreClosedError(
        "the store is closed", hint="open it again with core.open()"
    )


def forked() -> StoreClosedError:
    """Return the error for a store that a forked child got from its parent."""
    return StoreClosedError(
        f"the store was opened in a parent process and cannot be used in its child"
        f" {getpid()}",
        hint="open a store of its own in each process, after the fork",
    )


_pools: weakref.WeakSet[Pool[Any]] = weakref.WeakSet()
_abandoned: list[object] = []


def _abandon() -> None:
    """In a forked child: keep the parent's connections, and never close them.

    Closing one would end the parent's session, or drop locks of its database files.
    """
    _abandoned.extend(pool.abandon() for pool in _pools)


os.register_at_fork(after_in_child=_abandon)
