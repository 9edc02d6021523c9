"""The pool by itself: fair, bounded, and at a loss for no connection it ever had."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import count
from random import Random
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core
from mooring.core import Lease, Pool, PoolStats
from mooring.core._lease import Waiter

PATIENCE = 20.0
Spawn = Callable[..., "Future[Any]"]


class Connection:
    """A connection, which is to say a number that is open or not."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.open = True
        self.good = True
        self.check_takes = 0.0


class Engine:
    """Makes connections, and knows how many there are."""

    def __init__(self) -> None:
        self.made: list[Connection] = []
        self.most = 0
        self.timeouts: list[float] = []
        self.failures: list[BaseException] = []
        self.checked = 0
        self.left: list[float] = []
        self.may_open = threading.Event()
        self.may_open.set()
        self._lock = threading.Lock()
        self._numbers = count(1)

    def connect(self, timeout: float) -> Connection:
        assert self.may_open.wait(PATIENCE)
        with self._lock:
            self.timeouts.append(timeout)
            if self.failures:
                raise self.failures.pop(0)
            connection = Connection(next(self._numbers))
            self.made.append(connection)
            self.most = max(self.most, self.open)
            return connection

    def close(self, connection: Connection) -> None:
        assert connection.open
        connection.open = False

    def check(self, connection: Connection, left: float) -> bool:
        self.checked += 1
        self.left.append(left)
        if connection.check_takes:
            sleep(connection.check_takes)
        return connection.good

    @property
    def open(self) -> int:
        return sum(connection.open for connection in self.made)

    def pool(self, **options: Any) -> "Pool[Connection]":
        given: dict[str, Any] = {
            "name": "readers",
            "max_open": 2,
            "max_idle": 2,
            "timeout": PATIENCE,
        }
        return Pool(self.connect, self.close, **{**given, **options})


@pytest.fixture
def engine() -> Engine:
    """An engine without connections."""
    return Engine()


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < deadline
        sleep(0.001)


def waiting(pool: "Pool[Connection]", number: int) -> None:
    until(lambda: pool.stats.waiting == number)


def numbers(leases: "list[Lease[Connection]]") -> list[int]:
    return [lease.connection.number for lease in leases]


# -- lending ----------------------------------------------------------------------


def test_nothing_is_opened_before_somebody_asks(engine: Engine) -> None:
    pool = engine.pool()

    assert pool.stats == PoolStats(open=0, idle=0, lent=0, waiting=0, max_open=2)
    assert engine.made == []


def test_a_connection_is_lent_again(engine: Engine) -> None:
    pool = engine.pool()
    for _ in range(3):
        pool.release(pool.acquire())

    assert len(engine.made) == 1
    assert pool.stats == PoolStats(open=1, idle=1, lent=0, waiting=0, max_open=2)


def test_the_last_given_back_is_the_first_lent_again(engine: Engine) -> None:
    pool = engine.pool(max_open=3, max_idle=3)
    leases = [pool.acquire() for _ in range(3)]
    for index in (1, 0, 2):
        pool.release(leases[index])

    assert numbers([pool.acquire() for _ in range(3)]) == [3, 1, 2]


def test_the_figures_are_those_of_the_moment(engine: Engine, spawn: Spawn) -> None:
    pool = engine.pool()
    one, two = pool.acquire(), pool.acquire()
    waiter = spawn(pool.acquire)
    waiting(pool, 1)

    assert pool.stats == PoolStats(open=2, idle=0, lent=2, waiting=1, max_open=2)

    pool.release(one)
    pool.release(waiter.result(PATIENCE))
    idle, lent = pool.leases()

    assert pool.stats == PoolStats(open=2, idle=1, lent=1, waiting=0, max_open=2)
    assert (numbers(idle), numbers(lent)) == ([1], [two.connection.number])


def test_more_than_the_idle_limit_are_closed_when_they_come_back(
    engine: Engine,
) -> None:
    pool = engine.pool(max_open=4, max_idle=1)
    for lease in [pool.acquire() for _ in range(4)]:
        pool.release(lease)

    assert engine.open == pool.stats.open == pool.stats.idle == 1


def test_no_idle_connection_is_kept_where_none_may_be(engine: Engine) -> None:
    pool = engine.pool(max_idle=0)
    pool.release(pool.acquire())

    assert engine.open == pool.stats.open == 0
    assert pool.acquire().connection.number == 2


