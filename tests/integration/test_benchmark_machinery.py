"""The benchmarks measure what they say: windows, slow disks, workers and goals."""

import importlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from textwrap import dedent
from threading import Thread
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

import pytest
from mooring import core

ROOT = Path(__file__).parents[2]
NAMES = (
    "cores",
    "in_memory",
    "measure",
    "parts",
    "rows",
    "tasks",
    "window",
    "work",
    "worker",
    "writers",
    "writers_by_hand",
)
# Those that need no peer, which tests do not install.
OURS = (
    "by hand: connection per thread",
    "by hand: one connection, FIFO lock",
    "transaction(), ungrouped",
    "run(), ungrouped",
    "run(), grouped",
    'transaction(), group_commit="all"',
)


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        modules = {
            name: importlib.import_module(f"benchmarks.{name}") for name in NAMES
        }
        yield SimpleNamespace(**modules)


@pytest.fixture
def template(bench: Any, tmp_path: Path) -> str:
    return str(bench.writers.make_template(str(tmp_path)))


# -- windows --------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_what_a_writer_acknowledges_is_in_its_file(
    bench: Any,
    template: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    if name in bench.writers.not_measured():
        assert not bench.writers.groups_commits()
        return
    monkeypatch.setattr(bench.window, "WARMING_UP", 0.0)
    path = str(tmp_path / "app.db")
    shutil.copyfile(template, path)

    with closing(bench.writers.contender(name)(path, 3)) as contender:
        sample, written = bench.window.measure(contender, 3, 0.05)
    assert bench.tasks.left_in(path) == (sum(written), sum(map(bool, written)))
    assert sum(written) > 0
    assert sample.worst > 0
    assert 0 <= sample.fairness <= 1
    assert sample.busy == 0


