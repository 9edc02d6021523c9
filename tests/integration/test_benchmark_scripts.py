"""The floors of the benchmarks do what mooring does: otherwise they are no floors."""

import importlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from mooring import core
from mooring_postgres.testing import DatabaseServer

ROOT = Path(__file__).parents[2]
STARTS = ("first", "second")
VERSIONS = (20250101000001, 20250101000002, 20250101000003)

# Peers are compared in each run of the benchmarks: they are not installed for tests.
FLOORS = ("by_hand", "by_hand_libraries", "by_hand_entry_points")
IDLE = ("idle_by_hand", "idle_with_mooring")


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def work(benchmarks: Any) -> Any:
    return benchmarks("work")


def started(work: Any, script: str, folder: Path, *keys: str) -> Any:
    path = folder / f"{script}.db"
    for key in keys:
        work.run_script(script, str(path), key, work.migrations())
    return work.work_in(str(path))


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("keys", [STARTS[:1], STARTS], ids=["cold", "cold-then-warm"])
def test_a_floor_leaves_behind_what_mooring_leaves(
    work: Any, tmp_path: Path, floor: str, keys: tuple[str, ...]
) -> None:
    ours = started(work, "with_mooring", tmp_path, *keys)
    assert started(work, floor, tmp_path, *keys) == ours
    assert len(ours.versions) == 4
    assert [row[0] for row in ours.rows] == list(keys)
    assert (ours.journal, ours.mode) == ("wal", 0o600)


def test_what_is_loaded_has_thirty_keys(benchmarks: Any) -> None:
    assert len(benchmarks("load").options()) == 30


def test_every_script_is_compared() -> None:
    scripts = {script.stem for script in (ROOT / "benchmarks" / "scripts").glob("*.py")}
    peers = {
        "idle_with_sqlalchemy",
        "with_alembic",
        "with_dbos",
        "with_django",
        "with_sqlite_utils",
        "with_yoyo",
    }
    # Compared with itself, by the number of files; runs two of the others.
    apart = {"open_with_files", "parts_of_a_start"}
    assert scripts == {*FLOORS, "with_mooring", *IDLE, *peers, *apart}


def test_applying_files_by_hand_leaves_behind_what_mooring_leaves(
    benchmarks: Any, tmp_path: Path
) -> None:
    migrations = benchmarks("migrations")
    files = migrations._write_files(str(tmp_path), 3)
    sides = (migrations.by_hand, migrations.file_by_file, migrations.all_at_once)
    found = []
    for number, apply in enumerate(sides):
        path = str(tmp_path / f"{number}.db")
        apply(path, files)
        found.append(migrations.left_in(path))

    assert found[0] == found[1] == found[2]
    names = {row[0] for row in found[0]}
    assert names == {"t1", "t2", "t3", "sqlite_sequence", 0, *VERSIONS, "wal"}


def test_by_hand_sqlite_reads_and_leaves_what_mooring_does(
    benchmarks: Any, tmp_path: Path
) -> None:
    workload, by_hand = benchmarks("workload"), benchmarks("sqlite_by_hand")
    path = str(tmp_path / "app.db")
    with (
        core.open({"driver": "sqlite", "path": path}) as store,
        closing(by_hand.connect(path)) as connection,
    ):
        workload.fill(store)
        hand, ours = by_hand.SqliteByHand(connection), workload.Mooring(store)

        workload.compare_sides(hand, ours)


@pytest.fixture
def database(postgres_server: DatabaseServer) -> Iterator[dict[str, Any]]:
    name = postgres_server.create_database()
    yield postgres_server.params(name)
    postgres_server.drop_database(name)


@pytest.fixture
def sides(benchmarks: Any, database: dict[str, Any]) -> Iterator[tuple[list[Any], Any]]:
    with ExitStack() as stack:
        yield benchmarks("postgres").sides(database, 2, stack)


def test_by_hand_psycopg_reads_and_leaves_what_mooring_does(
    benchmarks: Any, sides: tuple[list[Any], Any]
) -> None:
    hands, ours = sides

    for hand in hands:
        benchmarks("workload").compare_sides(hand, ours)


def test_a_side_that_does_less_is_noticed(
    benchmarks: Any, sides: tuple[list[Any], Any]
) -> None:
    (hand, _), _ = sides
    compare = benchmarks("workload").compare

    with pytest.raises(SystemExit, match="does not do the same work"):
        compare([lambda keys: hand.read(["row 1"] * len(keys))], [])
    with pytest.raises(SystemExit, match="does not do the same work"):
        compare([hand.read], [lambda keys: hand.insert(keys[:2])])


def test_each_thread_of_a_case_does_its_share(
    benchmarks: Any, sides: tuple[list[Any], Any], database: dict[str, Any]
) -> None:
    hands, ours = sides
    cases = benchmarks("workload").write_cases(hands, [ours, ours], 3)
    with core.open({"driver": "postgres", **database}) as store:
        before = store.execute("SELECT count(*) FROM workflow_states").scalar()

        for case in cases.values():
            assert case(1) > 0
        after = store.execute("SELECT count(*) FROM workflow_states").scalar()

    assert after - before == len(cases) * 2 * 3


@pytest.mark.parametrize("kind", ["rss", "uss"])
def test_processes_are_weighed_while_they_are_idle(
    benchmarks: Any,
    database: dict[str, Any],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = benchmarks("memory")
    # Not among the arguments, which everybody sees.
    monkeypatch.setenv("PGPASSWORD", database.pop("password", ""))
    with core.open({"driver": "postgres", **database}):
        by_hand, with_mooring = (memory.held(each, database, kind) for each in IDLE)

    # It has imported everything that the other one has.
    assert 5 < by_hand < with_mooring


def test_a_process_that_fails_is_not_weighed(
    benchmarks: Any, database: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="idle_by_hand did not do its work"):
        benchmarks("memory").held("idle_by_hand", database | {"port": 1}, "rss")
    assert "connection" in capfd.readouterr().err