def test_a_discarded_connection_is_closed_and_its_place_is_free(
    engine: Engine,
) -> None:
    pool = engine.pool(max_open=1)
    pool.release(pool.acquire(), discard=True)

    assert engine.open == 0
    assert pool.acquire(0.1).connection.number == 2


def test_giving_back_twice_is_noticed(engine: Engine) -> None:
    pool = engine.pool(max_open=3, max_idle=3)
    lease = pool.acquire()
    pool.release(lease)

    with pytest.raises(ValueError, match="given back"):
        pool.release(lease)
    assert pool.acquire().connection is not pool.acquire().connection


# -- waiting ----------------------------------------------------------------------


def test_who_waits_longest_is_served_first(engine: Engine, spawn: Spawn) -> None:
    pool = engine.pool(max_open=1)
    order: list[int] = []

    def queue(number: int) -> None:
        lease = pool.acquire()
        order.append(number)
        pool.release(lease)

    held = pool.acquire()
    futures = []
    for number in range(8):
        futures.append(spawn(queue, number))
        waiting(pool, number + 1)
    pool.release(held)
    for future in futures:
        future.result(PATIENCE)

    assert order == list(range(8))
    assert len(engine.made) == 1


def test_a_discarded_connection_makes_place_for_who_waits_longest(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool(max_open=1)
    held = pool.acquire()
    first = spawn(pool.acquire)
    waiting(pool, 1)
    second = spawn(pool.acquire)
    waiting(pool, 2)
    pool.release(held, discard=True)

    assert first.result(PATIENCE).connection.number == 2
    assert not second.done()

    pool.release(first.result())

    assert second.result(PATIENCE).connection.number == 2


def test_who_comes_back_at_once_does_not_overtake_who_waits(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool(max_open=1)
    held = pool.acquire()
    waiter = spawn(pool.acquire)
    waiting(pool, 1)
    pool.release(held)
    again = spawn(pool.acquire)

    lease = waiter.result(PATIENCE)
    waiting(pool, 1)
    assert not again.done()
    pool.release(lease)
    again.result(PATIENCE)


def test_a_wait_in_vain_says_the_figures_and_who_holds(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool()
    _other = spawn(pool.acquire, name="worker-7").result(PATIENCE)
    _held = pool.acquire()
    with pytest.raises(core.PoolTimeoutError) as caught:
        pool.acquire(0.05)

    message = caught.value.message
    assert "2 of 2 readers" in message
    assert "0.1 s" in message or "0.0 s" in message
    assert "MainThread" in message
    assert caught.value.hint is not None
    assert "max_open_conns" in caught.value.hint
    assert "pool_timeout" in caught.value.hint
    assert caught.value.retryable
    assert pool.stats.waiting == 0


def test_a_holder_is_named_with_the_age_of_its_loan_and_its_place(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool(max_open=1)
    stay = threading.Event()

    def hold() -> None:
        lease = pool.acquire()
        stay.wait(PATIENCE)
        pool.release(lease)

    held = spawn(hold, name="worker-7")
    until(lambda: pool.stats.lent == 1)
    sleep(0.15)
    where = r"now at test_pool\.py:\d+ in hold"
    with pytest.raises(
        core.PoolTimeoutError, match=rf"worker-7 for 0\.[1-9] s, {where}"
    ):
        pool.acquire(0.01)
    stay.set()
    held.result(PATIENCE)


def test_a_wait_in_vain_says_how_many_stood_before(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool(max_open=1)
    held = pool.acquire()
    first = spawn(pool.acquire)
    waiting(pool, 1)
    with pytest.raises(core.PoolTimeoutError, match="1 waited longer"):
        pool.acquire(0.01)
    pool.release(held)
    pool.release(first.result(PATIENCE))


def test_a_pool_may_have_an_error_of_its_own(engine: Engine) -> None:
    seen: list[Any] = []

    def busy(waited: float, stats: PoolStats, holders: list[str]) -> core.StoreError:
        seen.append((waited, stats, holders))
        return core.StoreBusyError("no turn")

    pool = engine.pool(max_open=1, busy=busy, timeout=0.01)
    _held = pool.acquire()
    with pytest.raises(core.StoreBusyError, match="no turn"):
        pool.acquire()

    ((waited, stats, holders),) = seen
    assert 0 <= waited < PATIENCE
    assert (stats.lent, stats.max_open) == (1, 1)
    assert len(holders) == 1


def test_who_gave_up_is_not_served(engine: Engine) -> None:
    pool = engine.pool(max_open=1)
    held = pool.acquire()
    with pytest.raises(core.PoolTimeoutError):
        pool.acquire(0)
    pool.release(held)

    assert pool.stats == PoolStats(open=1, idle=1, lent=0, waiting=0, max_open=1)


def test_an_interrupted_waiter_leaves_the_queue(engine: Engine, spawn: Spawn) -> None:
    pool = engine.pool(max_open=1)
    held = pool.acquire()
    main = threading.get_ident()

    def interrupt() -> None:
        waiting(pool, 1)
        signal.pthread_kill(main, signal.SIGINT)

    interrupting = spawn(interrupt)
    with pytest.raises(KeyboardInterrupt):
        pool.acquire()
    interrupting.result(PATIENCE)

    assert pool.stats.waiting == 0
    pool.release(held)
    assert pool.acquire(0.1).connection.number == 1


@pytest.mark.parametrize("discard", [False, True], ids=["connection", "place"])
def test_a_waiter_interrupted_once_it_was_served_passes_that_on(
    engine: Engine, spawn: Spawn, *, discard: bool
) -> None:
    """No signal can be aimed at that moment, so the waiter is made by hand."""
    pool = engine.pool(max_open=1)
    held = pool.acquire()
    interrupted = Waiter[Connection]()
    pool._waiters.append(interrupted)
    following = spawn(pool.acquire)
    waiting(pool, 2)
    pool.release(held, discard=discard)
    assert not following.done()
    pool.leave(interrupted)

    assert following.result(PATIENCE).connection.open
    stats = PoolStats(open=1, idle=0, lent=1, waiting=0, max_open=1)
    assert pool.stats == stats


# -- opening ----------------------------------------------------------------------


def test_an_error_of_connecting_is_raised_as_it_is_and_frees_the_place(
    engine: Engine,
) -> None:
    pool = engine.pool(max_open=1)
    engine.failures = [core.OpenError("no route"), KeyboardInterrupt()]
    with pytest.raises(core.OpenError, match="no route"):
        pool.acquire()
    with pytest.raises(KeyboardInterrupt):
        pool.acquire()

    assert pool.stats.open == 0
    assert pool.acquire(0.1).connection.open


def test_an_error_of_connecting_passes_the_place_on(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool(max_open=1)
    held = pool.acquire()
    first = spawn(pool.acquire)
    waiting(pool, 1)
    second = spawn(pool.acquire)
    waiting(pool, 2)
    engine.failures = [core.OpenError("no route")]
    pool.release(held, discard=True)

    assert isinstance(first.exception(PATIENCE), core.OpenError)
    assert second.result(PATIENCE).connection.open


def test_the_last_error_of_connecting_is_told_until_one_succeeds(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool()
    _held = pool.acquire()
    engine.failures = [core.OpenError("no route\nand more")]
    with pytest.raises(core.OpenError):
        pool.acquire()
    engine.may_open.clear()
    # While one thread opens another connection, a third waits in vain.
    opening = spawn(pool.acquire)
    until(lambda: pool.stats.open == 2)
    with pytest.raises(core.PoolTimeoutError, match=r"no route\)") as caught:
        pool.acquire(0.01)
    engine.may_open.set()
    opening.result(PATIENCE)

    assert "and more" not in caught.value.message
    with pytest.raises(core.PoolTimeoutError) as after:
        pool.acquire(0.01)
    assert "no route" not in after.value.message


def test_connecting_has_the_time_that_is_left(engine: Engine) -> None:
    pool = engine.pool(timeout=7.0)
    _held = pool.acquire()
    pool.acquire(3.0)

    assert 6.0 < engine.timeouts[0] <= 7.0
    assert 2.0 < engine.timeouts[1] <= 3.0


# -- age and health ---------------------------------------------------------------


def test_a_connection_past_its_lifetime_is_replaced(engine: Engine) -> None:
    pool = engine.pool(max_open=1, max_lifetime=0.02)
    lease = pool.acquire()
    sleep(0.03)
    pool.release(lease)

    assert engine.open == 0

    pool.release(pool.acquire())
    sleep(0.03)

    last = pool.acquire()
    assert last.connection.number == 3
    assert engine.open == 1


def test_one_that_was_unused_for_long_is_replaced(engine: Engine) -> None:
    pool = engine.pool(max_open=1, max_idle_time=0.02)
    pool.release(pool.acquire())
    sleep(0.03)

    last = pool.acquire()
    assert last.connection.number == 2
    assert engine.open == 1


def test_surplus_ones_age_out_while_others_are_used(engine: Engine) -> None:
    pool = engine.pool(max_open=3, max_idle=3, max_idle_time=0.05)
    for lease in [pool.acquire() for _ in range(3)]:
        pool.release(lease)
    deadline = monotonic() + PATIENCE
    while engine.open > 1 and monotonic() < deadline:
        pool.release(pool.acquire())
        sleep(0.005)

    assert engine.open == pool.stats.open == 1
    assert len(engine.made) == 3


def test_without_limits_of_age_one_connection_stays(engine: Engine) -> None:
    pool = engine.pool(max_lifetime=0, max_idle_time=0)
    pool.release(pool.acquire())
    sleep(0.02)

    assert pool.acquire().connection.number == 1


def test_one_that_fails_its_check_is_replaced(engine: Engine) -> None:
    pool = engine.pool(max_open=3, max_idle=3, check=engine.check)
    for lease in [pool.acquire() for _ in range(3)]:
        lease.connection.good = lease.connection.number == 1
        pool.release(lease)

    last = pool.acquire()
    assert last.connection.number == 1
    assert engine.open == pool.stats.open == 1


def test_checks_share_the_time_that_there_is(engine: Engine) -> None:
    pool = engine.pool(max_open=3, max_idle=3, check=engine.check)
    leases = [pool.acquire() for _ in range(3)]
    for lease in leases:
        lease.connection.good = False
        lease.connection.check_takes = 0.02
        pool.release(lease)
    pool.acquire(0.5)

    assert engine.left[0] == 0.5
    assert engine.left[1] <= 0.48
    assert engine.left[2] <= 0.46


def test_a_check_that_raises_loses_no_place(engine: Engine) -> None:
    def check(*_: object) -> bool:
        raise core.ConnectionLostError("gone")

    pool = engine.pool(max_open=1, check=check)
    pool.release(pool.acquire())
    with pytest.raises(core.ConnectionLostError):
        pool.acquire()

    assert pool.acquire(0.1).connection.number == 2


def test_a_check_is_asked_only_after_its_period(engine: Engine) -> None:
    pool = engine.pool(check=engine.check, check_period=PATIENCE)
    for _ in range(5):
        pool.release(pool.acquire())

    assert engine.checked == 0

    often = engine.pool(check=engine.check, check_period=0)
    for _ in range(5):
        often.release(often.acquire())

    assert engine.checked == 4


# -- looking ----------------------------------------------------------------------


def test_a_look_has_each_unused_connection_for_itself(engine: Engine) -> None:
    pool = engine.pool(max_open=3, max_idle=3)
    lent, *idle = [pool.acquire() for _ in range(3)]
    for lease in idle:
        pool.release(lease)

    def look(connection: Connection) -> tuple[int, int]:
        lease = pool.acquire(0.1)
        pool.release(lease)
        return connection.number, lease.connection.number

    assert set(pool.inspect(look)) == {(2, 3), (3, 2)}
    assert pool.stats == PoolStats(open=3, idle=2, lent=1, waiting=0, max_open=3)
    pool.release(lent)
    assert len(engine.made) == 3


def test_who_asks_during_a_look_is_served_after_it(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool(max_open=1)
    pool.release(pool.acquire())
    asked: list[Future[Any]] = []

    def look(_: Connection) -> bool:
        asked.append(spawn(pool.acquire))
        waiting(pool, 1)
        return asked[0].done()

    assert pool.inspect(look) == [False]
    assert asked[0].result(PATIENCE).connection.number == 1


def test_a_look_is_no_use(engine: Engine) -> None:
    pool = engine.pool(max_open=1, max_idle_time=0.05)
    lease = pool.acquire()
    pool.release(lease)
    since, good_until = lease.since, lease.good_until
    deadline = since + 0.06
    while monotonic() < deadline:
        assert pool.inspect(lambda connection: connection.number) == [1]

    assert (lease.since, lease.good_until) == (since, good_until)
    last = pool.acquire()
    assert last.connection.number == 2
    assert engine.open == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_look_that_raises_closes_the_connection_and_keeps_its_place(
    engine: Engine, error: type[BaseException]
) -> None:
    pool = engine.pool(max_open=1)
    pool.release(pool.acquire())

    def look(_: Connection) -> None:
        raise error

    with pytest.raises(error):
        pool.inspect(look)
    assert engine.open == pool.stats.open == 0
    assert pool.acquire(0.1).connection.number == 2


def test_a_connection_that_is_looked_at_during_the_close_is_closed(
    engine: Engine,
) -> None:
    pool = engine.pool(max_open=1)
    pool.release(pool.acquire())

    def look(_: Connection) -> None:
        with pytest.raises(core.StoreBusyError):
            pool.close(0)

    pool.inspect(look)

    assert engine.open == 0
    pool.close(0)


# -- the end ----------------------------------------------------------------------


def test_closing_closes_what_is_idle_and_refuses_what_comes(engine: Engine) -> None:
    pool = engine.pool()
    for lease in [pool.acquire(), pool.acquire()]:
        pool.release(lease)
    pool.close(0)
    pool.close(0)

    assert engine.open == 0
    with pytest.raises(core.StoreClosedError):
        pool.acquire()


def test_closing_waits_a_bounded_time_and_says_who_has_what(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool()
    lease = spawn(pool.acquire, name="worker-7").result(PATIENCE)
    started = monotonic()
    with pytest.raises(core.StoreBusyError, match="readers") as caught:
        pool.close(0.05)

    assert monotonic() - started < PATIENCE
    assert "thread" in caught.value.message
    assert caught.value.hint is not None
    assert lease.connection.open


def test_one_that_comes_back_after_the_close_is_closed(engine: Engine) -> None:
    pool = engine.pool()
    one, two = pool.acquire(), pool.acquire()
    with pytest.raises(core.StoreBusyError):
        pool.close(0)
    pool.release(one)
    pool.release(two, discard=True)

    assert engine.open == pool.stats.open == 0
    pool.close(0)


def test_closing_ends_as_soon_as_the_last_one_is_back(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool()
    lease = pool.acquire()
    closing = spawn(pool.close, PATIENCE)
    until(lambda: pool._end is not None)
    pool.release(lease)
    closing.result(PATIENCE)

    assert engine.open == 0


def test_who_waits_is_told_of_the_close(engine: Engine, spawn: Spawn) -> None:
    pool = engine.pool(max_open=1)
    lease = pool.acquire()
    waiters = [spawn(pool.acquire) for _ in range(3)]
    waiting(pool, 3)
    with pytest.raises(core.StoreBusyError):
        pool.close(0)

    for waiter in waiters:
        assert isinstance(waiter.exception(PATIENCE), core.StoreClosedError)
    pool.release(lease)
    assert engine.open == 0


def test_one_that_is_being_opened_at_the_close_is_closed_in_the_end(
    engine: Engine, spawn: Spawn
) -> None:
    pool = engine.pool(max_open=1)
    engine.may_open.clear()

    def use() -> None:
        pool.release(pool.acquire())

    using = spawn(use)
    until(lambda: pool.stats.open == 1)
    closing = spawn(pool.close, PATIENCE)
    until(lambda: pool._end is not None)
    engine.may_open.set()
    using.exception(PATIENCE)
    closing.result(PATIENCE)

    assert engine.open == pool.stats.open == 0


# -- under load -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_under_load_the_limit_holds_and_nothing_is_lent_twice(
    engine: Engine, spawn: Spawn, seed: int
) -> None:
    pool = engine.pool(
        max_open=3,
        max_idle=2,
        max_idle_time=0.002,
        max_lifetime=0.01,
        check=engine.check,
        check_period=0.001,
    )
    in_use: set[int] = set()
    guard = threading.Lock()

    def work(number: int) -> int:
        random = Random(seed * 100 + number)  # noqa: S311 - to be repeated
        served = 0
        for _ in range(150):
            try:
                lease = pool.acquire(random.choice([0.0, 0.001, PATIENCE]))
            except core.PoolTimeoutError:
                continue
            served += 1
            connection = lease.connection
            with guard:
                assert connection.open
                assert connection.number not in in_use
                in_use.add(connection.number)
            if random.random() < 0.2:
                sleep(random.random() / 1000)
            with guard:
                in_use.remove(connection.number)
            connection.good = random.random() < 0.9
            pool.release(lease, discard=random.random() < 0.1)
        return served

    served = [spawn(work, number) for number in range(8)]
    assert all(future.result(PATIENCE) > 0 for future in served)

    stats = pool.stats
    assert engine.most <= 3
    assert (stats.lent, stats.waiting) == (0, 0)
    assert stats.open == stats.idle == engine.open <= 2
    pool.close(0)
    assert engine.open == 0


def test_a_close_wakes_everybody_who_is_just_beginning_to_wait(
    spawn: Spawn, quick_switches: None
) -> None:
    for _ in range(150):
        engine = Engine()
        pool = engine.pool(max_open=1, timeout=3 * PATIENCE)
        _held = pool.acquire()
        begin = threading.Barrier(5)

        def ask(
            pool: "Pool[Connection]" = pool, begin: threading.Barrier = begin
        ) -> None:
            begin.wait(PATIENCE)
            pool.acquire()

        asking = [spawn(ask) for _ in range(4)]
        begin.wait(PATIENCE)
        with pytest.raises(core.StoreBusyError):
            pool.close(0)

        for future in asking:
            assert isinstance(future.exception(PATIENCE), core.StoreClosedError)
        assert pool.stats.waiting == 0


# Drops a scope, and has the garbage collector find it while the pool has its lock.
DROPPED = """
    import gc, sys
    from mooring.core import Pool

    def scope(discard):
        lease = pool.acquire()
        try:
            yield lease
        finally:
            ended.append(discard)
            pool.release(lease, discard=discard)

    class Holder:
        pass

    discard, keep = sys.argv[1] == "discard", int(sys.argv[2])
    ended = []
    pool = Pool(lambda _: object(), lambda _: None, name="readers", max_open=2,
                max_idle=keep, timeout=20)
    for number in range(200):
        gc.set_threshold(100_000)
        gc.collect()
        holder = Holder()
        holder.itself, holder.scope = holder, scope(discard)
        next(holder.scope)
        del holder
        gc.set_threshold(1 + number)  # a little later in each round
        stats = pool.stats
        gc.set_threshold(100_000)
        gc.collect()
        assert len(ended) == number + 1
        assert pool.stats.lent == 0
    pool.close(20)
    print("fine")
"""


@pytest.mark.parametrize(
    ("end", "keep"), [("release", 0), ("discard", 0), ("discard", 1)]
)
def test_a_dropped_scope_that_is_collected_inside_the_lock_does_not_hang(
    start: Callable[..., "subprocess.Popen[str]"], end: str, keep: int
) -> None:
    told, errors = start(DROPPED, end, keep).communicate(timeout=PATIENCE)

    assert told == "fine\n", errors


def test_a_loan_that_nobody_has_any_more_is_closed_and_its_place_free(
    engine: Engine,
) -> None:
    pool = engine.pool(max_open=1)
    first = pool.acquire().connection
    second = pool.acquire(0.1)

    assert not first.open
    assert second.connection.open
    assert (engine.open, pool.stats.open, pool.stats.lent) == (1, 1, 1)


def test_a_lost_loan_is_reset_and_lent_again_where_that_works(engine: Engine) -> None:
    good = [True, False]
    pool = engine.pool(max_open=1, reset=lambda _: good.pop(0))

    first = pool.acquire().connection
    assert engine.open == 1
    lease = pool.acquire(0.1)
    assert lease.connection is first
    del lease
    assert engine.open == 0
    lease = pool.acquire(0.1)
    assert lease.connection is not first
    pool.release(lease)


def test_a_close_that_raises_is_told_once_and_frees_the_place(engine: Engine) -> None:
    def close(connection: Connection) -> None:
        closed.append(connection.number)
        if len(closed) == 1:
            raise OSError("the disk is gone")

    closed: list[int] = []
    pool = Pool(
        engine.connect, close, name="readers", max_open=1, max_idle=1, timeout=PATIENCE
    )

    with pytest.raises(OSError, match="gone"):
        pool.release(pool.acquire(), discard=True)
    assert closed == [1]
    lease = pool.acquire(0.1)
    assert lease.connection.number == 2
    pool.release(lease)
