"""The next file finds nothing of what one set, and is not told of its orphans."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mooring import core, migrate
from mooring_sqlite import SqliteStore

MigrationFile = Callable[..., migrate.Source]
OpenSqlite = Callable[..., SqliteStore]

# The two ways of a run: a new database's files share one transaction.
AT = pytest.mark.parametrize("at", [0, 1], ids=["new database", "migrated before"])
PATH = pytest.mark.parametrize("path", ["app.db", ":memory:"])


def up(
    store: SqliteStore, source: migrate.Source, *, at: int = 0, **rules: Any
) -> None:
    """Apply the files, those up to *at* in a run of their own."""
    migrator = migrate.Migrator(store, source, rules=migrate.Rules(**rules))
    if at:
        migrator.up(to=at)
    migrator.up()


@AT
@PATH
@pytest.mark.parametrize(
    ("pragma", "value", "default"),
    [
        ("recursive_triggers", "1", 0),
        ("ignore_check_constraints", "1", 0),
        ("busy_timeout", "7", 5000),
        ("cell_size_check", "0", 1),
        ("legacy_alter_table", "1", 0),
    ],
)
def test_a_pragma_ends_with_its_file(
    open_sqlite: OpenSqlite,
    migration_file: MigrationFile,
    path: str,
    at: int,
    pragma: str,
    value: str,
    default: int,
) -> None:
    migration_file("1_a.sql", "CREATE TABLE a (x);")
    migration_file("2_b.sql", f"PRAGMA {pragma} = {value};")
    column = "timeout" if pragma == "busy_timeout" else pragma
    shown = f"SELECT {column} AS x FROM pragma_{pragma}"
    source = migration_file("3_c.sql", f"CREATE TABLE c AS {shown};")
    store = open_sqlite(path, migrate="skip")
    up(store, source, at=at)

    assert store.execute("SELECT x FROM c").scalar() == default


@AT
@PATH
@pytest.mark.parametrize(
    "hides", ["CREATE TEMP TABLE a (y);", "CREATE VIEW temp.a AS SELECT 1 AS y;"]
)
def test_what_hides_a_table_ends_with_its_file(
    open_sqlite: OpenSqlite,
    migration_file: MigrationFile,
    path: str,
    at: int,
    hides: str,
) -> None:
    migration_file("1_a.sql", "CREATE TABLE a (x);")
    migration_file("2_b.sql", hides)
    source = migration_file("3_c.sql", "INSERT INTO a (x) VALUES (1);")
    store = open_sqlite(path, migrate="skip")
    up(store, source, at=at)

    assert store.execute("SELECT x FROM a").scalar() == 1


def test_an_attached_database_ends_with_its_file(
    open_sqlite: OpenSqlite, migration_file: MigrationFile, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other, other:
        other.execute("CREATE TABLE b AS SELECT 7 AS x")
    migration_file("1_a.sql", "CREATE TABLE a (x);")
    attach = f"ATTACH '{tmp_path}/other.db' AS other;"
    migration_file("2_b.sql", attach, "INSERT INTO a SELECT x FROM other.b;")
    source = migration_file("3_c.sql", "INSERT INTO b VALUES (1);")
    store = open_sqlite(migrate="skip")
    with pytest.raises(core.MigrationFailedError, match="no such table: b"):
        up(store, source, at=1)

    assert store.execute("SELECT x FROM a").scalar() == 7


@pytest.mark.parametrize("transaction", ["each", "all"])
def test_orphans_are_an_error_of_the_file_that_made_them(
    open_sqlite: OpenSqlite, migration_file: MigrationFile, transaction: Any
) -> None:
    migration_file(
        "1_a.sql",
        "CREATE TABLE parent (id INTEGER PRIMARY KEY);",
        "CREATE TABLE child (id INTEGER REFERENCES parent);",
        "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1);",
    )
    migration_file("2_b.sql", "DELETE FROM parent;")
    source = migration_file("3_c.sql", "CREATE TABLE c (x);")
    migrator = migrate.Migrator(open_sqlite(migrate="skip"), source)
    with pytest.raises(core.MigrationFailedError, match="child rowid 1") as caught:
        migrator.up(transaction=transaction)

    assert caught.value.file == "2_b.sql"


def test_orphans_that_somebody_made_between_two_files_are_not_theirs(
    open_sqlite: OpenSqlite, tmp_path: Path
) -> None:
    store = open_sqlite(migrate="skip")
    with store.migration_session("goose_db_version", timeout=5) as session:
        for version in (1, 2, 3):
            with session.unit(transaction=True) as unit:
                unit.execute(
                    "CREATE TABLE IF NOT EXISTS parent (id INTEGER PRIMARY KEY);"
                    "CREATE TABLE IF NOT EXISTS child (id INTEGER REFERENCES parent);"
                    "INSERT INTO parent DEFAULT VALUES;"
                )
                unit.record(version, digest="", duration=0)
            with closing(sqlite3.connect(tmp_path / "app.db")) as other, other:
                other.execute("INSERT INTO child VALUES (99)")

    assert store.execute("SELECT count(*) FROM child").scalar() == 3


def test_bounds_stop_a_statement_and_a_wait_for_another_process(
    open_sqlite: OpenSqlite, migration_file: MigrationFile, tmp_path: Path
) -> None:
    endless = (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
        " SELECT count(*) FROM n;"
    )
    migration_file("1_a.sql", "CREATE TABLE a (x);")
    source = migration_file("2_b.sql", "CREATE TABLE b (x);", endless)
    store = open_sqlite(migrate="skip")
    with pytest.raises(core.MigrationFailedError) as caught:
        up(store, source, at=1, statement_timeout=0.05)
    assert isinstance(caught.value.__cause__, core.StatementTimeoutError)
    assert caught.value.line == 3

    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(core.MigrationFailedError, match=r"waited 0\.1 s") as caught:
            up(store, source, table_lock_timeout=0.1)
    assert isinstance(caught.value.__cause__, core.StoreBusyError)

    # The connection goes back to the store as it was.
    assert store.execute("SELECT timeout FROM pragma_busy_timeout").scalar() == 5000


@pytest.mark.parametrize("head", ["", "-- +goose NO TRANSACTION"])
@pytest.mark.parametrize(
    "opening",
    ["/* ", "CREATE TABLE b (x); /* ", "SELECT 1 /* ", "SELECT '", 'SELECT "'],
)
def test_nothing_that_is_never_closed_hides_the_rest_of_a_file(
    open_sqlite: OpenSqlite, migration_file: MigrationFile, opening: str, head: str
) -> None:
    source = migration_file(
        "1_a.sql",
        "-- +goose StatementBegin",
        f"{opening}note",
        "CREATE TABLE a (x);",
        "-- +goose StatementEnd",
        head=head,
    )
    store = open_sqlite(migrate="skip")
    with pytest.raises(core.MigrationFailedError, match=r"never closed|unrecognized"):
        up(store, source)

    tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'a'"
    assert store.execute(tables).scalar() == 0
    assert [one.state for one in migrate.Migrator(store, source).status()] == [
        "pending"
    ]


def test_a_comment_that_is_never_closed_is_named_by_its_place(
    open_sqlite: OpenSqlite, migration_file: MigrationFile
) -> None:
    # The rule of goose cuts the comment in two at the end of its first line.
    source = migration_file("1_a.sql", "SELECT '/*' AS [/*]; /* note;", "*/;")
    with pytest.raises(core.MigrationFailedError, match="never closed") as caught:
        up(open_sqlite(migrate="skip"), source)

    assert caught.value.line is not None
    assert caught.value.column == 22
    assert "StatementBegin" in (caught.value.hint or "")