@pytest.mark.parametrize(
    "name", ["by hand: one connection, lock", "transaction()", "run()"]
)
def test_what_is_written_in_memory_is_there(
    bench: Any, template: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(bench.window, "WARMING_UP", 0.0)
    # It compares by itself, and ends the program where something is not there.
    sample = bench.in_memory.serve(name, template)(threads=2, seconds=0.05)
    assert sample.worst > 0


def test_a_writer_that_loses_something_ends_the_run(
    bench: Any, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.window, "WARMING_UP", 0.0)
    monkeypatch.setattr(
        bench.writers_by_hand.OneConnection, "_write", lambda *_: sleep(0.001)
    )
    measure = bench.writers.serve("by hand: one connection, FIFO lock", "0")
    with pytest.raises(SystemExit, match=r"acknowledged \[\d+\], and left \(0, 0\)"):
        measure(path=template, threads=1, seconds=0.02)


def test_a_window_counts_waits_shares_and_busy_errors(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.window, "WARMING_UP", 0.0)

    def writer(number: int) -> Any:
        def write(key: str, above: str) -> None:
            assert key.startswith(f"task {number:02} ")
            assert above == f"parent {number:02}"
            sleep(0.002)
            if number:
                raise core.StoreBusyError("another one writes")

        return write

    sample, (first, second) = bench.window.measure(
        SimpleNamespace(writer=writer), 2, 0.05
    )
    assert (first > 0, second, sample.fairness) == (True, 0, 0.0)
    assert sample.busy > 0
    assert sample.worst > 0


def test_busy_is_told_from_other_errors(bench: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "app.db")
    connect = partial(sqlite3.connect, path, timeout=0, isolation_level=None)
    with closing(connect()) as one, closing(connect()) as other:
        one.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as busy:
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as wrong:
            other.execute("SELECT * FROM missing")
    wrapped = RuntimeError("a library's own")
    wrapped.__cause__ = busy.value

    assert bench.window.is_busy(busy.value)
    assert bench.window.is_busy(wrapped)
    assert bench.window.is_busy(core.StoreBusyError("waited 5.0 s"))
    assert not bench.window.is_busy(wrong.value)


def test_the_lock_by_hand_serves_in_order(bench: Any) -> None:
    lock, served = bench.writers_by_hand.FifoLock(), []

    def take(number: int) -> None:
        with lock:
            served.append(number)

    threads = [Thread(target=take, args=(number,)) for number in range(8)]
    with lock:
        for number, thread in enumerate(threads, 1):
            thread.start()
            while len(lock._waiting) < number:
                sleep(0.001)
    for thread in threads:
        thread.join()
    assert served == list(range(8))


# -- slow disks -----------------------------------------------------------------


@pytest.mark.needs_sqlite_shim
def test_each_flush_of_a_slow_disk_pauses_once() -> None:
    code = """
        import sqlite3, sys, tempfile, time
        pauses = []
        time.sleep = pauses.append
        from mooring_sqlite.testing import SlowDisk, install_shim
        disk = SlowDisk(0.25)
        install_shim(disk)
        with tempfile.TemporaryDirectory() as folder:
            connection = sqlite3.connect(f"{folder}/app.db", isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("CREATE TABLE t (a)")
            before = disk.syncs
            for number in range(5):
                connection.execute("INSERT INTO t VALUES (?)", (number,))
            after = disk.syncs
            (rows,) = connection.execute("SELECT count(*) FROM t").fetchone()
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("INSERT INTO t VALUES (6)")
            assert disk.syncs == after
            connection.close()
        assert before > 0 and rows == 5
        assert set(pauses) == {0.25} and len(pauses) == disk.syncs
        print(after - before)
        """
    command = [sys.executable, "-c", dedent(code)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    assert done.stdout == b"5\n"


# -- workers --------------------------------------------------------------------


def test_a_worker_answers_until_it_is_left(bench: Any, template: str) -> None:
    name = "by hand: one connection, lock"
    with bench.worker.Worker("in_memory", name, template) as worker:
        for _ in range(2):
            found = worker.ask(threads=1, seconds=0.01)
            assert bench.window.Sample(*found).busy == 0
    assert worker._process.returncode == 0


def test_a_worker_that_ends_is_noticed(
    bench: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with bench.worker.Worker("in_memory", "nobody", "missing.db") as worker:
        for _ in range(2):
            with pytest.raises(SystemExit, match=r"in_memory nobody missing\.db"):
                worker.ask(threads=1, seconds=0.01)
    assert "there is no missing.db" in capfd.readouterr().err


# -- rows -----------------------------------------------------------------------


def test_every_way_to_read_rows_reads_the_same(bench: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "rows.db")
    with core.open({"driver": "sqlite", "path": path}) as store:
        bench.tasks.fill(store, parents=1, tasks=3)
    with ExitStack() as stack:
        cases = bench.rows._cases(path, stack)
        expected = [bench.rows._plain(task) for task in cases[bench.rows.BY_HAND]()]

        assert len(expected) == 4
        assert isinstance(cases[bench.rows.ALL]()[0], bench.rows.Task)
        assert len(cases[bench.rows.FETCHALL]()) == len(cases[bench.rows.ROWS_ONLY]())
        made = cases[bench.rows.MADE]()
        assert [bench.rows._plain(task) for task in made] == expected
        assert len(cases[bench.rows.PARSED]()) == 3 * len(expected)
        for name in set(cases) - set(bench.rows.OTHERS):
            assert [bench.rows._plain(task) for task in cases[name]()] == expected
    usage = bench.tasks.INPUT
    assert usage not in map(str, expected[1])  # it is no text any more


# -- parts ----------------------------------------------------------------------


def test_the_parts_of_a_start_are_what_it_takes_in_all(
    bench: Any, tmp_path: Path
) -> None:
    for fresh in (True, False):
        place = tmp_path / str(fresh)
        place.mkdir()
        env = bench.work.environment(str(place))
        start = bench.parts.Start("with_mooring", str(place), env, fresh=fresh)
        # What is imported before the main job is all that it needs.
        assert {"mooring.core._base", "mooring_sqlite"} <= set(start.modules.split(","))
        begun = monotonic()
        parts = start.once(1)
        whole = monotonic() - begun

        assert len(parts) == len(bench.parts.PARTS)
        assert all(part >= 0 for part in parts)
        assert sum(parts) <= whole
        name = "1" if fresh else "kept"
        left = bench.work.work_in(str(place / f"with_mooring {name}.db"))
        assert "row 1" in [row[0] for row in left.rows]


def test_the_parts_of_work_are_measured_and_leave_what_they_should(
    bench: Any, tmp_path: Path
) -> None:
    groups = list(bench.parts.run(str(tmp_path), 1))

    assert [group.key for group in groups] == [
        "parts-start-cold",
        "parts-start-warm",
        "parts-read",
        "parts-block",
        "parts-transaction-file",
        "parts-transaction-memory",
    ]
    assert all(figure > 0 for group in groups for figure in group.medians.values())
    # Two of the four ways write: in a round for warming up, and in the one that counts.
    written, _ = bench.tasks.left_in(str(tmp_path / "write.db"))
    assert written == 2 * 2 * bench.parts.WRITES


# -- goals ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "figures", "bar", "met"),
    [
        ("seconds", [1.0, 2.0, 9.0], 2.0, True),
        ("seconds", [1.0, 2.1, 9.0], 2.0, False),
        ("per second", [1.0, 2.0, 9.0], 2.0, True),
        ("per second", [1.0, 1.9, 9.0], 2.0, False),
        ("share", [0.9, 0.96, 1.0], 0.95, True),
        ("share", [0.9, 0.94, 1.0], 0.95, False),
        ("count", [0, 0, 0], 0, True),
        ("count", [1, 1, 1], 0, False),
    ],
)
def test_a_goal_is_a_most_or_a_least(
    bench: Any, unit: str, figures: list[float], bar: float, met: bool
) -> None:
    measure = bench.measure
    for against, base in ((None, [3.0]), ("base", [1.0, 1.0, 1.0])):
        found = measure.group(
            "key",
            "name",
            {"case": figures, "base": base},
            [measure.Against("case", against, bar)],
            unit=unit,
        )
        assert found.comparisons[0].met is met


def test_what_was_not_measured_has_no_figure_and_meets_no_goal(bench: Any) -> None:
    measure = bench.measure
    found = measure.group(
        "key",
        "name",
        {"floor": [1.0]},
        [measure.Against("peer", "floor", 2.0), measure.Against("floor", "peer")],
        not_measured={"peer": "it is not installed"},
    )

    assert [one.figure for one in found.comparisons] == [None, None]
    assert [one.met for one in found.comparisons] == [None, None]
    with pytest.raises(ValueError, match="'typo' is compared, but not measured"):
        measure.group("key", "name", {"a": [1]}, [measure.Against("a", "typo")])


def test_the_cases_take_turns(bench: Any) -> None:
    turns: list[tuple[int, str]] = []

    def case(name: str) -> Callable[[int], int]:
        def turn(number: int) -> int:
            turns.append((number, name))
            return number

        return turn

    cases = {name: case(name) for name in "abc"}
    found = bench.measure.take_turns(cases, 3)
    assert found == {"a": [1, 2, 3], "b": [1, 2, 3], "c": [1, 2, 3]}
    orders = ["".join(n for i, n in turns if i == number) for number in range(4)]
    assert orders == ["abc", "acb", "cab", "cba"]


def test_one_core_holds_both_ends_and_lets_them_go(
    bench: Any, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    server = start(
        """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "input()"])
        print(child.pid, flush=True)
        child.wait()
        """
    )
    assert server.stdout is not None
    all_of_them = (0, server.pid, int(server.stdout.readline()))
    before = os.sched_getaffinity(0)
    with bench.cores.on_one_core(server.pid):
        found = os.sched_getaffinity(0)
        assert len(found) == 1
        assert found <= before
        assert [os.sched_getaffinity(pid) for pid in all_of_them] == [found] * 3

    assert [os.sched_getaffinity(pid) for pid in all_of_them] == [before] * 3
    server.communicate("\n", timeout=20)
