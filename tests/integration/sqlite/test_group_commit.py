"""Transactions that wait for each other share a COMMIT, and none is harmed by that.

Each test fills the queue behind a transaction that holds the turn, so that the group is
known: those that wait, in this order.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from random import Random
from typing import Any

import pytest
from mooring import core
from mooring.core import _group
from mooring_sqlite import SqliteStore

OpenSqlite = Callable[..., SqliteStore]
Spawn = Callable[..., "Future[Any]"]
Work = Callable[[Any], object]
Line = Callable[..., "list[Future[Any]]"]

ADD = "INSERT INTO t (id) VALUES (:id)"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
COUNT = "SELECT count(*) FROM t"

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def long_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no pause of a busy machine split a group."""
    monkeypatch.setattr(_group, "_LONGEST", 30.0)


@pytest.fixture
def store(open_sqlite: OpenSqlite) -> SqliteStore:
    """Return a store with ``group_commit="all"`` and a table ``t``."""
    store = open_sqlite(group_commit="all")
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT)")
    return store


def add(number: int) -> Work:
    """Return what adds a row to ``t``."""
    return lambda tx: tx.execute(ADD, {"id": number})


def block(store: SqliteStore, work: Work) -> None:
    """Do *work* in a ``with`` block, which cannot run again."""
    with store.transaction() as tx:
        work(tx)


@pytest.fixture
def line_up(spawn: Spawn) -> Line:
    """Let calls queue for the turn of a store, in this order, and then begin."""

    def line_up(store: SqliteStore, *calls: Callable[[], object]) -> list[Future[Any]]:
        futures = []
        with store.transaction(alone=True):
            for number, call in enumerate(calls, start=1):
                futures.append(spawn(call))
                while store._writers.stats.waiting < number:
                    time.sleep(0.001)
        return futures

    return line_up


@contextmanager
def traced(store: SqliteStore) -> Iterator[list[str]]:
    """Yield what SQLite is told on the connection that writes."""
    told: list[str] = []
    lease = store._writers.acquire()
    store._writers.release(lease)
    lease.connection.connection.set_trace_callback(told.append)
    yield told
    lease.connection.connection.set_trace_callback(None)


def rows(store: SqliteStore) -> list[int]:
    """Return the ids in ``t``."""
    return [row["id"] for row in store.execute("SELECT id FROM t ORDER BY id")]


def ways(store: SqliteStore, work: Work) -> dict[str, Callable[[], object]]:
    """Return each way to do *work* in a transaction."""
    return {"run": lambda: store.run(work), "block": lambda: block(store, work)}


@pytest.mark.parametrize("way", ["run", "block"])
def test_those_that_wait_share_one_commit(
    store: SqliteStore, line_up: Line, way: str
) -> None:
    with traced(store) as told:
        done = line_up(store, *(ways(store, add(n))[way] for n in range(5)))
        for future in done:
            future.result()

    # One is that of the transaction which they waited for.
    assert told.count("COMMIT") == 2
    assert rows(store) == [0, 1, 2, 3, 4]


def test_single_statements_share_it_too(store: SqliteStore, line_up: Line) -> None:
    calls = [lambda n=n: store.execute(ADD, {"id": n}) for n in range(5)]

    with traced(store) as told:
        results = [future.result() for future in line_up(store, *calls)]
    assert told.count("COMMIT") == 2
    assert [result.rowcount for result in results] == [1] * 5
    assert rows(store) == [0, 1, 2, 3, 4]


def test_statements_that_no_transaction_takes_wait_and_run_alone(
    store: SqliteStore, line_up: Line
) -> None:
    store.execute("VACUUM")  # now it is known to write

    for future in line_up(
        store,
        lambda: store.run(add(0)),
        lambda: store.execute("VACUUM"),
        lambda: store.run(add(1)),
    ):
        future.result()
    assert rows(store) == [0, 1]


@pytest.mark.parametrize(
    ("mode", "commits"), [("off", (3, 3)), ("closures", (1, 3)), ("all", (1, 1))]
)
def test_the_option_says_who_shares(
    open_sqlite: OpenSqlite, line_up: Line, mode: str, commits: tuple[int, int]
) -> None:
    store = open_sqlite(group_commit=mode)
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")

    for way, expected in zip(("run", "block"), commits, strict=True):
        store.execute("DELETE FROM t")
        with traced(store) as told:
            for future in line_up(store, *(ways(store, add(n))[way] for n in range(3))):
                future.result()
        assert told.count("COMMIT") - 1 == expected, way


