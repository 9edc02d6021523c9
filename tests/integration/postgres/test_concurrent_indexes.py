"""CREATE INDEX CONCURRENTLY: no deadlock with who waits, no INVALID index unnoticed."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
from mooring import core, migrate
from mooring_postgres import PostgresStore

OpenPostgres = Callable[..., PostgresStore]
MigrationFile = Callable[..., migrate.Source]
Plain = Any  # a psycopg.Connection, whose types take literal strings only

NO_TRANSACTION = "-- +goose NO TRANSACTION"
BLOCK, END_OF_BLOCK = "-- +goose StatementBegin", "-- +goose StatementEnd"
TABLE = "CREATE TABLE a AS SELECT n, n % 10 AS x FROM generate_series(1, 1000) AS n;"


def versions(plain: Plain) -> list[int]:
    rows = plain.execute("SELECT version_id FROM goose_db_version ORDER BY id")
    return [version for (version,) in rows]


def indexes(plain: Plain) -> dict[str, bool]:
    """Return the indexes of table a, and whether each is valid."""
    found = plain.execute(
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
        " WHERE indrelid = 'a'::regclass"
    )
    return dict(found.fetchall())


def wait_until(condition: Callable[[], object]) -> None:
    deadline = monotonic() + 20
    while not condition():
        assert monotonic() < deadline
        sleep(0.01)


def test_one_is_built_while_others_wait_for_the_lock(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    postgres_server: Any,
    postgres_config: dict[str, Any],
    spawn: "Callable[..., Future[Any]]",
) -> None:
    migration_file("1_a.sql", TABLE)
    # One block, and one line: each statement is still one of its own.
    source = migration_file(
        "2_b.sql",
        BLOCK,
        "CREATE INDEX CONCURRENTLY a_n ON a (n); DROP INDEX CONCURRENTLY a_n;",
        "CREATE UNIQUE INDEX CONCURRENTLY a_n ON a (n);",
        END_OF_BLOCK,
        head=NO_TRANSACTION,
    )
    stores = [open_postgres(migrate="skip", max_open_conns=1) for _ in range(3)]
    migrators = [migrate.Migrator(store, source) for store in stores]
    migrators[0].up(to=1)
    # An older transaction, for which the building of the index has to wait.
    with postgres_server.connect(postgres_config["dbname"]) as old:
        old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        running = [spawn(migrator.up) for migrator in migrators]
        wait_until(lambda: indexes(plain))
        sleep(0.5)  # the others poll, which must not hold up the build
        assert not any(future.done() for future in running)
        old.execute("COMMIT")
        done = [future.result(20) for future in running]

    assert sorted(len(steps) for steps in done) == [0, 0, 1]
    assert indexes(plain) == {"a_n": True}
    assert versions(plain) == [0, 1, 2]


@pytest.mark.parametrize("exists", ["", "IF NOT EXISTS "])
def test_a_failed_build_is_named_until_it_is_dropped(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    exists: str,
) -> None:
    migration_file("1_a.sql", TABLE)
    source = migration_file(
        "2_b.sql",
        f'CREATE UNIQUE INDEX CONCURRENTLY {exists}"a;X" ON a (x);',
        head=NO_TRANSACTION,
    )
    migrator = migrate.Migrator(open_postgres(migrate="skip"), source)
    with pytest.raises(core.MigrationFailedError) as first:
        migrator.up()
    assert indexes(plain) == {'"a;X"': False}
    with pytest.raises(core.MigrationFailedError) as second:
        migrator.up()

    for caught in (first, second):
        error = caught.value
        assert 'INVALID index "a;X"' in error.message
        assert error.hint == 'DROP INDEX CONCURRENTLY "a;X"; then run again'
        assert "version 2 is not noted" in error.state or exists
    assert versions(plain) == [0, 1]
    plain.execute(str(first.value.hint).partition(";  then")[0].rpartition(";")[0])
    plain.execute("DELETE FROM a WHERE n > 10")
    migrator.up()
    assert indexes(plain) == {'"a;X"': True}
    assert versions(plain) == [0, 1, 2]


def test_invalid_indexes_of_others_and_of_partitioned_tables_are_no_matter(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    postgres_config: dict[str, Any],
) -> None:
    other = f"{postgres_config['schema']}_other"
    plain.execute(f"CREATE SCHEMA {other}; CREATE TABLE {other}.a AS SELECT 1 AS x")
    plain.execute(f"INSERT INTO {other}.a VALUES (1)")
    try:
        with pytest.raises(psycopg.errors.UniqueViolation):
            plain.execute(f"CREATE UNIQUE INDEX CONCURRENTLY parts_x ON {other}.a (x)")
        source = migration_file(
            "1_a.sql",
            "CREATE TABLE parts (x int) PARTITION BY RANGE (x);",
            "CREATE TABLE part PARTITION OF parts DEFAULT;",
            # INVALID until the indexes of all partitions are attached to it.
            "CREATE INDEX parts_x ON ONLY parts (x);",
            head=NO_TRANSACTION,
        )
        migration_file(
            "2_b.sql",
            "CREATE INDEX CONCURRENTLY part_x ON part (x);",
            "ALTER INDEX parts_x ATTACH PARTITION part_x;",
            head=NO_TRANSACTION,
        )
        migrate.Migrator(open_postgres(migrate="skip"), source).up()
    finally:
        plain.execute(f"DROP SCHEMA {other} CASCADE")

    assert versions(plain) == [0, 1, 2]


def test_one_of_a_schema_that_the_file_names_is_named_with_it(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    postgres_config: dict[str, Any],
) -> None:
    other = f"{postgres_config['schema']}_other"
    source = migration_file(
        "1_a.sql",
        f"CREATE SCHEMA {other}; CREATE TABLE {other}.a AS SELECT n / 2 AS x"
        " FROM generate_series(1, 9) AS n;",
        f"CREATE UNIQUE INDEX CONCURRENTLY a_x ON {other}.a (x);",
        head=NO_TRANSACTION,
    )
    try:
        with pytest.raises(core.MigrationFailedError) as caught:
            migrate.Migrator(open_postgres(migrate="skip"), source).up()
    finally:
        plain.execute(f"DROP SCHEMA IF EXISTS {other} CASCADE")

    assert f"INVALID index {other}.a_x" in caught.value.message
    assert "statements 1 to 2 of 3 ran and stay" in caught.value.state


def test_it_needs_a_file_without_a_transaction(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
) -> None:
    source = migration_file("1_a.sql", TABLE, "CREATE INDEX CONCURRENTLY x ON a (x);")

    with pytest.raises(core.MigrationFailedError, match="transaction block") as caught:
        migrate.Migrator(open_postgres(migrate="skip"), source).up()
    assert "-- +goose NO TRANSACTION" in str(caught.value.hint)


def test_a_file_in_python_that_builds_one_is_told_as_one_in_sql(
    open_postgres: OpenPostgres, plain: Plain, tmp_path: Path
) -> None:
    plain.execute(TABLE)
    build = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_x ON a (x)"
    file = tmp_path / "1_a.py"
    source = migrate.Source(str(tmp_path))
    migrator = migrate.Migrator(open_postgres(migrate="skip"), source)

    file.write_text(f"def up(tx):\n    tx.execute('{build}')\n")
    with pytest.raises(core.MigrationFailedError) as caught:
        migrator.up()
    assert caught.value.hint == "write `transaction = False` into the file"

    file.write_text(f"transaction = False\n{file.read_text()}")
    with pytest.raises(core.MigrationFailedError) as caught:
        migrator.up()
    assert "it left the INVALID index a_x" in caught.value.message
    assert "DROP INDEX CONCURRENTLY a_x" in str(caught.value.hint)
    # IF NOT EXISTS is content with it; the note of the version is not.
    with pytest.raises(core.MigrationFailedError, match="INVALID index a_x") as caught:
        migrator.up()
    assert versions(plain) == [0]
    plain.execute("DROP INDEX a_x")
    plain.execute("UPDATE a SET x = n")
    migrator.up(resume="again")
    assert indexes(plain) == {"a_x": True}
