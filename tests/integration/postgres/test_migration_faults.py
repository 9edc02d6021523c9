"""The server restarts, or somebody presses Ctrl-C, in the middle of a migration."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core, migrate
from mooring_postgres import PostgresStore
from mooring_postgres.testing import DatabaseServer, PostgresServer

MigrationFile = Callable[..., migrate.Source]
OpenPostgres = Callable[..., PostgresStore]
Plain = Any  # a psycopg.Connection, whose types take literal strings only
Start = Callable[..., "subprocess.Popen[str]"]

NO_TRANSACTION = "-- +goose NO TRANSACTION"
ENDLESS = "SELECT pg_sleep(600);"
HEADS = pytest.mark.parametrize("head", ["", NO_TRANSACTION])

# Says when a file begins, and what it knows when it is stopped: a job in the background
# of a shell ignores SIGINT.
MIGRATOR = """
    import json, signal, sys
    from mooring import core, migrate

    signal.signal(signal.SIGINT, signal.default_int_handler)

    def say(event):
        if event.kind == "start":
            print("start", event.step.version, flush=True)

    with core.open(json.loads(sys.argv[1]), migrate="skip") as store:
        try:
            migrate.Migrator(store, migrate.Source(sys.argv[2]), progress=say).up()
        except KeyboardInterrupt as stop:
            print("interrupted", *getattr(stop, "__notes__", ()), flush=True)
"""
SLEEPERS = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'"


def wait_for_the_sleeper(plain: Plain) -> None:
    deadline = monotonic() + 20
    while not plain.execute(SLEEPERS).fetchall():
        assert monotonic() < deadline
        sleep(0.01)


def tables(plain: Plain) -> set[str]:
    found = plain.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace"
        " AND relkind = 'r'"
    )
    ours = {"goose_db_version", "mooring_migrations"}
    return {name for (name,) in found} - ours


@HEADS
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts_leaves_what_the_error_says(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    own_server: PostgresServer,
    postgres_config: dict[str, Any],
    spawn: Callable[..., Any],
    mode: Any,
    head: str,
) -> None:
    schema = postgres_config["schema"]
    plain: Any  # psycopg's types take literal strings only
    with own_server.connect() as plain:
        plain.execute(f"CREATE SCHEMA {schema}")
    store = open_postgres(**own_server.params(), migrate="skip")
    source = migration_file("1_a.sql", "CREATE TABLE a (x int);", head=head)
    migrator = migrate.Migrator(store, source)
    migrator.up()
    table = "CREATE TABLE b (x int);"
    migration_file("2_b.sql", table, ENDLESS, head=head)
    running = spawn(migrator.up)
    with own_server.connect() as plain:
        wait_for_the_sleeper(plain)
    own_server.restart(mode)
    error = running.exception(30)

    assert isinstance(error, core.MigrationFailedError)
    assert isinstance(error.__cause__, core.ConnectionLostError)
    assert error.line == 3 + bool(head)
    expected = "statements 1 to 1 of 2 ran" if head else "nothing of this file was kept"
    assert expected in error.state
    with own_server.connect(options=f"-c search_path={schema}") as plain:
        assert tables(plain) == ({"a", "b"} if head else {"a"})
        migration_file("2_b.sql", table, "SELECT 1;", head=head)
        again = migrator.up(resume="again" if head else None)
        assert [step.version for step in again] == [2]
        plain.execute(f"DROP SCHEMA {schema} CASCADE")


@HEADS
def test_ctrl_c_leaves_nothing_of_the_file_or_says_what_stays(
    postgres_server: DatabaseServer,
    postgres_config: dict[str, Any],
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    start: Start,
    tmp_path: Path,
    head: str,
) -> None:
    source = migration_file("1_a.sql", "CREATE TABLE a (x int);", head=head)
    store = open_postgres(migrate="skip", migration_timeout=20)
    migrate.Migrator(store, source).up()
    migration_file("2_b.sql", "CREATE TABLE b (x int);", ENDLESS, head=head)
    child = start(MIGRATOR, json.dumps(postgres_config), tmp_path / "files")
    assert child.stdout is not None
    assert child.stdout.readline() == "start 2\n"
    wait_for_the_sleeper(plain)
    child.send_signal(signal.SIGINT)
    said = child.stdout.readline()

    assert child.wait(20) == 0
    stays = "2_b.sql: statements 1 to 1 of 2 ran and stay"
    assert said.startswith(f"interrupted {stays}" if head else "interrupted\n")
    assert plain.execute(SLEEPERS).fetchall() == []
    assert tables(plain) == ({"a", "b"} if head else {"a"})
    # What was begun is corrected, and gone on with; the lock is free.
    table = "CREATE TABLE b (x int);"
    source = migration_file("2_b.sql", table, "SELECT 1;", head=head)
    migrator = migrate.Migrator(store, source)
    if head:
        with pytest.raises(
            core.MigrationUnfinishedError, match="statement 2 was begun"
        ):
            migrator.up()
    again = migrator.up(resume="again" if head else None)
    assert [step.version for step in again] == [2]
