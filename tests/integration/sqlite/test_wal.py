"""The write-ahead log is kept in hand: by deadlines, by checkpoints, or with words."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from subprocess import Popen
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core
from mooring_sqlite import SqliteStore, _store, _upkeep

OpenSqlite = Callable[..., SqliteStore]
Start = Callable[..., "Popen[str]"]
Loop = Callable[[int, int], tuple[int, Random]]

MIB = 1 << 20
LIMIT = 8 * MIB
PATIENCE = 60
USER = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
COUNT = "SELECT count(*) FROM users"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
TOUCH = "UPDATE filler SET x = randomblob(400000)"


@pytest.fixture(autouse=True)
def _look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no second pass between two looks."""
    monkeypatch.setattr(_upkeep, "_PERIOD", 0.0)


@pytest.fixture
def open_filled(open_sqlite: OpenSqlite) -> Callable[..., SqliteStore]:
    """Open a store in which `TOUCH` writes some 400 kB to the log."""

    def run(**options: Any) -> SqliteStore:
        store = open_sqlite(**options)
        store.execute("CREATE TABLE filler (x)")
        store.execute("INSERT INTO filler VALUES (randomblob(400000))")
        return store

    return run


def log_size(folder: Path) -> int:
    return (folder / "app.db-wal").stat().st_size


def write(store: SqliteStore, megabytes: int) -> None:
    for _ in range(megabytes * 5 // 2):
        store.execute(TOUCH)


@contextmanager
def stuck(
    store: SqliteStore, read: Callable[[core.Snapshot], object]
) -> Iterator[Callable[[], object]]:
    """Hold a snapshot in a thread that sits idle; yield how to go on, and what came."""
    reading, go, outcome = threading.Event(), threading.Event(), []

    def hold() -> None:
        try:
            with store.read() as snapshot:
                read(snapshot)
                reading.set()
                go.wait()
                outcome.append(snapshot.execute(COUNT).scalar())
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            outcome.append(error)
            reading.set()

    def result() -> object:
        go.set()
        thread.join(PATIENCE)
        (found,) = outcome
        return found

    thread = threading.Thread(target=hold, name="stuck-reader")
    thread.start()
    try:
        assert reading.wait(PATIENCE)
        yield result
    finally:
        go.set()
        thread.join(PATIENCE)


def count(snapshot: core.Snapshot) -> object:
    return snapshot.execute(COUNT).scalar()


def begin_stream(snapshot: core.Snapshot) -> object:
    rows = snapshot.stream("SELECT x FROM filler UNION ALL SELECT 1", size=1)
    kept.append(rows)
    return next(rows)


kept: list[object] = []


# -- deadlines ----------------------------------------------------------------


@pytest.mark.parametrize("path", ["app.db", ":memory:"])
def test_a_block_that_is_too_old_gets_an_error_and_its_connection_serves_on(
    open_sqlite: OpenSqlite, path: str
) -> None:
    store = open_sqlite(path, read_deadline=0.05)
    with store.read() as snapshot:
        assert snapshot.execute(COUNT).scalar() == 0
        sleep(0.06)
        with pytest.raises(core.SnapshotExpiredError) as caught:
            snapshot.execute(COUNT)
        with pytest.raises(core.TransactionAbortedError, match="read_deadline"):
            snapshot.execute(COUNT)
    store.execute(USER, {"id": "u1"})
    with store.read() as snapshot:
        assert snapshot.execute(COUNT).scalar() == 1

    assert "open for more than 0.05 s" in caught.value.message
    assert caught.value.hint is not None
    assert "raise read_deadline" in caught.value.hint
    assert store.pools()[-1].stats.open == 1


def test_a_stream_ends_with_the_deadline(open_sqlite: OpenSqlite) -> None:
    store = open_sqlite(read_deadline=0.05)
    with store.read() as snapshot, pytest.raises(core.SnapshotExpiredError):
        for _ in snapshot.stream(f"{ENDLESS} SELECT i FROM n", size=10):
            pass


def test_a_statement_that_runs_ends_with_the_deadline_of_its_block(
    open_sqlite: OpenSqlite,
) -> None:
    store = open_sqlite(read_deadline=0.05)
    with store.read() as snapshot, pytest.raises(core.SnapshotExpiredError):
        snapshot.execute(f"{ENDLESS} SELECT max(i) FROM n")
    with store.transaction() as tx:  # the deadline was that block's
        sleep(0.06)
        tx.execute(USER, {"id": "u1"})


def test_without_a_deadline_a_block_may_stay_open(open_sqlite: OpenSqlite) -> None:
    store = open_sqlite(read_deadline=0)
    with store.read() as snapshot:
        assert snapshot.execute(COUNT).scalar() == 0
        store.pools()[0].inspect(lambda s: s.give_up_overdue())
        assert [
            lease.connection.give_up_overdue() for lease in store.read_leases()
        ] == [False]
        assert snapshot.execute(COUNT).scalar() == 0


@pytest.mark.parametrize("read", [count, begin_stream])
def test_an_idle_snapshot_past_its_deadline_no_longer_holds_the_log(
    open_filled: OpenSqlite, tmp_path: Path, read: Callable[[Any], object]
) -> None:
    store = open_filled(read_deadline=0.05, wal_limit=LIMIT)
    with stuck(store, read) as result:
        sleep(0.06)
        store.execute(USER, {"id": "u1"})
        write(store, 60)
        largest = log_size(tmp_path)
        outcome = result()

    # Not the row that came after its snapshot.
    assert isinstance(outcome, core.SnapshotExpiredError)
    # 32 commits may pass until it is looked at.
    assert largest < 3 * LIMIT
    kept.clear()


@pytest.mark.soak
def test_no_block_reads_two_states_while_its_snapshot_is_given_up(
    open_sqlite: OpenSqlite, loop: Loop, report: Callable[[str], None]
) -> None:
    seconds, random = loop(2, 60)
    store = open_sqlite(read_deadline=0.003, synchronous="off")
    end = monotonic() + seconds
    wrong: list[object] = []
    figures = {"whole": 0, "expired": 0, "given up": 0}
    seeds = [random.random() for _ in range(4)]

    def read(seed: float) -> None:
        mine = Random(seed)  # noqa: S311 - to be repeated, not to be secret
        while monotonic() < end:
            seen = set()
            try:
                with store.read() as snapshot:
                    for _ in range(mine.randint(1, 6)):
                        seen.add(snapshot.execute(COUNT).scalar())
                        if mine.random() < 0.3:
                            sleep(mine.random() * 0.004)
                    rows = snapshot.stream("SELECT id FROM users", size=50)
                    seen.add(sum(1 for _ in rows))
                figures["whole"] += 1
            except core.SnapshotExpiredError:
                figures["expired"] += 1
            except BaseException as error:  # noqa: BLE001 - told below
                wrong.append(error)
            if len(seen) > 1:
                wrong.append(seen)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in seeds]
    for thread in threads:
        thread.start()
    number = 0
    while monotonic() < end:
        store.execute(USER, {"id": str(number)})
        number += 1
        if number % 300 == 0:
            store.execute("DELETE FROM users")
        for lease in store.read_leases():
            figures["given up"] += lease.connection.give_up_overdue()
    for thread in threads:
        thread.join()
    report(f"{number} commits beside {figures}")

    assert wrong == []
    assert all(figures.values()), figures


