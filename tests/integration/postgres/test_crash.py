"""kill -9 of the process that migrates, at any moment."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core, migrate
from mooring_postgres.testing import DatabaseServer

Loop = Callable[[int, int], tuple[int, Random]]
MigrationFile = Callable[..., migrate.Source]
Plain = Any  # a psycopg.Connection, whose types take literal strings only
Start = Callable[..., "subprocess.Popen[str]"]

FILES = 12
VERSIONS = [0, 20250603124835, 20250603124915, 20250711163857, 20250711163858]

# Applies the files, the first one alone, undoes them, and so on.
MIGRATOR = """
    import json, sys
    from mooring import core, migrate

    store = core.open(json.loads(sys.argv[1]), migrate="skip")
    migrator = migrate.Migrator(store, migrate.Source(sys.argv[2]))
    print("ready", flush=True)
    while True:
        migrator.up(to=1)
        migrator.up()
        migrator.down(to=0)
"""

# Applies the files once.
MIGRATOR_UP = """
    import json, sys
    from mooring import core, migrate
    import mooring.migrate._run, mooring_postgres._migrate, mooring_postgres._store

    store = core.open(json.loads(sys.argv[1]), migrate="skip")
    print("ready", flush=True)
    migrate.Migrator(store, migrate.Source(sys.argv[2])).up()
"""

# Opens a new database as soon as it is told to.
OPENER = """
    import json, sys
    from mooring import core, migrate
    import mooring.migrate._run, mooring_postgres._migrate, mooring_postgres._store

    print("ready", flush=True)
    sys.stdin.readline()
    core.open(json.loads(sys.argv[1])).close()
"""


@pytest.fixture
def database(postgres_server: DatabaseServer) -> Iterator[dict[str, Any]]:
    """The options of a database of its own."""
    name = postgres_server.create_database()
    yield {"driver": "postgres", **postgres_server.params(name)}
    postgres_server.drop_database(name)


@pytest.fixture
def plain(postgres_server: DatabaseServer, database: dict[str, Any]) -> Iterator[Plain]:
    """A connection to it without us."""
    with postgres_server.connect(database["dbname"]) as connection:
        yield connection


def found(plain: Plain) -> tuple[set[str], list[int]]:
    """Return tables and applied versions, once nobody else is connected."""
    others = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    deadline = monotonic() + 20
    while plain.execute(others).fetchall():
        assert monotonic() < deadline
        sleep(0.01)
    tables = {
        name
        for (name,) in plain.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
    }
    applied = []
    if "goose_db_version" in tables:
        rows = plain.execute("SELECT version_id FROM goose_db_version ORDER BY id")
        applied = [version for (version,) in rows]
    return tables - {"goose_db_version", "mooring_migrations"}, applied


def refusal(migrator: migrate.Migrator) -> core.MigrationUnfinishedError | None:
    """Apply what is pending; return the error if that is not possible."""
    try:
        migrator.up()
    except core.MigrationUnfinishedError as error:
        return error
    return None


@pytest.mark.soak
def test_kill_9_of_the_migrator_leaves_each_file_applied_or_not(
    database: dict[str, Any],
    plain: Plain,
    migration_file: MigrationFile,
    start: Start,
    loop: Loop,
    report: Callable[[str], None],
    tmp_path: Path,
) -> None:
    kills, random = loop(4, 100)
    for version in range(1, FILES + 1):
        source = migration_file(
            f"{version}_t.sql",
            f"CREATE TABLE first{version} AS SELECT generate_series(1, 1000) AS x;",
            f"CREATE TABLE second{version} (x int);",
            down=f"DROP TABLE second{version};\nDROP TABLE first{version};",
        )
    between = 0
    for _ in range(kills):
        with start(MIGRATOR, json.dumps(database), tmp_path / "files") as migrator:
            assert migrator.stdout is not None
            assert migrator.stdout.readline() == "ready\n"
            sleep(random.uniform(0, 0.3))
            migrator.send_signal(signal.SIGKILL)
        tables, applied = found(plain)
        between += 1 < len(applied) <= FILES

        assert applied[1:] == list(range(1, len(applied)))
        assert tables == {
            f"{name}{version}"
            for version in applied[1:]
            for name in ("first", "second")
        }
    with core.open(database, migrate="skip") as store:
        last = migrate.Migrator(store, source)
        last.up()

        assert len(last.status()) == FILES
        assert last.at_head()
    report(f"{kills} kills, {between} of them between two files, none half applied")


@pytest.mark.soak
def test_kill_9_in_files_without_a_transaction_leaves_one_file_to_decide_about(
    postgres_server: DatabaseServer,
    migration_file: MigrationFile,
    start: Start,
    loop: Loop,
    report: Callable[[str], None],
    tmp_path: Path,
) -> None:
    kills, random = loop(4, 100)
    for version in range(1, FILES + 1):
        source = migration_file(
            f"{version}_t.sql",
            f"CREATE TABLE first{version} (x int);",
            f"CREATE TABLE second{version} (x int);",
            head="-- +goose NO TRANSACTION",
        )
    decided = halves = 0
    for _ in range(kills):
        name = postgres_server.create_database()
        config = {"driver": "postgres", **postgres_server.params(name)}
        with start(MIGRATOR_UP, json.dumps(config), tmp_path / "files") as migrator:
            assert migrator.stdout is not None
            assert migrator.stdout.readline() == "ready\n"
            sleep(random.uniform(0, 0.2))
            migrator.send_signal(signal.SIGKILL)
        with postgres_server.connect(name) as plain:
            tables, versions = found(plain)
        noted = versions[1:]
        next_one = len(noted) + 1
        whole = {f"{name}{v}" for v in noted for name in ("first", "second")}
        half = tables - whole

        assert noted == list(range(1, next_one))
        assert whole <= tables
        # A prefix of its statements, or all of them without its version.
        kept = [f"first{next_one}", f"second{next_one}"][: len(half)]
        assert half == set(kept)
        halves += bool(half)
        with core.open(config, migrate="skip") as store:
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
        postgres_server.drop_database(name)
    report(
        f"{kills} kills, {halves} files half done, {decided} in a statement that the"
        " next run names; all are finished"
    )


@pytest.mark.soak
def test_kill_9_during_a_first_open_leaves_a_database_that_opens(
    postgres_server: DatabaseServer,
    start: Start,
    loop: Loop,
    report: Callable[[str], None],
) -> None:
    kills, random = loop(4, 50)
    done, longest = 0, 0.0
    for number in range(kills + 1):
        name = postgres_server.create_database()
        config = {"driver": "postgres", **postgres_server.params(name)}
        with start(OPENER, json.dumps(config)) as opener:
            assert opener.stdout is not None
            assert opener.stdin is not None
            assert opener.stdout.readline() == "ready\n"
            begun = monotonic()
            opener.stdin.write("go\n")
            opener.stdin.flush()
            if number == 0:  # not killed: it says how long an open takes
                assert opener.wait(60) == 0
                longest = monotonic() - begun
            else:
                sleep(random.uniform(0, longest))
                opener.send_signal(signal.SIGKILL)
        with postgres_server.connect(name) as plain:
            tables, versions = found(plain)
            done += number > 0 and bool(versions)

            assert (len(tables), versions) in [(0, []), (4, VERSIONS)]
            with core.open(config) as store:
                assert core.health_check(store, timeout=30).ok
            assert found(plain)[1] == VERSIONS
        postgres_server.drop_database(name)
    report(f"{kills} kills, {done} databases were done, the others as new; all open")
