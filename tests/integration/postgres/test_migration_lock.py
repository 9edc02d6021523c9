"""One at a time migrates a database, whatever program it is, however it dies."""

import json
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core, migrate
from mooring_postgres import PostgresStore
from mooring_postgres.testing import DatabaseServer, Proxy

OpenPostgres = Callable[..., PostgresStore]
MakeRole = Callable[..., dict[str, str]]
MigrationFile = Callable[..., migrate.Source]
Plain = Any  # a psycopg.Connection, whose types take literal strings only
Spawn = Callable[..., "Future[Any]"]
Start = Callable[..., "subprocess.Popen[str]"]

NO_TRANSACTION = "-- +goose NO TRANSACTION"
# CRC-32 of "goose", as goose's session locker has it.
LOCK = "SELECT pg_advisory_lock(4097083626)"
UNLOCK = "SELECT pg_advisory_unlock(4097083626)"

# Applies the files of a folder; argv: the configuration as JSON, the folder.
MIGRATOR = """
    import json, sys
    from mooring import core, migrate

    with core.open(json.loads(sys.argv[1]), migrate="skip") as store:
        migrate.Migrator(store, migrate.Source(sys.argv[2])).up()
"""


def tables(plain: Plain) -> set[str]:
    found = plain.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema"
    )
    return {name for (name,) in found}


def versions(plain: Plain) -> list[int]:
    rows = plain.execute("SELECT version_id FROM goose_db_version ORDER BY id")
    return [version for (version,) in rows]


def holders(plain: Plain) -> int:
    found = plain.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND objid = 4097083626"
    ).fetchone()
    return found[0] if found else 0


def test_it_is_goose_s_own_and_who_holds_it_is_named(
    open_postgres: OpenPostgres, plain: Plain
) -> None:
    store = open_postgres(migrate="skip")
    plain.execute("SET application_name = 'goose 3'").execute(LOCK)
    begun = monotonic()
    with pytest.raises(core.MigrationLockError) as caught:
        migrate.Migrator(store).up(timeout=0.3)

    assert 0.25 < monotonic() - begun < 10
    assert "waited 0.3 s" in caught.value.message
    assert f"pid {plain.info.backend_pid} (goose 3) on 127." in caught.value.message
    assert "migration_timeout" in str(caught.value.hint)
    assert caught.value.retryable
    assert tables(plain) == set()
    plain.execute(UNLOCK)
    assert len(migrate.Migrator(store).up(timeout=20)) == 4
    assert holders(plain) == 0


def test_opening_waits_for_it_as_long_as_configured(
    open_postgres: OpenPostgres, plain: Plain
) -> None:
    plain.execute(LOCK)

    with pytest.raises(core.MigrationLockError, match=r"waited 0\.2 s"):
        open_postgres(migration_timeout=0.2)
    assert tables(plain) == set()


def test_who_waits_goes_on_when_it_is_free(
    open_postgres: OpenPostgres, plain: Plain, spawn: Spawn
) -> None:
    store = open_postgres(migrate="skip")
    plain.execute(LOCK)
    waiting = spawn(migrate.Migrator(store).up)
    sleep(0.3)
    assert not waiting.done()
    plain.execute(UNLOCK)

    assert len(waiting.result(20)) == 4


def test_a_holder_of_another_role_is_named_by_what_one_may_see(
    open_postgres: OpenPostgres,
    plain: Plain,
    make_role: MakeRole,
    postgres_config: dict[str, Any],
) -> None:
    login = make_role()
    plain.execute(f"GRANT ALL ON SCHEMA {postgres_config['schema']} TO {login['user']}")
    plain.execute(LOCK)
    store = open_postgres(migrate="skip", **login)

    with pytest.raises(core.MigrationLockError) as caught:
        migrate.Migrator(store).up(timeout=0.1)
    pid = plain.info.backend_pid
    assert f"; pid {pid}, of another role, has it" in caught.value.message
    plain.execute(UNLOCK)
    assert len(migrate.Migrator(store).up()) == 4