# -- the limit ----------------------------------------------------------------


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [
        r for r in caplog.records if getattr(r, "event_name", "") == "wal.over_limit"
    ]


@pytest.mark.soak
def test_writing_beside_a_stuck_reader_never_exceeds_the_limit_silently(
    open_filled: OpenSqlite,
    loop: Loop,
    report: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    seconds, _ = loop(1, 600)
    store = open_filled(read_deadline=0, wal_limit=LIMIT)
    largest = 0
    with stuck(store, count) as result:
        end = monotonic() + seconds
        while monotonic() < end or largest <= LIMIT:
            for _ in range(32):  # as many as pass between two looks
                store.execute("UPDATE filler SET x = randomblob(40000)")
            assert log_size(tmp_path) >= largest  # it is held
            assert warnings_of(caplog) or largest <= LIMIT  # that the last look found
            largest = log_size(tmp_path)
            if seconds > 1:
                sleep(1)  # ten minutes of it must fit on a disk
        assert result() == 0
    store.execute(TOUCH)
    for _ in range(32):
        store.execute(TOUCH)
    (first, *_) = warnings_of(caplog)
    report(f"{largest // MIB} MiB, {len(warnings_of(caplog))} warnings")

    assert first.levelno == logging.WARNING
    assert first.name == "mooring.sqlite"
    assert first.bytes > first.limit == LIMIT
    assert "thread stuck-reader for" in first.held_by
    assert ", now at test_wal.py:" in first.held_by
    assert first.held_by in first.getMessage()
    # Nobody holds it any more.
    assert log_size(tmp_path) <= LIMIT


def test_a_warning_names_another_process(
    open_filled: OpenSqlite, start_reader: Start, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_filled(wal_limit=LIMIT, busy_timeout=0.1)
    reader = start_reader()
    write(store, 20)
    reader.communicate("\n", timeout=PATIENCE)

    (only,) = warnings_of(caplog)  # one in a minute
    assert only.held_by == f"process {reader.pid}"
    settings = store.pools()[0].inspect(
        lambda s: s.connection.execute("PRAGMA busy_timeout").fetchone()
    )
    assert settings == [(100,)]


def test_readers_that_overlap_let_the_log_begin_anew(
    open_filled: OpenSqlite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_filled(wal_limit=LIMIT)
    done = threading.Event()

    def read(offset: float) -> None:
        sleep(offset)
        while not done.is_set():
            with store.read() as snapshot:
                snapshot.execute(COUNT)
                sleep(0.03)

    threads = [threading.Thread(target=read, args=(n * 0.01,)) for n in range(3)]
    for thread in threads:
        thread.start()
    write(store, 80)
    largest = log_size(tmp_path)
    done.set()
    for thread in threads:
        thread.join()

    assert largest < 4 * LIMIT
    assert warnings_of(caplog) == []


def test_a_commit_does_not_fail_with_what_looks_after_it(
    open_filled: OpenSqlite, tmp_path: Path
) -> None:
    store = open_filled()
    (tmp_path / "app.db-wal").unlink()
    for number in range(40):
        store.execute(USER, {"id": str(number)})
    with store.transaction() as tx:  # a new connection would miss the file
        assert tx.execute(COUNT).scalar() == 40


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, 64 * MIB), ({"wal_limit": 0}, 64 * MIB), ({"wal_limit": LIMIT}, LIMIT)],
)
def test_a_log_that_was_large_is_cut_when_it_begins_anew(
    open_sqlite: OpenSqlite, options: dict[str, Any], expected: int
) -> None:
    store = open_sqlite(**options)
    found = store.pools()[0].inspect(
        lambda s: s.connection.execute("PRAGMA journal_size_limit").fetchone()
    )

    assert found == [(expected,)]


