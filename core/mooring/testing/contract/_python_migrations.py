"""A migration in Python runs as one in SQL does, or is refused before any file runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mooring import core, migrate
from mooring.testing.contract._fixture_types import MigrationFile, TablesOf
from mooring.testing.contract._migration_file import versions

ADD = 'tx.execute("INSERT INTO a VALUES (:x)", {"x": 1})'


class PythonMigrationsContract:
    """A migration in Python runs as one in SQL does, or is refused by name."""

    @pytest.fixture
    def python_file(
        self, migration_file: MigrationFile, tmp_path: Path
    ) -> Callable[..., migrate.Source]:
        """Write a file whose ``up`` has these lines, behind one that makes a table."""
        source = migration_file("1_a.sql", "CREATE TABLE a (x int);")

        def write(name: str, *lines: str, head: str = "") -> migrate.Source:
            text = "\n    ".join([f"{head}\ndef up(tx):", *lines, ""])
            (tmp_path / "files" / name).write_text(text)
            return source

        return write

    def test_a_file_in_python_runs_in_order_with_its_parameters(
        self,
        empty: core.SqlStore,
        python_file: Callable[..., migrate.Source],
        migration_file: MigrationFile,
        tables_of: TablesOf,
    ) -> None:
        source = python_file("2_b.py", "for x in (1, 2):", ADD.replace("tx", "    tx"))
        migration_file("3_c.sql", "UPDATE a SET x = x + 10;")
        python_file("4_d.py", ADD, "assert tx.execute('SELECT * FROM a').all()[2]")
        migrator = migrate.Migrator(empty, source)
        if _refuses(migrator):
            assert tables_of(empty) == []
            return

        assert versions(empty) == [0, 1, 2, 3, 4]
        found = empty.execute("SELECT x FROM a ORDER BY x")
        assert [row["x"] for row in found] == [1, 11, 11]
        assert [one.state for one in migrator.status()] == ["applied"] * 4
        assert all(one.digest for one in migrator.status())

    @pytest.mark.parametrize(
        "line", ["1 / 0", 'tx.execute("INSERT INTO nowhere VALUES (1)")']
    )
    @pytest.mark.parametrize("grouping", ["each", "all"])
    def test_a_file_in_python_that_fails_leaves_nothing_of_it(
        self,
        empty: core.SqlStore,
        python_file: Callable[..., migrate.Source],
        line: str,
        grouping: str,
    ) -> None:
        migrator = migrate.Migrator(empty, python_file("2_b.py", ADD))
        if _refuses(migrator):
            return
        python_file("3_c.py", ADD, line)
        options = {"transaction": grouping} if _undoes_tables(empty) else {}
        with pytest.raises(core.MigrationFailedError) as caught:
            migrator.up(**options)  # type: ignore[arg-type]  # a parameter of the test

        assert (caught.value.file, caught.value.line) == ("3_c.py", 4)
        assert "nothing of this" in caught.value.state
        assert versions(empty) == [0, 1, 2]
        assert empty.execute("SELECT count(*) FROM a").scalar() == 1
        python_file("3_c.py", ADD)
        assert [step.version for step in migrator.up()] == [3]

    @pytest.mark.parametrize("word", ["COMMIT", "ROLLBACK", "BEGIN"])
    def test_a_file_in_python_does_not_end_its_transaction(
        self,
        empty: core.SqlStore,
        python_file: Callable[..., migrate.Source],
        word: str,
    ) -> None:
        migrator = migrate.Migrator(empty, python_file("2_b.py", ADD))
        if _refuses(migrator):
            return
        python_file("3_c.py", ADD, f'tx.execute("{word}")')
        with pytest.raises(core.MigrationFailedError) as caught:
            migrator.up()

        assert isinstance(caught.value.__cause__, core.StatementNotAllowedError)
        assert empty.execute("SELECT count(*) FROM a").scalar() == 1

    def test_a_file_in_python_without_a_transaction_keeps_what_ran(
        self, empty: core.SqlStore, python_file: Callable[..., migrate.Source]
    ) -> None:
        alone = "transaction = False"
        block = "with tx.transaction() as tx:"
        source = python_file("2_b.py", ADD, block, f"    {ADD}", head=alone)
        migrator = migrate.Migrator(empty, source)
        if _refuses(migrator):
            return
        python_file("3_c.py", ADD, block, f"    {ADD}", "    1 / 0", head=alone)
        with pytest.raises(core.MigrationFailedError, match="stays"):
            migrator.up()

        assert empty.execute("SELECT count(*) FROM a").scalar() == 3
        assert versions(empty) == [0, 1, 2]
        with pytest.raises(core.MigrationUnfinishedError):
            migrator.up()
        assert [step.version for step in migrator.up(resume="after")] == [3]


def _refuses(migrator: migrate.Migrator) -> bool:
    """Return whether the driver runs no Python; if it does, all is applied now."""
    try:
        migrator.up()
    except core.UnsupportedByDriver as refusal:
        error = refusal
    else:
        return False
    # Before any file ran, by name, and with what to do.
    assert error.capability == "python_migrations"
    assert error.driver in error.message
    assert error.hint
    assert migrator.status().database == 0
    return True


def _undoes_tables(store: core.SqlStore) -> bool:
    return core.Capability.TRANSACTIONAL_DDL in store.capabilities
