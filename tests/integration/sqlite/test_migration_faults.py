"""The disk is full, or somebody presses Ctrl-C, in the middle of a migration."""

import resource
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep

import pytest
from mooring import core, migrate
from mooring_sqlite import SqliteStore

MigrationFile = Callable[..., migrate.Source]
OpenSqlite = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]

NO_TRANSACTION = "-- +goose NO TRANSACTION"
ENDLESS = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
    " SELECT count(*) FROM n;"
)
FILL = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000)"
    " INSERT INTO b SELECT randomblob(1000) FROM n;"
)

# `mooring migrate up` on argv, with its own handler: a job in the background of a shell
# ignores SIGINT. It says when a file begins.
MIGRATOR = """
    import signal, sys
    from mooring import core, migrate

    signal.signal(signal.SIGINT, signal.default_int_handler)

    def say(event):
        if event.kind == "start":
            print("start", event.step.version, flush=True)

    with core.open({"driver": "sqlite", "path": sys.argv[1]}, migrate="skip") as store:
        try:
            migrate.Migrator(store, migrate.Source(sys.argv[2]), progress=say).up()
        except KeyboardInterrupt as stop:
            print("interrupted", *getattr(stop, "__notes__", ()), flush=True)
"""


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def tables(path: Path) -> set[object]:
    found = rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")
    ours = {"goose_db_version", "mooring_migrations", "sqlite_sequence"}
    return {name for (name,) in found} - ours


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond *size* bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("head", ["", NO_TRANSACTION])
def test_a_full_disk_leaves_what_the_error_says_and_the_next_run_goes_on(
    open_sqlite: OpenSqlite, migration_file: MigrationFile, tmp_path: Path, head: str
) -> None:
    migration_file("1_a.sql", "CREATE TABLE a (x);")
    source = migration_file("2_b.sql", "CREATE TABLE b (x);", FILL, head=head)
    migrator = migrate.Migrator(open_sqlite(migrate="skip"), source)
    migrator.up(to=1)
    with largest_file(200_000), pytest.raises(core.MigrationFailedError) as caught:
        migrator.up()

    assert isinstance(caught.value.__cause__, core.StorageError)
    # Where the statement filled the disk, or the COMMIT of its file.
    assert caught.value.file == "2_b.sql"
    path = tmp_path / "app.db"
    assert tables(path) == ({"a", "b"} if head else {"a"})
    expected = "statements 1 to 1 of 2 ran" if head else "nothing of this file was kept"
    assert expected in caught.value.state
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]

    again = migrator.up(resume="again" if head else None)
    assert [step.version for step in again] == [2]
    assert rows(path, "SELECT count(*) FROM b") == [(1000,)]


def test_a_database_that_may_not_grow_is_told_as_full_and_may_grow_in_the_next_file(
    open_sqlite: OpenSqlite, migration_file: MigrationFile, tmp_path: Path
) -> None:
    migration_file("1_a.sql", "CREATE TABLE b (x);")
    fill = "PRAGMA max_page_count = 30;"
    source = migration_file("2_b.sql", fill, FILL)
    store = open_sqlite(migrate="skip")
    migrator = migrate.Migrator(store, source)
    with pytest.raises(core.MigrationFailedError, match="as new") as caught:
        migrator.up()

    assert isinstance(caught.value.__cause__, core.StorageFullError)
    assert caught.value.line == 3
    assert tables(tmp_path / "app.db") == set()
    migration_file("2_b.sql", fill, "CREATE TABLE c (x);")
    migration_file("3_c.sql", FILL)
    migrator.up()
    assert store.execute("SELECT count(*) FROM b").scalar() == 1000


@pytest.mark.parametrize("head", ["", NO_TRANSACTION])
def test_ctrl_c_leaves_nothing_of_the_file_or_says_what_stays(
    open_sqlite: OpenSqlite,
    migration_file: MigrationFile,
    start: Start,
    tmp_path: Path,
    head: str,
) -> None:
    path = tmp_path / "app.db"
    source = migration_file("1_a.sql", "CREATE TABLE a (x);", head=head)
    migrate.Migrator(open_sqlite(migrate="skip"), source).up()
    migration_file("2_b.sql", "CREATE TABLE b (x);", ENDLESS, head=head)
    child = start(MIGRATOR, path, tmp_path / "files")
    assert child.stdout is not None
    assert child.stdout.readline() == "start 2\n"
    sleep(0.2)  # into the statement without an end
    child.send_signal(signal.SIGINT)
    said = child.stdout.readline()

    assert child.wait(20) == 0
    stays = "2_b.sql: statements 1 to 1 of 2 ran and stay"
    assert said.startswith(f"interrupted {stays}" if head else "interrupted\n")
    assert tables(path) == ({"a", "b"} if head else {"a"})
    # What was begun is corrected, and gone on with; the lock is free.
    source = migration_file("2_b.sql", "CREATE TABLE b (x);", "SELECT 1;", head=head)
    store = open_sqlite(migrate="skip", migration_timeout=5)
    migrator = migrate.Migrator(store, source)
    if head:
        with pytest.raises(
            core.MigrationUnfinishedError, match="statement 2 was begun"
        ):
            migrator.up()
    again = migrator.up(resume="again" if head else None)
    assert [step.version for step in again] == [2]