def test_closing_moves_all_of_the_log_into_the_file(
    open_sqlite: OpenSqlite, tmp_path: Path
) -> None:
    store = open_sqlite()
    store.execute(USER, {"id": "u1"})
    store.execute(COUNT)
    store.close()

    left = {found.name for found in tmp_path.glob("app.db*")}
    assert left == {"app.db", "app.db-mooring.lock"}
    with closing(sqlite3.connect(f"file:{tmp_path}/app.db?immutable=1", uri=True)) as c:
        assert c.execute(COUNT).fetchone() == (1,)


# -- statistics ---------------------------------------------------------------


def analyzed(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / "app.db")) as connection:
        try:
            found = connection.execute("SELECT tbl FROM sqlite_stat1").fetchall()
        except sqlite3.OperationalError:
            return set()
    return {name for (name,) in found}


def add_users(store: SqliteStore, number: int) -> None:
    store.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT :n)"
        " INSERT INTO users (id, email, role) SELECT i, i, 'user' FROM n",
        {"n": number},
    )


@pytest.mark.parametrize(("rows", "tables"), [(900, set()), (2000, {"users"})])
def test_close_brings_statistics_up_to_date_where_much_was_changed(
    open_sqlite: OpenSqlite, tmp_path: Path, rows: int, tables: set[str]
) -> None:
    store = open_sqlite()
    add_users(store, rows)
    store.close()

    assert analyzed(tmp_path) >= tables
    assert bool(analyzed(tmp_path)) == bool(tables)


def test_a_store_that_stays_open_does_it_now_and_then(
    open_sqlite: OpenSqlite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "_OPTIMIZE_PERIOD", 0.0)
    store = open_sqlite()
    add_users(store, 2000)
    for number in range(32):
        store.execute(USER, {"id": f"more-{number}"})

    assert "users" in analyzed(tmp_path)


def test_what_is_done_behind_a_commit_does_not_touch_its_result(
    open_sqlite: OpenSqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_store, "_OPTIMIZE_PERIOD", 0.0)
    monkeypatch.setattr(_store, "_WORTH_OPTIMIZING", 0)
    store = open_sqlite()
    returned = [
        store.execute(f"{USER} RETURNING id AS made", {"id": str(number)}).one()["made"]
        for number in range(70)
    ]

    assert returned == [str(number) for number in range(70)]


def test_close_waits_for_nobody_who_writes(
    open_sqlite: OpenSqlite, tmp_path: Path
) -> None:
    store = open_sqlite(busy_timeout=1_000_000)  # would wait for days
    add_users(store, 2000)
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.close()
        other.execute("ROLLBACK")

    assert analyzed(tmp_path) == set()
