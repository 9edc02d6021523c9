"""A file, its version and its digest are kept or undone together."""

from collections.abc import Callable
from typing import Any

import pytest
from mooring import core, migrate
from mooring_postgres import PostgresStore

OpenPostgres = Callable[..., PostgresStore]
MigrationFile = Callable[..., migrate.Source]
Plain = Any  # a psycopg.Connection, whose types take literal strings only

NO_TRANSACTION = "-- +goose NO TRANSACTION"
HEADS = pytest.mark.parametrize("head", ["", NO_TRANSACTION])


def tables(plain: Plain) -> set[str]:
    found = plain.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace"
        " AND relkind IN ('r', 'v', 'p')"
    )
    return {name for (name,) in found} - {"goose_db_version", "mooring_migrations"}


def versions(plain: Plain) -> list[int]:
    rows = plain.execute("SELECT version_id FROM goose_db_version ORDER BY id")
    return [version for (version,) in rows]


def up(store: PostgresStore, source: migrate.Source, *, strict: bool = False) -> None:
    rules = migrate.Rules(strict=strict)
    migrate.Migrator(store, source, rules=rules).up()


@HEADS
def test_version_and_digest_are_noted_together(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    head: str,
) -> None:
    refuse = "ALTER TABLE mooring_migrations ADD CHECK (version_id <> 2);"
    migration_file("1_a.sql", refuse)
    source = migration_file("2_b.sql", "CREATE TABLE b (x int);", head=head)
    migrator = migrate.Migrator(open_postgres(migrate="skip"), source)
    migrator.up(to=1)
    with pytest.raises(core.MigrationFailedError, match="check constraint"):
        migrator.up()

    assert versions(plain) == [0, 1]
    assert tables(plain) == ({"b"} if head else set())


@pytest.mark.parametrize(
    "statement",
    [
        "BEGIN",
        "start transaction",
        "COMMIT AND CHAIN",
        "END WORK",
        "ABORT",
        "ROLLBACK",
        "PREPARE TRANSACTION 'mine'",
    ],
)
def test_one_of_its_own_is_refused_with_its_line(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    statement: str,
) -> None:
    source = migration_file(
        "1_a.sql",
        "CREATE TABLE a (x int);",
        f"/* mine */ CREATE TABLE b (x int); {statement};",
    )
    with pytest.raises(core.MigrationFailedError) as caught:
        up(open_postgres(migrate="skip"), source, strict=True)

    assert (caught.value.line, caught.value.column) == (3, 36)
    assert statement.split()[0].upper() in caught.value.message
    assert "NO TRANSACTION" in str(caught.value.hint)
    assert tables(plain) == set()


@pytest.mark.parametrize("statement", ["ABORT", "ROLLBACK", "PREPARE TRANSACTION 'x'"])
def test_an_end_that_would_undo_the_file_is_always_refused(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    statement: str,
) -> None:
    source = migration_file("1_a.sql", "CREATE TABLE a (x int);", f"{statement};")
    with pytest.raises(core.MigrationFailedError, match="in a file that runs in one"):
        up(open_postgres(migrate="skip"), source)

    assert tables(plain) == set()