def test_closures_share_it_by_default(open_sqlite: OpenSqlite) -> None:
    assert open_sqlite().config.group_commit == "closures"


def test_a_transaction_may_stay_alone(store: SqliteStore, line_up: Line) -> None:
    def alone() -> None:
        with store.transaction(alone=True) as tx:
            tx.execute(ADD, {"id": 1})

    with traced(store) as told:
        for future in line_up(
            store,
            lambda: store.run(add(0)),
            alone,
            lambda: store.run(add(2), alone=True),
            lambda: store.run(add(3)),
        ):
            future.result()
    assert told.count("COMMIT") == 5
    assert rows(store) == [0, 1, 2, 3]


def test_nobody_waits_nothing_is_added(store: SqliteStore) -> None:
    with traced(store) as told:
        store.run(add(1))
        block(store, add(2))

    assert told == [
        "BEGIN IMMEDIATE",
        "INSERT INTO t (id) VALUES (1)",
        "COMMIT",
        "BEGIN IMMEDIATE",
        "INSERT INTO t (id) VALUES (2)",
        "COMMIT",
    ]


def test_nothing_is_acknowledged_before_the_commit(
    store: SqliteStore, line_up: Line
) -> None:
    last_may_end = threading.Event()

    def last(tx: Any) -> None:
        tx.execute(ADD, {"id": 2})
        assert last_may_end.wait(30)

    *early, late = line_up(
        store,
        *(lambda n=n: store.run(add(n)) for n in range(2)),
        lambda: store.run(last),
    )
    while not store._writers.leases()[1][0].unfinished:
        time.sleep(0.001)
    time.sleep(0.05)
    assert not any(future.done() for future in early)
    assert store.execute(COUNT).scalar() == 0
    last_may_end.set()
    for future in (*early, late):
        future.result()
    assert rows(store) == [0, 1, 2]


def test_each_block_runs_in_its_own_thread_and_context(
    store: SqliteStore, line_up: Line
) -> None:
    name: ContextVar[int] = ContextVar("name")

    def call(number: int) -> bool:
        name.set(number)
        me = threading.get_ident()
        return store.run(
            lambda tx: (
                bool(tx.execute(ADD, {"id": name.get()}))
                and threading.get_ident() == me
                and name.get() == number
            )
        )

    done = line_up(store, *(lambda n=n: call(n) for n in range(4)))
    assert all(future.result() for future in done)
    assert rows(store) == [0, 1, 2, 3]


def test_who_comes_later_sees_what_others_of_the_group_did(
    store: SqliteStore, line_up: Line
) -> None:
    def count(tx: Any) -> object:
        tx.execute("INSERT INTO t DEFAULT VALUES")
        return tx.execute(COUNT).scalar()

    done = line_up(store, *(lambda: store.run(count) for _ in range(4)))
    assert [future.result() for future in done] == [1, 2, 3, 4]


# What a member does that SQLite lets the others survive.
def _raise(_: Any) -> None:
    raise ValueError("mine")


def _duplicate(tx: Any) -> None:
    tx.execute("INSERT INTO t (id) VALUES (99)")
    tx.execute("INSERT INTO t (id) VALUES (99)")


def _no_parent(tx: Any) -> None:
    tx.execute("CREATE TABLE child (id INTEGER REFERENCES t (id))")
    tx.execute("INSERT INTO child VALUES (12345)")


def _read_for_too_long(tx: Any) -> None:
    tx.execute("INSERT INTO t (id) VALUES (99)")
    tx.execute(f"{ENDLESS} SELECT count(*) FROM n")


def _vacuum(tx: Any) -> None:
    tx.execute("VACUUM")


def _leave_failed(tx: Any) -> None:
    try:
        tx.execute("SELECT nonsense FROM t")
    except core.StatementError:
        tx.execute(COUNT)


