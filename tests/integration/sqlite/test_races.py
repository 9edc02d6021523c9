import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from time import monotonic, sleep

import pytest
from mooring import core, migrate
from mooring_sqlite import SqliteStore

OpenSqlite = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]
Loop = Callable[[int, int], tuple[int, Random]]

MigrationFile = Callable[..., migrate.Source]

VERSIONS = [0, 20250603124835, 20250603124915, 20250711163857, 20250711163858]

# For each path that comes in: wait as long as told, then open it, once a thread. An
# application's own files are in argv[1].
OPENER = """
    import sys, time
    from concurrent.futures import ThreadPoolExecutor
    from mooring import core, migrate

    seeds = migrate.Source(sys.argv[1], table="seed_versions")

    def opened(path, worker):
        config = {"driver": "sqlite", "path": path}
        with core.open(config, migrations=seeds) as store:
            row = {"id": worker, "email": worker, "role": "user"}
            sql = "INSERT INTO users (id, email, role) VALUES (:id, :email, :role)"
            store.execute(sql, row)
            return core.health_check(store, timeout=30).ok

    print("ready", flush=True)
    for line in sys.stdin:
        delay, threads, worker, path = line.rstrip("\\n").split(" ", 3)
        time.sleep(float(delay))
        try:
            with ThreadPoolExecutor(int(threads)) as pool:
                names = [f"{worker}-{n}" for n in range(int(threads))]
                fine = list(pool.map(lambda name: opened(path, name), names))
            print("fine" if all(fine) else "not healthy", flush=True)
        except BaseException as error:
            print(type(error).__name__, str(error).replace("\\n", " "), flush=True)
"""

# Begins to migrate, says so in the middle of the first file, and stays there.
MIGRATOR = """
    import sys, time
    from mooring import core, migrate

    def stay(event):
        print("holding", flush=True)
        time.sleep(60)

    store = core.open({"driver": "sqlite", "path": sys.argv[1]}, migrate="skip")
    migrate.Migrator(store, progress=stay).up()
"""


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.soak
@pytest.mark.parametrize("threads", [1, 3])
def test_processes_that_open_one_new_file_apply_each_migration_once(
    start: Start,
    loop: Loop,
    migration_file: MigrationFile,
    report: Callable[[str], None],
    tmp_path: Path,
    threads: int,
) -> None:
    rounds, random = loop(3, 20)
    processes = 8 if rounds < 20 else 16
    migration_file(
        "1_a.sql", "CREATE TABLE seeds (x INT);", "INSERT INTO seeds VALUES (1);"
    )
    alone = "-- +goose NO TRANSACTION"
    migration_file("2_b.sql", "INSERT INTO seeds VALUES (2);", head=alone)
    migration_file("3_c.sql", "INSERT INTO seeds VALUES (3);")
    children = [start(OPENER, tmp_path / "files") for _ in range(processes)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    slowest = 0.0
    for number in range(rounds):
        path = tmp_path / f"{number}.db"
        begun = monotonic()
        for worker, child in enumerate(children):
            delay = random.choice([0, random.uniform(0, 0.03)])
            assert child.stdin is not None
            child.stdin.write(f"{delay} {threads} {worker} {path}\n")
            child.stdin.flush()
        answers = [child.stdout and child.stdout.readline() for child in children]
        slowest = max(slowest, monotonic() - begun)

        assert answers == ["fine\n"] * processes
        applied = rows(path, "SELECT version_id FROM goose_db_version ORDER BY id")
        assert [version for (version,) in applied] == VERSIONS
        assert rows(path, "SELECT x FROM seeds ORDER BY rowid") == [(1,), (2,), (3,)]
        noted = rows(path, "SELECT version_id FROM seed_versions ORDER BY id")
        assert noted == [(0,), (1,), (2,), (3,)]
        written = rows(path, "SELECT count(*) FROM users")
        assert written == [(processes * threads,)]
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    report(
        f"{rounds} rounds of {processes} processes x {threads} threads: each migration"
        f" once, 0 failed, slowest round {slowest:.2f} s"
    )


def test_a_holder_that_is_killed_frees_the_migration_lock(
    open_sqlite: OpenSqlite, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "app.db"
    holder = start(MIGRATOR, path)
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(core.MigrationLockError, match=f"pid {holder.pid}"):
        open_sqlite(path, migration_timeout=0.3)
    begun = monotonic()
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(open_sqlite, path, migration_timeout=50)
        sleep(0.2)
        assert not waiting.done()
        holder.send_signal(signal.SIGKILL)
        store = waiting.result()

    assert monotonic() - begun < 20
    assert core.health_check(store).ok
    applied = rows(path, "SELECT version_id FROM goose_db_version ORDER BY id")
    assert [version for (version,) in applied] == VERSIONS


def test_a_fork_does_not_keep_the_migration_lock_of_a_killed_process(
    open_sqlite: OpenSqlite, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "app.db"
    holder = start(
        """
        import os, sys, time
        from mooring import core
        store = core.open({"driver": "sqlite", "path": sys.argv[1]}, migrate="skip")
        with store.migration_session("goose_db_version", timeout=30):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            print("holding", flush=True)
            time.sleep(60)
        """,
        path,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    (child,) = (
        Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
    )
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    try:
        store = open_sqlite(path, migration_timeout=20)

        assert core.health_check(store).ok
    finally:
        os.kill(int(child), signal.SIGKILL)