class TestACommitOfItsOwn:
    """It runs as goose runs it: what comes behind stands alone."""

    def test_the_file_is_applied_and_a_warning_names_its_line(
        self,
        open_postgres: OpenPostgres,
        migration_file: MigrationFile,
        plain: Plain,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        migration_file("1_a.sql", "CREATE TABLE before (x int);")
        migration_file(
            "2_b.sql",
            "BEGIN;",
            "CREATE TABLE a (x int);",
            "COMMIT;",
            "CREATE INDEX CONCURRENTLY behind ON a (x);",
        )
        source = migration_file("3_c.sql", "CREATE TABLE b (x int);")
        up(open_postgres(migrate="skip"), source)

        assert tables(plain) == {"before", "a", "b"}
        assert versions(plain) == [0, 1, 2, 3]
        (logged,) = caplog.records
        assert logged.name == "mooring.migrate"
        assert logged.message.startswith("2_b.sql:2: BEGIN in a file that runs in one")

    def test_a_failure_before_it_leaves_nothing(
        self, open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
    ) -> None:
        source = migration_file(
            "1_a.sql",
            "CREATE TABLE a (x int);",
            "BEGIN;",
            "INSERT INTO nowhere VALUES (1);",
            "COMMIT;",
        )
        with pytest.raises(core.MigrationFailedError, match="nothing of this file"):
            up(open_postgres(migrate="skip"), source)

        assert tables(plain) == set()

    @pytest.mark.parametrize(
        ("middle", "stay"),
        [
            ("COMMIT;", 3),
            ("COMMIT; BEGIN;", 2),
            ("COMMIT AND CHAIN;", 2),
            ("END;\nBEGIN;\nCREATE TABLE c (x int);\nCOMMIT;", 6),
        ],
    )
    def test_a_failure_behind_it_says_which_statements_stay(
        self,
        open_postgres: OpenPostgres,
        migration_file: MigrationFile,
        plain: Plain,
        middle: str,
        stay: int,
    ) -> None:
        source = migration_file(
            "1_a.sql",
            "CREATE TABLE a (x int);",
            middle,
            "CREATE TABLE b (x int);",
            "INSERT INTO nowhere VALUES (1);",
        )
        with pytest.raises(core.MigrationFailedError) as caught:
            up(open_postgres(migrate="skip"), source)

        assert f"statements 1 to {stay} of" in caught.value.state
        assert "version 1 is not noted" in caught.value.state
        assert ("b" in tables(plain)) == (stay > 2)
        assert "a" in tables(plain)
        assert versions(plain) == [0]

    def test_together_with_others_it_is_refused_before_anything_runs(
        self, open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
    ) -> None:
        migration_file("1_a.sql", "CREATE TABLE a (x int);")
        source = migration_file("2_b.sql", "CREATE TABLE b (x int);", "COMMIT;")
        migrator = migrate.Migrator(open_postgres(migrate="skip"), source)
        with pytest.raises(core.MigrationFailedError, match=r"2_b\.sql:3:1: COMMIT"):
            migrator.up(transaction="all")

        assert tables(plain) == set()


@pytest.mark.parametrize(
    "statement",
    [
        "SAVEPOINT s; INSERT INTO a VALUES (2); ROLLBACK TO s;",
        "SAVEPOINT s; DELETE FROM a; ROLLBACK TRANSACTION TO SAVEPOINT s;",
        "COMMENT ON TABLE a IS 'COMMIT;';",
    ],
)
def test_what_only_looks_like_its_end_runs(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    statement: str,
) -> None:
    source = migration_file("1_a.sql", "CREATE TABLE a AS SELECT 1 AS x;", statement)
    up(open_postgres(migrate="skip"), source)

    assert plain.execute("SELECT x FROM a").fetchall() == [(1,)]
    assert versions(plain) == [0, 1]


def test_a_procedure_that_commits_is_refused_by_the_server(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
) -> None:
    source = migration_file(
        "1_a.sql", "CREATE TABLE a (x int);", "DO 'BEGIN COMMIT; END';"
    )
    with pytest.raises(core.MigrationFailedError, match="transaction termination"):
        up(open_postgres(migrate="skip"), source)

    assert tables(plain) == set()


def test_it_may_begin_and_end_in_a_file_without_one(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
) -> None:
    source = migration_file(
        "1_a.sql",
        "BEGIN; CREATE TABLE a (x int);",
        "ROLLBACK; BEGIN; CREATE TABLE b (x int); COMMIT;",
        head=NO_TRANSACTION,
    )
    up(open_postgres(migrate="skip"), source)

    assert tables(plain) == {"b"}
    assert versions(plain) == [0, 1]


def test_one_that_is_left_open_is_an_error_and_not_applied(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
) -> None:
    source = migration_file(
        "1_a.sql", "BEGIN; CREATE TABLE a (x int);", head=NO_TRANSACTION
    )
    with pytest.raises(core.MigrationFailedError, match="transaction open"):
        up(open_postgres(migrate="skip"), source)

    assert tables(plain) == set()
    assert versions(plain) == [0]