def _in_savepoints(tx: Any) -> None:
    tx.execute("INSERT INTO t (id) VALUES (98)")
    with tx.savepoint(), tx.savepoint():
        _duplicate(tx)


HARMLESS: list[tuple[Work, type[Exception]]] = [
    (_raise, ValueError),
    (_duplicate, core.UniqueViolation),
    (_no_parent, core.ForeignKeyViolation),
    (_read_for_too_long, core.StatementTimeoutError),
    (_vacuum, core.StoreError),
    (_leave_failed, core.TransactionAbortedError),
    (_in_savepoints, core.UniqueViolation),
]


@pytest.mark.parametrize("way", ["run", "block"])
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(
    ("work", "error"), HARMLESS, ids=[work.__name__[1:] for work, _ in HARMLESS]
)
def test_a_member_that_fails_leaves_the_others_alone(
    open_sqlite: OpenSqlite,
    line_up: Line,
    work: Work,
    error: type[Exception],
    position: int,
    way: str,
) -> None:
    store = open_sqlite(group_commit="all", statement_timeout=0.1)
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    works = [add(0), add(1)]
    works.insert(position, work)

    with traced(store) as told:
        done = line_up(store, *(ways(store, one)[way] for one in works))
        with pytest.raises(error):
            done.pop(position).result()
        for future in done:
            future.result()
    assert rows(store) == [0, 1]
    # Where it is the first, what it had begun is rolled back.
    assert told.count("COMMIT") == 2
    assert told.count("BEGIN IMMEDIATE") == (3 if position == 0 else 2)


def test_ddl_of_a_member_stays(store: SqliteStore, line_up: Line) -> None:
    for future in line_up(
        store,
        lambda: store.run(add(0)),
        lambda: store.run(lambda tx: tx.execute("CREATE TABLE u (x)")),
        lambda: store.run(lambda tx: tx.execute("INSERT INTO u VALUES (1)")),
    ):
        future.result()
    assert store.execute("SELECT count(*) FROM u").scalar() == 1
    assert rows(store) == [0]


# What makes SQLite roll the whole transaction back.
def _or_rollback(tx: Any) -> None:
    tx.execute("INSERT OR ROLLBACK INTO t (id) VALUES (0)")


def _write_for_too_long(tx: Any) -> None:
    tx.execute(f"INSERT INTO t (id) {ENDLESS} SELECT i + 100 FROM n")


def _trigger(tx: Any) -> None:
    tx.execute(
        "CREATE TRIGGER strict BEFORE INSERT ON t WHEN NEW.id = 50"
        " BEGIN SELECT RAISE(ROLLBACK, 'no'); END"
    )
    tx.execute("INSERT INTO t (id) VALUES (50)")


FATAL: list[tuple[Work, type[Exception]]] = [
    (_or_rollback, core.UniqueViolation),
    (_write_for_too_long, core.StatementTimeoutError),
    (_trigger, core.IntegrityError),
]


@pytest.mark.parametrize(
    ("work", "error"), FATAL, ids=[work.__name__[1:] for work, _ in FATAL]
)
def test_after_a_lost_group_closures_run_again_alone_and_in_order(
    open_sqlite: OpenSqlite, line_up: Line, work: Work, error: type[Exception]
) -> None:
    store = open_sqlite(group_commit="all", statement_timeout=0.2)
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    ran: list[int] = []

    def noted(number: int) -> Callable[[], object]:
        def fn(tx: Any) -> None:
            ran.append(number)
            tx.execute(ADD, {"id": number})

        return lambda: store.run(fn)

    with traced(store) as told:
        *good, bad, late = line_up(
            store, *map(noted, range(3)), lambda: block(store, work), noted(3)
        )
        with pytest.raises(error):
            bad.result()
        for future in (*good, late):
            future.result()
    # Those that were lost go before the one that came after them.
    assert ran == [0, 1, 2, 0, 1, 2, 3]
    assert rows(store) == [0, 1, 2, 3]
    # The first is that of the turn they waited for; then each by itself.
    assert told.count("COMMIT") == 5


