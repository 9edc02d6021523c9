"""A migration that fails says where, and what state it left; the same everywhere."""

from collections.abc import Callable

import pytest

from mooring import core, migrate
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import MigrationFile, TablesOf
from mooring.testing.contract._migration_file import assert_stands_at, versions

NO_TRANSACTION = "-- +goose NO TRANSACTION"


class MigrationFailuresContract:
    """A migration that fails says where, and what state it left."""

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_malformed_sql_names_its_place_and_what_is_kept(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        migration_file("1_a.sql", "CREATE TABLE a (x int);")
        wrong = ("CREATE TABLE b (x int);", "INSERT INTO b", "  VALEUS (1);")
        migration_file("2_b.sql", *wrong)
        source = migration_file("3_c.sql", "CREATE TABLE c (x int);")
        migrator = migrate.Migrator(empty, source)
        migrator.up(to=1)

        with pytest.raises(core.MigrationFailedError) as caught:
            migrator.up()
        error = caught.value
        assert (error.file, error.version) == ("2_b.sql", 2)
        assert_stands_at(error, 4, 3, piece=3)
        assert error.statement == "INSERT INTO b\n  VALEUS (1);"
        assert "nothing of this file was kept" in error.state
        assert "version 1" in error.state
        assert isinstance(error.__cause__, core.StatementError)
        assert versions(empty) == [0, 1]
        assert tables() == {"a"}

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_on_a_new_database_a_failure_keeps_nothing_at_all(
        self, empty: core.SqlStore, migration_file: MigrationFile, tables_of: TablesOf
    ) -> None:
        migration_file("1_a.sql", "CREATE TABLE a (x int);")
        source = migration_file("2_b.sql", "CREATE TABLE;")
        migrator = migrate.Migrator(empty, source)

        with pytest.raises(core.MigrationFailedError, match="as new") as caught:
            migrator.up()
        assert caught.value.file == "2_b.sql"
        assert tables_of(empty) == []
        migration_file("2_b.sql", "CREATE TABLE b (x int);")
        assert [step.version for step in migrator.up()] == [1, 2]

    def test_a_file_that_cannot_be_parsed_stops_the_run_before_it_begins(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        migration_file("1_a.sql", "CREATE TABLE a (x int);")
        source = migration_file("2_b.sql", "CREATE TABLE b (x int)")

        with pytest.raises(core.MigrationParseError) as caught:
            migrate.Migrator(empty, source).up()
        assert caught.value.file == "2_b.sql"
        assert tables() == set()

    def test_a_file_without_a_transaction_says_how_far_it_ran(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        source = migration_file(
            "1_a.sql",
            "CREATE TABLE a (x int);",
            "INSERT INTO a VALUES (1);",
            "INSERT INTO nowhere VALUES (1);",
            "CREATE TABLE b (x int);",
            head=NO_TRANSACTION,
        )
        with pytest.raises(core.MigrationFailedError) as caught:
            migrate.Migrator(empty, source).up()

        assert caught.value.line == 5
        assert "statements 1 to 2 of 4 ran and stay" in caught.value.state
        assert "version 1 is not noted" in caught.value.state
        assert versions(empty) == [0]
        assert tables() == {"a"}
        assert empty.execute("SELECT x FROM a").scalar() == 1

    def test_a_file_without_a_transaction_goes_on_behind_what_ran(
        self, empty: core.SqlStore, migration_file: MigrationFile
    ) -> None:
        ran = ("CREATE TABLE a (x int);", "INSERT INTO a VALUES (1);")
        wrong = "INSERT INTO nowhere VALUES (2);"
        migration_file("1_a.sql", *ran, wrong, head=NO_TRANSACTION)
        source = migration_file("2_b.sql", "CREATE TABLE b (x int);")
        migrator = migrate.Migrator(empty, source)
        with pytest.raises(core.MigrationFailedError):
            migrator.up()
        assert migrator.status().unfinished is not None
        with pytest.raises(core.MigrationUnfinishedError) as caught:
            migrator.up()
        assert (caught.value.done, caught.value.running) == (2, False)

        right = "INSERT INTO a VALUES (2);"
        migration_file("1_a.sql", *ran, right, head=NO_TRANSACTION)
        done = migrator.up(resume="again")
        assert [step.version for step in done] == [1, 2]
        assert empty.execute("SELECT sum(x) FROM a").scalar() == 3
        assert migrator.status().state == "current"

    @requires(Capability.TRANSACTIONAL_DDL)
    @pytest.mark.parametrize("word", ["BEGIN", "COMMIT", "END", "ROLLBACK", "begin"])
    def test_a_transaction_of_its_own_is_refused_with_its_line(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
        word: str,
    ) -> None:
        source = migration_file(
            "1_a.sql",
            "CREATE TABLE a (x int);",
            f"/* mine */ {word};",
            "CREATE TABLE b (x int);",
        )
        strict = migrate.Rules(strict=True)
        with pytest.raises(core.MigrationFailedError) as caught:
            migrate.Migrator(empty, source, rules=strict).up()

        assert (caught.value.line, caught.value.column) == (3, 12)
        assert word.upper() in caught.value.message
        assert "NO TRANSACTION" in str(caught.value.hint)
        assert tables() == set()

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_a_commit_of_its_own_is_refused_or_told_with_what_stays(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        source = migration_file(
            "1_a.sql",
            "CREATE TABLE a (x int);",
            "COMMIT;",
            "CREATE TABLE b (x int);",
            "INSERT INTO nowhere VALUES (1);",
        )
        told: list[migrate.Event] = []
        with pytest.raises(core.MigrationFailedError) as caught:
            migrate.Migrator(empty, source, progress=told.append).up()

        warnings = [event.message for event in told if event.kind == "warning"]
        if warnings:  # the engine lets it, and this one runs it
            assert warnings[0].startswith("1_a.sql:3: COMMIT")
            assert "statements 1 to 3 of 4 ran and stay" in caught.value.state
            assert caught.value.line == 5
            assert tables() == {"a", "b"}
        else:
            assert (caught.value.line, caught.value.column) == (3, 1)
            assert tables() == set()
        assert "version 1 is not noted" in caught.value.state or not warnings

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_all_in_one_transaction_a_failure_leaves_the_old_version(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        migration_file("1_a.sql", "CREATE TABLE a (x int);", down="DROP TABLE;")
        migration_file("2_b.sql", "CREATE TABLE b (x int);", down="DROP TABLE b;")
        source = migration_file("3_c.sql", "CREATE TABLE c (x int);", "CREATE TABLE;")
        migrator = migrate.Migrator(empty, source)
        migrator.up(to=1)

        with pytest.raises(core.MigrationFailedError, match="version 1") as caught:
            migrator.up(transaction="all")
        assert (caught.value.file, caught.value.line) == ("3_c.sql", 3)
        assert "nothing of this run was kept" in caught.value.state
        assert versions(empty) == [0, 1]
        assert tables() == {"a"}

        migration_file("3_c.sql", "CREATE TABLE c (x int);", down="DROP TABLE c;")
        steps = migrator.up(transaction="all")
        assert [step.version for step in steps] == [2, 3]
        with pytest.raises(core.MigrationFailedError, match="nothing of this run"):
            migrator.down(to=0, transaction="all")
        assert versions(empty) == [0, 1, 2, 3]
        assert tables() == {"a", "b", "c"}

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_all_in_one_transaction_is_refused_where_a_file_has_none(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        migration_file("1_a.sql", "CREATE TABLE a (x int);")
        source = migration_file(
            "2_b.sql", "CREATE TABLE b (x int);", head=NO_TRANSACTION
        )
        migrator = migrate.Migrator(empty, source)
        with pytest.raises(core.MigrationError, match=r"2_b\.sql"):
            migrator.up(transaction="all")

        assert tables() == set()
        assert [step.version for step in migrator.up()] == [1, 2]

    def test_a_transaction_that_a_file_leaves_open_is_an_error_and_not_applied(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        table = ("BEGIN;", "CREATE TABLE a (x int);", "COMMIT;")
        back = "BEGIN;\nDROP TABLE a;"
        migration_file("1_a.sql", *table, down=back, head=NO_TRANSACTION)
        left_open = ("BEGIN;", "CREATE TABLE b (x int);")
        source = migration_file("2_b.sql", *left_open, head=NO_TRANSACTION)
        migrator = migrate.Migrator(empty, source)

        for call in (migrator.up, migrator.down):
            with pytest.raises(core.MigrationFailedError, match="transaction open"):
                call()
            assert versions(empty) == [0, 1]
            assert tables() == {"a"}
        empty.execute("INSERT INTO a VALUES (1)")

    def test_bounds_for_statements_are_taken_or_refused_and_end_with_the_run(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        source = migration_file("1_a.sql", "CREATE TABLE a (x int);")
        bounds = migrate.Rules(statement_timeout=20, table_lock_timeout=10)
        try:
            done = len(migrate.Migrator(empty, source, rules=bounds).up())
        except core.UnsupportedByDriver:
            done = 0
        assert tables() == ({"a"} if done else set())
        assert len(migrate.Migrator(empty, source).up()) == 1 - done

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_a_byte_order_mark_hides_no_commit(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        source = migration_file("1_a.sql", "CREATE TABLE a (x int);", "\ufeffCOMMIT;")

        # Strict, as an engine may let a file commit, and there it is a warning only.
        strict = migrate.Rules(strict=True)
        with pytest.raises(core.MigrationFailedError, match="COMMIT") as caught:
            migrate.Migrator(empty, source, rules=strict).up()
        assert caught.value.line == 3
        assert tables() == set()

    @pytest.mark.parametrize("head", ["", NO_TRANSACTION])
    def test_a_nul_in_a_file_is_an_error_of_ours(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
        head: str,
    ) -> None:
        nul = "CREATE TABLE a (x text DEFAULT '\0');"
        source = migration_file("1_a.sql", nul, head=head)

        with pytest.raises(core.MooringError):
            migrate.Migrator(empty, source).up()
        assert tables() == set()