def test_that_of_another_database_is_no_matter(
    open_postgres: OpenPostgres, plain: Plain, postgres_server: DatabaseServer
) -> None:
    with postgres_server.connect() as elsewhere:
        elsewhere.execute(LOCK)
        open_postgres(migration_timeout=5)

    assert "users" in tables(plain)


def test_it_is_one_for_all_sources_and_schemas(
    open_postgres: OpenPostgres, migration_file: MigrationFile
) -> None:
    source = migration_file("1_a.sql", "CREATE TABLE a (x int);", table="app_versions")
    first = open_postgres(migrate="skip")
    second = open_postgres(migrate="skip", schema="public")
    with (
        first.migration_session("goose_db_version", timeout=20),
        pytest.raises(core.MigrationLockError, match="mooring"),
    ):
        migrate.Migrator(second, source).up(timeout=0.1)


def test_a_server_that_does_not_answer_is_not_waited_for(
    open_postgres: OpenPostgres, proxy: Proxy, plain: Plain, spawn: Spawn
) -> None:
    store = open_postgres(
        migrate="skip", host=proxy.host, port=proxy.port, ping_timeout=0.5
    )
    plain.execute(LOCK)
    waiting = spawn(
        migrate.Migrator(store).up,
    )
    while proxy.connections < 2:
        sleep(0.01)
    sleep(0.2)
    proxy.swallow()

    assert isinstance(waiting.exception(20), core.ConnectionLostError)


@pytest.mark.parametrize("head", ["", NO_TRANSACTION])
def test_kill_9_in_the_middle_of_a_long_statement_frees_it(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    postgres_config: dict[str, Any],
    start: Start,
    spawn: Spawn,
    tmp_path: Path,
    head: str,
) -> None:
    table = "CREATE TABLE IF NOT EXISTS a (x int);"
    migration_file("1_a.sql", table, "SELECT pg_sleep(300);", head=head)
    migration_file("2_b.sql", "CREATE TABLE b (x int);")
    holder = start(MIGRATOR, json.dumps(postgres_config), tmp_path / "files")
    asleep = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(300)%'"
    while not plain.execute(asleep).fetchone():
        assert holder.poll() is None
        sleep(0.01)
    source = migration_file("1_a.sql", table, "SELECT 1;", head=head)
    migrator = migrate.Migrator(open_postgres(migrate="skip"), source)
    waiting = spawn(migrator.up)
    sleep(0.2)
    assert not waiting.done()
    holder.send_signal(signal.SIGKILL)

    if head:
        # It has the lock, and says what the other one left.
        error = waiting.exception(20)
        assert isinstance(error, core.MigrationUnfinishedError)
        assert (error.version, error.done, error.running) == (1, 1, True)
        migrator.up(resume="again")
    else:
        assert len(waiting.result(20)) == 2
    assert versions(plain) == [0, 1, 2]


@pytest.mark.parametrize("head", ["", NO_TRANSACTION])
def test_a_file_that_gives_it_away_is_the_last_one_that_is_applied(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain, head: str
) -> None:
    migration_file("1_a.sql", "CREATE TABLE a (x int);")
    migration_file("2_b.sql", "SELECT pg_advisory_unlock_all();", head=head)
    source = migration_file("3_c.sql", "CREATE TABLE c (x int);", head=head)
    migrator = migrate.Migrator(open_postgres(migrate="skip"), source)
    migrator.up(to=1)
    with pytest.raises(core.MigrationFailedError, match="lock is not held") as caught:
        migrator.up()

    assert caught.value.file == "3_c.sql"
    assert "pg_advisory_unlock_all" in str(caught.value.hint)
    assert versions(plain) == [0, 1, 2]
    assert "c" not in tables(plain)
    assert len(migrator.up()) == 1


def test_an_error_leaves_nothing_behind(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
) -> None:
    source = migration_file("1_a.sql", "CREATE TABLE a (x nonsense);")
    store = open_postgres(migrate="skip", application_name="who")
    for _ in range(3):
        with pytest.raises(core.MigrationFailedError, match="nonsense"):
            migrate.Migrator(store, source).up()
    sessions = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'who'"
    begun = monotonic()
    while len(plain.execute(sessions).fetchall()) > 1:
        assert monotonic() - begun < 20

    assert holders(plain) == 0
    assert tables(plain) == set()