@pytest.mark.parametrize(
    ("work", "error"), FATAL, ids=[work.__name__[1:] for work, _ in FATAL]
)
def test_after_a_lost_group_blocks_get_an_error_that_says_to_try_again(
    open_sqlite: OpenSqlite, line_up: Line, work: Work, error: type[Exception]
) -> None:
    store = open_sqlite(group_commit="all", statement_timeout=0.2)
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")

    lost, again, bad = line_up(
        store,
        lambda: block(store, add(0)),
        lambda: store.execute(ADD, {"id": 1}),
        lambda: block(store, work),
    )
    with pytest.raises(core.SerializationError, match="shared its COMMIT") as caught:
        lost.result()
    assert caught.value.retryable
    assert again.result().rowcount == 1
    with pytest.raises(error):
        bad.result()
    assert rows(store) == [1]


def test_a_commit_that_fails_is_told_to_the_one_who_broke_it(
    store: SqliteStore, line_up: Line
) -> None:
    """A deferred foreign key that came into the schema after the group began."""

    def orphan(tx: Any) -> None:
        tx.execute("INSERT INTO late VALUES (12345)")

    def make(tx: Any) -> None:
        tx.execute(
            "CREATE TABLE late (id REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)"
        )

    calls = [add(0), make, orphan, add(1)]
    done = line_up(store, *(lambda c=c: store.run(c) for c in calls))
    with pytest.raises(core.ForeignKeyViolation):
        done.pop(2).result()
    for future in done:
        future.result()
    assert rows(store) == [0, 1]
    # From now on nobody shares.
    with traced(store) as told:
        for future in line_up(store, *(lambda n=n: store.run(add(n)) for n in (2, 3))):
            future.result()
    assert told.count("COMMIT") == 3


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "CREATE TABLE c (id REFERENCES t (id) DEFERRABLE  INITIALLY\nDEFERRED)",
            "table c has a deferred foreign key",
        ),
        (
            "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT raise(rollback,'x'); END",
            "trigger r raises ROLLBACK",
        ),
        (
            "CREATE TABLE u (x UNIQUE ON CONFLICT ROLLBACK)",
            "table u rolls back on conflict",
        ),
    ],
)
def test_a_schema_that_makes_it_unsafe_turns_it_off(
    store: SqliteStore, line_up: Line, sql: str, reason: str
) -> None:
    def found() -> str:
        health = core.health_check(store)
        assert health.ok
        return next(c.detail for c in health.checks if c.name == "group_commit")

    assert found() == "all"
    store.execute(sql)
    assert found() == f"off: {reason}"
    with traced(store) as told:
        line = line_up(
            store,
            *[lambda: store.execute("INSERT INTO t DEFAULT VALUES")] * 2,
        )
        for future in line:
            future.exception()
    assert not [text for text in told if "SAVEPOINT" in text]


def test_in_memory_nobody_shares(open_sqlite: OpenSqlite) -> None:
    assert open_sqlite(":memory:", group_commit="all").group_commit == "off"


def test_a_guest_that_waits_for_a_member_begins_again(
    open_sqlite: OpenSqlite, line_up: Line
) -> None:
    store = open_sqlite(group_commit="all", busy_timeout=0.3)
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    first_is_done = threading.Event()
    ran = []

    def first() -> None:
        store.run(add(0))
        first_is_done.set()

    def second(tx: Any) -> None:
        ran.append(tx.execute(ADD, {"id": 1}))
        # A rule that store.run has, broken: it waits for another transaction.
        first_is_done.wait(20)

    for future in line_up(store, first, lambda: store.run(second)):
        future.result()
    assert len(ran) == 2
    assert rows(store) == [0, 1]


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_block_that_holds_up_the_others_is_turned_out(
    open_sqlite: OpenSqlite, line_up: Line, *, goes_on: bool
) -> None:
    store = open_sqlite(group_commit="all", busy_timeout=0.3)
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    first_is_done = threading.Event()

    def first() -> None:
        block(store, add(0))
        first_is_done.set()

    def second(tx: Any) -> None:
        tx.execute(ADD, {"id": 1})
        with tx.savepoint():
            tx.execute(ADD, {"id": 2})
            assert first_is_done.wait(20)
            if goes_on:
                tx.execute(ADD, {"id": 3})

    done, turned_out = line_up(store, first, lambda: block(store, second))
    done.result()
    with pytest.raises(core.StoreError, match="took so long") as caught:
        turned_out.result()
    assert isinstance(caught.value, core.SerializationError)
    assert rows(store) == [0]
    store.run(add(4))
    assert rows(store) == [0, 4]


