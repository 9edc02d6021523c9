"""What SQLite itself finds in a file whose process was killed.

That nothing acknowledged is lost and nothing is half done, the contract shows on every
driver; here the file is looked at before mooring opens it again, and the threads are so
many that their transactions wait for each other.
"""

import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from time import sleep

import pytest
from mooring import core, migrate
from mooring_sqlite import SqliteStore
from sqlite_faults.ledger import Ledger
from sqlite_faults.verdict import problems

OpenSqlite = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]
Loop = Callable[[int, int], tuple[int, Random]]

HEAD = """
    import itertools, sys
    from mooring import core, migrate

    folder = sys.argv[1]
    config = {"driver": "sqlite", "path": folder + "/app.db", "busy_timeout": 60}
"""
# Each is at work when it prints that it is ready, and until it is killed.
PROGRAMS = {
    "a migrator": """
    store = core.open(config, migrate="skip")
    migrator = migrate.Migrator(store, migrate.Source(folder + "/files"))
    print("ready", flush=True)
    while True:
        migrator.up(to=1)
        migrator.up()
        migrator.down(to=0)
""",
    "first opens": """
    for number in itertools.count():
        path = f"{folder}/{sys.argv[2]}-{number}.db"
        core.open({**config, "path": path}).close()
        if number == 0:
            print("ready", flush=True)
""",
}
# Applies the files once.
MIGRATOR_UP = """
    import sys
    from mooring import core, migrate
    import mooring.migrate._run, mooring_sqlite._migrate

    store = core.open({"driver": "sqlite", "path": sys.argv[1]}, migrate="skip")
    print("ready", flush=True)
    migrate.Migrator(store, migrate.Source(sys.argv[2])).up()
"""
TABLE = "goose_db_version"


def integrity(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall()


def refusal(migrator: migrate.Migrator) -> core.MigrationUnfinishedError | None:
    """Apply what is pending; return the error if that is not possible."""
    try:
        migrator.up()
    except core.MigrationUnfinishedError as error:
        return error
    return None


@pytest.mark.soak
def test_kill_9_among_waiting_writers_loses_nothing_and_leaves_no_half(
    start_program: Start,
    grouping: dict[str, object],
    loop: Loop,
    report: Callable[[str], None],
    tmp_path: Path,
) -> None:
    kills, random = loop(3, 50)
    path = tmp_path / "app.db"
    config = {"driver": "sqlite", "path": str(path), "busy_timeout": 60, **grouping}
    ledger = Ledger()
    first = 1
    for _ in range(kills):
        task = {"config": config, "workers": 8, "first": first, "seed": random.random()}
        with start_program("killed", task) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
            sleep(random.uniform(0.01, 0.3))
            process.send_signal(signal.SIGKILL)
            # The last line may be cut off by the kill: it acknowledges nothing.
            told = process.stdout.read().rpartition("\n")[0].split()
        ledger.acknowledged += told
        # Those after it were not told: some are there, and each has its number once.
        first = max((int(n.split("-")[2]) for n in told), default=first) + 1000

        assert problems(path, ledger) == []
    report(f"{kills} kills: {len(ledger.acknowledged)} acknowledged, none lost or half")
    assert ledger.acknowledged


@pytest.mark.soak
@pytest.mark.parametrize("code", PROGRAMS.values(), ids=PROGRAMS)
def test_a_file_whose_process_was_killed_is_sound(
    start: Start, loop: Loop, report: Callable[[str], None], tmp_path: Path, code: str
) -> None:
    kills, random = loop(4, 100)
    (tmp_path / "files").mkdir()
    for version in range(1, 9):
        (tmp_path / "files" / f"{version}_t.sql").write_text(
            f"-- +goose Up\nCREATE TABLE t{version} (x);\n"
            f"INSERT INTO t{version} VALUES (1), (2), (3);\n"
            f"-- +goose Down\nDROP TABLE t{version};\n"
        )
    looked_at = 0
    for number in range(kills):
        with start(HEAD + code, tmp_path, number) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            sleep(random.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
        for path in tmp_path.glob("*.db"):
            assert integrity(path) == [("ok",)]
            looked_at += 1
            if path.name != "app.db":
                path.unlink()
    report(f"{kills} kills, {looked_at} files found sound")
    assert looked_at


@pytest.mark.soak
def test_kill_9_in_files_without_a_transaction_leaves_one_file_to_decide_about(
    open_sqlite: OpenSqlite,
    start: Start,
    loop: Loop,
    report: Callable[[str], None],
    tmp_path: Path,
) -> None:
    kills, random = loop(8, 100)
    folder = tmp_path / "files"
    folder.mkdir()
    for version in range(1, 13):
        (folder / f"{version}_t.sql").write_text(
            "-- +goose NO TRANSACTION\n-- +goose Up\n"
            f"CREATE TABLE first{version} (x);\n"
            f"CREATE TABLE second{version} (x);\n"
        )
    source = migrate.Source(str(folder))
    decided = halves = 0
    for number in range(kills):
        path = tmp_path / f"{number}.db"
        with start(MIGRATOR_UP, path, folder) as migrator:
            assert migrator.stdout is not None
            assert migrator.stdout.readline() == "ready\n"
            sleep(random.uniform(0, 0.05))
            migrator.send_signal(signal.SIGKILL)
        with open_sqlite(path, migrate="skip") as store:
            rows = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            names = {str(row["name"]) for row in rows}
            noted = [row.version for row in store.migration_versions(TABLE) or ()]
            next_one = len(noted) + 1
            whole = {f"{name}{v}" for v in noted for name in ("first", "second")}
            half = {n for n in names if n.startswith(("first", "second"))} - whole

            assert noted == list(range(1, next_one))
            assert whole <= names
            # A prefix of its statements, or all of them without its version.
            kept = [f"first{next_one}", f"second{next_one}"][: len(half)]
            assert half == set(kept)
            halves += bool(half)
            runner = migrate.Migrator(store, source)
            error = refusal(runner)
            if error is not None:
                # It says what stays for sure; what has to be decided by hand is whether
                # the statement that was begun ended.
                assert error.version == next_one
                ended = len(half) > error.done
                assert len(half) - error.done in ((0, 1) if error.running else (0,))
                decided += error.running
                runner.up(resume="after" if ended else "again")
            assert runner.at_head()
        assert integrity(path) == [("ok",)]
    report(
        f"{kills} kills, {halves} files half done, {decided} in a statement that the"
        " next run names; all are finished"
    )
