# ruff: noqa: PT012 - blocks that raise are what is tested
"""Ctrl-C, and streams left half way: nothing stays behind for the next borrower."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import DatabaseServer

Open = Callable[..., PostgresStore]
Spawn = Callable[..., "Future[Any]"]
Start = Callable[..., "subprocess.Popen[str]"]

PATIENCE = 20.0
NUMBERS = "SELECT generate_series(1, 1000) AS n"
# The one without a name is of this statement itself.
CURSORS = "SELECT count(*) FROM pg_cursors WHERE name <> ''"

# Interrupted where it says so: by the signal, which comes while the server works.
INTERRUPTED = """
    import json, sys, time
    from mooring import core

    config, how = json.loads(sys.argv[1]), sys.argv[2]
    add = "INSERT INTO users (id, email, role) VALUES ('u1', 'u1', 'user')"
    slow = "SELECT 1 FROM pg_sleep(20)"
    late = "SELECT n, pg_sleep(n / 40 * 20) FROM generate_series(1, 1000) AS n"

    def statement(store):
        store.execute(slow)

    def transaction(store):
        with store.transaction() as tx:
            tx.execute(add)
            tx.execute(slow)

    def savepoint(store):
        with store.transaction() as tx:
            tx.execute(add)
            with tx.savepoint():
                tx.execute(slow)

    def run(store):
        store.run(lambda tx: (tx.execute(add), tx.execute(slow)))

    def stream(store):
        with store.read() as snapshot:
            list(snapshot.stream(late, size=10))

    with core.open(config) as store:
        pid = store.execute("SELECT pg_backend_pid()").scalar()
        began = time.monotonic()
        try:
            print("ready", flush=True)
            globals()[how](store)
        except KeyboardInterrupt:
            took = time.monotonic() - began
        with store.read() as snapshot:
            cursors = "SELECT count(*) FROM pg_cursors WHERE name <> ''"
            left = snapshot.execute(cursors).scalar()
            found = snapshot.execute("SELECT count(*) FROM users").scalar()
            same = snapshot.execute("SELECT pg_backend_pid()").scalar() == pid
        store.execute(add)
    print(json.dumps([took < 10, left, found, same]))
"""


@pytest.fixture
def asleep(
    postgres_config: dict[str, Any], postgres_server: DatabaseServer
) -> Callable[[], None]:
    """Wait until a session of the test's stores is in pg_sleep."""

    def wait() -> None:
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = %s AND wait_event = 'PgSleep'"
        )
        deadline = monotonic() + PATIENCE
        with postgres_server.connect() as connection:
            name = postgres_config["schema"]
            while connection.execute(query, [name]).fetchone() == (0,):
                assert monotonic() < deadline
                sleep(0.01)

    return wait


@pytest.mark.parametrize(
    "how", ["statement", "transaction", "savepoint", "run", "stream"]
)
def test_ctrl_c_ends_what_runs_and_keeps_nothing_but_the_connection(
    start: Start,
    postgres_config: dict[str, Any],
    asleep: Callable[[], None],
    how: str,
) -> None:
    config = {
        **postgres_config,
        "application_name": postgres_config["schema"],
        "max_open_conns": 1,
    }
    child = start(INTERRUPTED, json.dumps(config), how)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    asleep()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=PATIENCE)

    assert child.returncode == 0, err
    in_time, cursors, rows, same = json.loads(out)
    assert (in_time, cursors, rows, same) == (True, 0, 0, True)


def test_a_stream_left_half_way_leaves_no_cursor_to_the_next_borrower(
    open_postgres: Open,
) -> None:
    store = open_postgres(max_open_conns=1)
    with store.read() as snapshot:
        rows = snapshot.stream(NUMBERS, size=10)
        first = [next(rows)["n"] for _ in range(15)]
        assert snapshot.execute(CURSORS).scalar() == 1
        rows.close()  # type: ignore[attr-defined]  # it is a generator
        assert snapshot.execute(CURSORS).scalar() == 0
        left = snapshot.stream(NUMBERS, size=10)
        next(left)

    assert first == list(range(1, 16))
    with store.read() as snapshot:
        assert snapshot.execute(CURSORS).scalar() == 0


def test_a_stream_closed_late_in_another_thread_does_not_touch_the_next_borrower(
    open_postgres: Open, asleep: Callable[[], None], spawn: Spawn
) -> None:
    store = open_postgres(max_open_conns=1)
    found, left = Event(), Event()

    def read(rows: Iterator[core.Row]) -> None:
        for _ in rows:
            found.set()
            assert left.wait(PATIENCE)

    slow = "SELECT n, pg_sleep(0.05) FROM generate_series(1, 10) AS n"
    with store.read() as snapshot:
        future = spawn(read, snapshot.stream(slow, size=10))
        asleep()  # so that it is in the middle of its rows when the block is left
    with store.read() as snapshot:
        mine = snapshot.stream(NUMBERS, size=10)
        seen = [next(mine)["n"] for _ in range(10)]
        assert found.wait(PATIENCE)
        left.set()
        with pytest.raises(core.StoreError, match="not open"):
            future.result(PATIENCE)
        seen += [row["n"] for row in mine]

    assert seen == list(range(1, 1001))


def test_a_block_left_while_another_thread_is_in_a_statement_is_rolled_back(
    open_postgres: Open, asleep: Callable[[], None], spawn: Spawn
) -> None:
    store = open_postgres(max_open_conns=1)
    with pytest.raises(LookupError), store.transaction() as tx:
        tx.execute("INSERT INTO users (id, email, role) VALUES ('u1', 'u1', 'user')")
        future = spawn(tx.execute, "SELECT pg_sleep(0.3)")
        asleep()
        raise LookupError
    future.result(PATIENCE)
    with store.transaction() as tx:
        found = tx.execute("SELECT count(*) FROM users").scalar()

    assert found == 0
    assert open_postgres().execute("SELECT count(*) FROM users").scalar() == 0


def test_a_stream_that_goes_on_in_another_thread_meets_its_closed_snapshot(
    open_postgres: Open, spawn: Spawn
) -> None:
    store = open_postgres(max_open_conns=1)
    reading, left = Event(), Event()
    seen: list[int] = []

    def read(rows: Iterator[core.Row]) -> None:
        for row in rows:
            seen.append(row["n"])
            if row["n"] == 5:
                reading.set()
                assert left.wait(PATIENCE)

    with store.read() as snapshot:
        future = spawn(read, snapshot.stream(NUMBERS, size=10))
        assert reading.wait(PATIENCE)
    with store.read() as snapshot:
        left.set()
        with pytest.raises(core.StoreError, match="not open"):
            future.result(PATIENCE)
        assert snapshot.execute(CURSORS).scalar() == 0

    assert seen == [1, 2, 3, 4, 5]