def test_an_interrupt_does_not_keep_a_member_from_its_acknowledgement(
    store: SqliteStore, spawn: Spawn
) -> None:
    """Ctrl-C while the COMMIT of others is awaited: it is raised when that is done."""
    may_end = threading.Event()

    def second(tx: Any) -> None:
        tx.execute(ADD, {"id": 1})
        os.kill(os.getpid(), signal.SIGINT)
        assert may_end.wait(20)

    def first(tx: Any) -> None:
        tx.execute(ADD, {"id": 0})
        futures.append(spawn(lambda: store.run(second)))
        while not store._writers.stats.waiting:
            time.sleep(0.001)

    futures: list[Future[Any]] = []
    timer = threading.Timer(0.3, may_end.set)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        store.run(first)
    assert may_end.is_set()
    futures[0].result()
    timer.join()
    assert rows(store) == [0, 1]


def test_close_waits_for_a_group(store: SqliteStore, line_up: Line) -> None:
    closing = threading.Event()

    def last(tx: Any) -> None:
        closing.set()
        while not store.closed:
            time.sleep(0.001)
        tx.execute(ADD, {"id": 1})

    done = line_up(store, lambda: store.run(add(0)), lambda: store.run(last))
    assert closing.wait(20)
    store.close()
    for future in done:
        future.result()
    with core.open(store.config) as again:
        assert isinstance(again, SqliteStore)
        assert rows(again) == [0, 1]


def test_a_forked_child_does_not_touch_the_group(
    store: SqliteStore, line_up: Line
) -> None:
    def forks(tx: Any) -> int:
        tx.execute(ADD, {"id": 1})
        pid = os.fork()
        if pid == 0:
            try:
                tx.execute(ADD, {"id": 2})
            except core.StoreClosedError:
                os._exit(0)
            os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    first, second = line_up(store, lambda: store.run(add(0)), lambda: store.run(forks))
    first.result()
    assert second.result() == 0
    assert rows(store) == [0, 1]


def test_whatever_members_do_the_acknowledged_is_kept_and_nothing_else(
    open_sqlite: OpenSqlite,
    spawn: Spawn,
    loop: Callable[[int, int], tuple[int, Random]],
) -> None:
    count, random = loop(40, 4000)
    store = open_sqlite(group_commit="all")
    store.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, part INTEGER)")
    store.execute("INSERT INTO t (id) VALUES (0)")
    acknowledged: list[int] = []

    def one(number: int, draw: Random) -> None:
        deed = draw.choice(["good"] * 6 + ["raise", "twice", "rollback", "inner"])

        def fn(tx: Any) -> None:
            for part in range(3):
                tx.execute(
                    "INSERT INTO t (id, part) VALUES (:id, :part)",
                    {"id": number * 3 + part, "part": part},
                )
            if deed == "raise":
                raise ValueError
            if deed == "twice":
                tx.execute(ADD, {"id": number * 3})
            if deed == "rollback":
                tx.execute("INSERT OR ROLLBACK INTO t (id) VALUES (0)")
            if deed == "inner":
                try:
                    with tx.savepoint():
                        tx.execute(ADD, {"id": number * 3})
                except core.UniqueViolation:
                    pass

        way = draw.choice(["run", "block"])
        try:
            ways(store, fn)[way]()
        except (ValueError, core.UniqueViolation):
            assert deed in ("raise", "twice", "rollback")
        except core.SerializationError:
            assert way == "block"
        else:
            acknowledged.append(number)

    def worker(index: int, seed: int) -> None:
        draw = Random(seed)  # noqa: S311 - to draw, not to hide
        for number in range(index * count + 1, (index + 1) * count + 1):
            one(number, draw)

    seeds = [random.getrandbits(32) for _ in range(8)]
    for future in [spawn(worker, n, seed) for n, seed in enumerate(seeds)]:
        future.result()
    expected = sorted(n * 3 + part for n in acknowledged for part in range(3))
    assert rows(store) == [0, *expected]
    assert len(acknowledged) > count
