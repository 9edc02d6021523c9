"""Many processes open one new database at once."""

import json
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import pytest
from mooring import migrate
from mooring_postgres.testing import DatabaseServer

Loop = Callable[[int, int], tuple[int, Random]]
MigrationFile = Callable[..., migrate.Source]
Start = Callable[..., "subprocess.Popen[str]"]

VERSIONS = [0, 20250603124835, 20250603124915, 20250711163857, 20250711163858]

# For each database that comes in: wait as long as told, then open it, once a thread.
# An application's own files are in argv[1].
OPENER = """
    import json, sys, time
    from concurrent.futures import ThreadPoolExecutor
    from mooring import core, migrate

    seeds = migrate.Source(sys.argv[1], table="seed_versions")

    def opened(config, worker):
        with core.open(config, migrations=seeds) as store:
            row = {"id": worker, "email": worker, "role": "user"}
            sql = "INSERT INTO users (id, email, role) VALUES (:id, :email, :role)"
            store.execute(sql, row)
            return core.health_check(store, timeout=30).ok

    print("ready", flush=True)
    for line in sys.stdin:
        delay, threads, worker, config = line.split(" ", 3)
        time.sleep(float(delay))
        try:
            with ThreadPoolExecutor(int(threads)) as pool:
                names = [f"{worker}-{n}" for n in range(int(threads))]
                open_as = lambda name: opened(json.loads(config), name)
                fine = list(pool.map(open_as, names))
            print("fine" if all(fine) else "not healthy", flush=True)
        except BaseException as error:
            print(type(error).__name__, str(error).replace("\\n", " "), flush=True)
"""


@pytest.mark.soak
@pytest.mark.parametrize("threads", [1, 3])
def test_processes_that_open_one_new_database_apply_each_migration_once(
    postgres_server: DatabaseServer,
    start: Start,
    loop: Loop,
    migration_file: MigrationFile,
    report: Callable[[str], None],
    tmp_path: Path,
    threads: int,
) -> None:
    rounds, random = loop(1, 20)
    processes = min(8 * rounds, 16)
    migration_file(
        "1_a.sql", "CREATE TABLE seeds (x INT);", "INSERT INTO seeds VALUES (1);"
    )
    alone = "-- +goose NO TRANSACTION"
    migration_file("2_b.sql", "INSERT INTO seeds VALUES (2);", head=alone)
    index = "CREATE INDEX CONCURRENTLY seeds_x ON seeds (x);"
    migration_file("3_c.sql", index, head=alone)
    migration_file("4_d.sql", "INSERT INTO seeds VALUES (3);")
    children = [start(OPENER, tmp_path / "files") for _ in range(processes)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    slowest = 0.0
    for _ in range(rounds):
        name = postgres_server.create_database()
        config: dict[str, Any] = {"driver": "postgres", **postgres_server.params(name)}
        begun = monotonic()
        for worker, child in enumerate(children):
            delay = random.choice([0, random.uniform(0, 0.05)])
            assert child.stdin is not None
            child.stdin.write(f"{delay} {threads} {worker} {json.dumps(config)}\n")
            child.stdin.flush()
        answers = [child.stdout and child.stdout.readline() for child in children]
        slowest = max(slowest, monotonic() - begun)
        with closing(postgres_server.connect(name)) as plain:
            applied = plain.execute(
                "SELECT version_id FROM goose_db_version ORDER BY id"
            )
            versions = [version for (version,) in applied]
            seeds = plain.execute("SELECT x FROM seeds ORDER BY x").fetchall()
            noted = plain.execute("SELECT version_id FROM seed_versions ORDER BY id")
            sources = [version for (version,) in noted]
            written = plain.execute("SELECT count(*) FROM users").fetchone()
            locks = plain.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
            left = locks.fetchall()
        postgres_server.drop_database(name)

        assert answers == ["fine\n"] * processes
        assert versions == VERSIONS
        assert (seeds, sources) == ([(1,), (2,), (3,)], [0, 1, 2, 3, 4])
        assert written == (processes * threads,)
        assert left == []
    report(
        f"{rounds} rounds of {processes} processes x {threads} threads: each migration"
        f" once, 0 failed, slowest round {slowest:.2f} s"
    )
