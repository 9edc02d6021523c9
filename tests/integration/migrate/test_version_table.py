"""The version table of a source: where it is, what is beside it, what destroys it."""

import getpass
from collections.abc import Callable
from typing import Any

import pytest
from mooring import core, migrate

MigrationFile = Callable[..., migrate.Source]

SHAPES = {
    "view": "CREATE VIEW goose_db_version AS SELECT 1 AS version_id",
    "another table": "CREATE TABLE goose_db_version (version TEXT)",
    "no id": "CREATE TABLE goose_db_version (version_id BIGINT, tstamp TIMESTAMP)",
}


def rows(store: core.SqlStore, table: str = "goose_db_version") -> list[int]:
    found = store.execute(f"SELECT version_id FROM {table} ORDER BY id")
    return [row["version_id"] for row in found]


def there_is(store: core.SqlStore, table: str) -> bool:
    try:
        store.execute(f"SELECT 1 FROM {table}")
    except core.StatementError:
        return False
    return True


def test_our_table_keeps_digest_seconds_and_who(
    store: Any, migration_file: MigrationFile
) -> None:
    source = migration_file("1_a.sql", "CREATE TABLE a (x int);")
    migrate.Migrator(store, source).up()
    (row,) = store.migration_versions(source.table)

    assert (row.version, len(row.digest)) == (1, 64)
    assert row.duration >= 0
    assert row.applied_by.split("@")[0] == getpass.getuser()


def test_a_database_without_our_table_is_adopted_on_the_first_run(
    store: Any, migration_file: MigrationFile
) -> None:
    for number, name in enumerate("ab", start=1):
        source = migration_file(f"{number}_{name}.sql", f"CREATE TABLE {name} (x int);")
    migrator = migrate.Migrator(store, source)
    migrator.up(to=1)
    store.execute("DROP TABLE mooring_migrations")  # as goose would have left it
    assert [(r.version, r.digest) for r in store.migration_versions(source.table)] == [
        (1, None)
    ]
    migrator.up()

    (first, second) = store.migration_versions(source.table)
    assert (first.digest, first.duration, first.applied_by) == (None, None, None)
    assert second.digest is not None


@pytest.mark.parametrize("statement", SHAPES.values(), ids=SHAPES)
def test_what_is_no_version_table_is_told_and_not_touched(
    store: core.SqlStore, migration_file: MigrationFile, statement: str
) -> None:
    store.execute(statement)
    source = migration_file("1_a.sql", "CREATE TABLE a (x int);")
    migrator = migrate.Migrator(store, source)

    for call in (migrator.up, migrator.down, migrator.status, migrator.plan):
        with pytest.raises(core.StoreError) as caught:
            call()
        assert "goose_db_version" in caught.value.message
        assert caught.value.hint is not None
        assert "rename it" in caught.value.hint
    assert not there_is(store, "a")
    assert not there_is(store, "mooring_migrations")


@pytest.mark.parametrize("table", ["goose_db_version", "mooring_migrations"])
@pytest.mark.parametrize("change", ["DROP TABLE {};", "ALTER TABLE {} RENAME TO gone;"])
def test_a_file_that_takes_the_version_table_away_is_told_and_undone(
    store: core.SqlStore, migration_file: MigrationFile, table: str, change: str
) -> None:
    source = migration_file("1_a.sql", "CREATE TABLE a (x int);")
    migrator = migrate.Migrator(store, source)
    migrator.up()
    migration_file("2_b.sql", "CREATE TABLE b (x int);", change.format(table))

    with pytest.raises(core.MigrationFailedError) as caught:
        migrator.up()
    assert caught.value.version == 2
    assert "version table goose_db_version" in caught.value.message
    assert caught.value.hint is not None
    assert "neither drop nor change" in caught.value.hint
    assert rows(store) == [0, 1]
    assert not there_is(store, "b")


@pytest.mark.parametrize("name", ["a.b.c", "a.", ".b", "a b", "1a", "", 'a"b', "ä"])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(core.ArgumentError):
        migrate.Source("files", table=name)


def test_on_postgres_it_can_be_in_a_schema_of_its_own(
    postgres_config: dict[str, object], migration_file: MigrationFile
) -> None:
    with core.open(postgres_config, migrate="skip") as store:
        ops = f"{postgres_config['schema']}_ops"
        store.execute(f"CREATE SCHEMA {ops}")
        try:
            source = migration_file(
                "1_a.sql",
                "CREATE TABLE a (x int);",
                down="DROP TABLE a;",
                table=f"{ops}.Versions",
            )
            migrator = migrate.Migrator(store, source)
            migrator.up()
            places = store.execute(
                "SELECT schemaname AS s, tablename AS t FROM pg_tables"
                " WHERE schemaname IN (current_schema(), :ops) ORDER BY 1, 2",
                {"ops": ops},
            ).all()

            assert migrator.at_head()
            assert rows(store, f"{ops}.versions") == [0, 1]
            assert [tuple(place) for place in places] == [
                (postgres_config["schema"], "a"),
                (ops, "mooring_migrations"),
                (ops, "versions"),
            ]
            migrator.down()
            assert rows(store, f"{ops}.versions") == [0]
        finally:
            store.execute(f"DROP SCHEMA {ops} CASCADE")


def test_on_postgres_a_schema_that_is_missing_is_told(
    postgres_config: dict[str, object], migration_file: MigrationFile
) -> None:
    source = migration_file("1_a.sql", "SELECT 1;", table="nowhere.versions")
    with (
        core.open(postgres_config, migrate="skip") as store,
        pytest.raises(core.MigrationFailedError, match="nowhere"),
    ):
        migrate.Migrator(store, source).up()


def test_on_sqlite_the_only_schema_is_main(
    open_sqlite: Callable[..., Any], migration_file: MigrationFile
) -> None:
    store = open_sqlite(migrate="skip")
    source = migration_file("1_a.sql", "CREATE TABLE a (x int);", table="main.Versions")
    migrate.Migrator(store, source).up()
    assert rows(store, "versions") == [0, 1]

    other = migrate.Source(source.folder, table="ops.versions")
    with pytest.raises(core.StoreError, match="one schema, main"):
        migrate.Migrator(store, other).up()
