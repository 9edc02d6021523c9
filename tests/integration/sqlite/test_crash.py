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

OpenSqlite = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]
Loop = Callable[[int, int], tuple[int, Random]]

# Commits two rows a transaction from several threads, and prints its number after.
WRITER = """
    import sys, threading
    from mooring import core

    add = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
    store = core.open({"driver": "sqlite", "path": sys.argv[1], "busy_timeout": 60})
    print("ready", flush=True)

    def write(worker):
        number = 0
        while True:
            name = f"{sys.argv[2]}-{worker}-{number}"
            with store.transaction() as tx:
                tx.execute(add, {"id": name})
                tx.execute(add, {"id": name + "-second"})
            sys.stdout.write(name + "\\n")
            sys.stdout.flush()
            number += 1

    for worker in range(4):
        threading.Thread(target=write, args=(worker,)).start()
"""

# Opens one new file after the other, each with its four migrations.
OPENER = """
    import itertools, sys
    from mooring import core

    for number in itertools.count():
        core.open({"driver": "sqlite", "path": f"{sys.argv[1]}{number}.db"}).close()
        print("opened", flush=True)
"""

# Applies twelve files, the first one alone, undoes them, and so on.
MIGRATOR = """
    import sys
    from mooring import core, migrate

    store = core.open({"driver": "sqlite", "path": sys.argv[1]}, migrate="skip")
    migrator = migrate.Migrator(store, migrate.Source(sys.argv[2]))
    print("ready", flush=True)
    while True:
        migrator.up(to=1)
        migrator.up()
        migrator.down(to=0)
"""


def integrity(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall()


@pytest.mark.soak
def test_what_was_acknowledged_survives_kill_9_of_its_writer(
    open_sqlite: OpenSqlite,
    start: Start,
    loop: Loop,
    report: Callable[[str], None],
    tmp_path: Path,
) -> None:
    kills, random = loop(6, 50)
    path = tmp_path / "app.db"
    acknowledged: set[str] = set()
    for number in range(kills):
        with start(WRITER, path, number) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            sleep(random.uniform(0, 0.3))
            writer.send_signal(signal.SIGKILL)
            printed, _ = writer.communicate()
        # The last line may be cut off by the kill: it is no acknowledgement.
        acknowledged.update(printed.rpartition("\n")[0].split())
        if random.random() < 0.5:
            assert integrity(path) == [("ok",)]
        with open_sqlite() as store:
            rows = store.execute("SELECT id FROM users")
            present = {str(row["id"]) for row in rows}

            assert acknowledged - present == set()
            halves = {name for name in present if not name.endswith("-second")}
            assert {f"{name}-second" for name in halves} == present - halves
            assert core.health_check(store, integrity=True, timeout=30).ok
    assert acknowledged
    assert integrity(path) == [("ok",)]
    report(f"{kills} kills, {len(acknowledged)} commits acknowledged, 0 lost")


@pytest.mark.soak
def test_kill_9_of_the_migrator_leaves_each_file_applied_or_not(
    open_sqlite: OpenSqlite,
    start: Start,
    loop: Loop,
    report: Callable[[str], None],
    tmp_path: Path,
) -> None:
    kills, random = loop(8, 50)
    path, folder = tmp_path / "app.db", tmp_path / "files"
    folder.mkdir()
    for version in range(1, 13):
        (folder / f"{version}_t.sql").write_text(
            "-- +goose Up\n"
            f"CREATE TABLE first{version} (x);\n"
            f"INSERT INTO first{version} VALUES (1), (2), (3);\n"
            f"CREATE TABLE second{version} (x);\n"
            "-- +goose Down\n"
            f"DROP TABLE second{version};\n"
            f"DROP TABLE first{version};\n"
        )
    between = 0
    for _ in range(kills):
        with start(MIGRATOR, path, folder) as migrator:
            assert migrator.stdout is not None
            assert migrator.stdout.readline() == "ready\n"
            sleep(random.uniform(0, 0.1))
            migrator.send_signal(signal.SIGKILL)
        with closing(sqlite3.connect(path)) as connection:
            names = {
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                )
            }
            applied = set()
            if "goose_db_version" in names:
                applied = {
                    version
                    for (version,) in connection.execute(
                        "SELECT version_id FROM goose_db_version WHERE version_id > 0"
                    )
                }
        between += 0 < len(applied) < 12

        assert applied == set(range(1, len(applied) + 1))
        assert {n for n in names if n.startswith(("first", "second"))} == {
            f"{name}{version}" for version in applied for name in ("first", "second")
        }
        assert integrity(path) == [("ok",)]
    with open_sqlite(migrate="skip") as store:
        last = migrate.Migrator(store, migrate.Source(str(folder)))
        last.up()

        assert len(last.status()) == 12
        assert last.at_head()
    report(f"{kills} kills, {between} of them between two files, none half applied")


@pytest.mark.soak
def test_kill_9_during_a_first_open_leaves_a_file_that_opens(
    open_sqlite: OpenSqlite,
    start: Start,
    loop: Loop,
    report: Callable[[str], None],
    tmp_path: Path,
) -> None:
    kills, random = loop(8, 50)
    opened = unfinished = 0
    for number in range(kills):
        with start(OPENER, tmp_path / f"{number}-") as opener:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "opened\n"
            sleep(random.uniform(0, 0.1))
            opener.send_signal(signal.SIGKILL)
            printed, _ = opener.communicate()
        finished = 1 + printed.count("\n")
        found = sorted(tmp_path.glob(f"{number}-*.db"))
        opened += len(found)
        unfinished += len(found) - finished

        assert 0 <= len(found) - finished <= 1
        for path in found:
            with open_sqlite(path) as store:
                assert store.execute("SELECT count(*) FROM users").scalar() == 0
                assert core.health_check(store, timeout=30).ok
            path.unlink()
    report(f"{kills} kills, {opened} new files, {unfinished} of them cut short, 0 lost")
