"""Every driver answers the migrator the same: what is applied, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mooring import core, migrate
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import MigrationFile, OpenStore, TablesOf
from mooring.testing.contract._migration_file import versions


class MigratorContract:
    """The migrator gets the same answers: what is applied, what is refused."""

    @pytest.fixture
    def three(self, migration_file: MigrationFile) -> migrate.Source:
        """The files of three tables."""
        for number, name in enumerate("abc", start=1):
            source = migration_file(
                f"{number}_{name}.sql",
                f"CREATE TABLE {name} (x int);",
                down=f"DROP TABLE {name};",
            )
        return source

    def test_status_plan_up_and_down_agree(
        self,
        empty: core.SqlStore,
        three: migrate.Source,
        tables: Callable[[], set[str]],
    ) -> None:
        migrator = migrate.Migrator(empty, three)

        def states() -> list[str]:
            return [found.state for found in migrator.status()]

        assert states() == ["pending"] * 3
        assert [step.version for step in migrator.plan()] == [1, 2, 3]
        assert [step.version for step in migrator.plan(to=2)] == [1, 2]
        assert tables() == set()
        assert [step.version for step in migrator.up(to=2)] == [1, 2]
        assert states() == ["applied", "applied", "pending"]
        assert [step.version for step in migrator.up()] == [3]
        assert not migrator.plan()
        assert [step.version for step in migrator.down()] == [3]
        assert [step.version for step in migrator.down(steps=1)] == [2]
        assert [step.version for step in migrator.up()] == [2, 3]
        assert [step.version for step in migrator.down(to=1)] == [3, 2]
        assert [step.version for step in migrator.down(steps=5)] == [1]
        assert not migrator.down()
        assert states() == ["pending"] * 3
        assert tables() == set()

    def test_status_tells_when_and_how_long(
        self, empty: core.SqlStore, three: migrate.Source
    ) -> None:
        migrator = migrate.Migrator(empty, three)
        migrator.up(to=1)
        applied, pending, _ = migrator.status()

        assert len(applied.applied_at) == len("2025-07-11T16:38:58Z")
        assert applied.applied_at.endswith("Z")
        assert applied.duration is not None
        assert applied.duration >= 0
        assert (pending.applied_at, pending.duration) == ("", None)

    def test_progress_is_told_in_order(
        self, empty: core.SqlStore, three: migrate.Source
    ) -> None:
        events: list[migrate.Event] = []
        migrator = migrate.Migrator(empty, three, progress=events.append)
        migrator.up()
        migrator.down(to=2)

        assert [(e.kind, e.step.version, e.step.direction) for e in events] == [
            (kind, version, direction)
            for version, direction in [(1, "up"), (2, "up"), (3, "up"), (3, "down")]
            for kind in ("start", "statement", "end")
        ]
        assert [(e.statement, e.statements) for e in events[:3]] == [
            (0, 1),
            (1, 1),
            (1, 1),
        ]
        assert all((e.step.duration is None) == (e.kind != "end") for e in events)

    def test_an_error_of_the_progress_callback_keeps_nothing_of_the_file(
        self,
        empty: core.SqlStore,
        three: migrate.Source,
        tables: Callable[[], set[str]],
    ) -> None:
        def stop(event: migrate.Event) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            migrate.Migrator(empty, three, progress=stop).up()

        assert tables() == set()
        assert len(migrate.Migrator(empty, three).up()) == 3

    def test_migrating_inside_a_scope_is_refused_at_once(
        self,
        empty: core.SqlStore,
        three: migrate.Source,
        tables: Callable[[], set[str]],
    ) -> None:
        migrator = migrate.Migrator(empty, three)
        for scope in (empty.transaction, empty.read):
            with scope(), pytest.raises(core.NestedTransactionError):
                migrator.up()

        assert tables() == set()
        assert len(migrator.up()) == 3

    @requires(Capability.DURABLE)
    def test_a_newer_database_is_refused_and_not_touched(
        self,
        open_store: OpenStore,
        footprint: Callable[[core.SqlStore], object],
    ) -> None:
        store = open_store()
        known = max(versions(store))
        store.execute(
            "INSERT INTO goose_db_version (version_id, is_applied)"
            " SELECT 20990101000000, is_applied FROM goose_db_version"
            " WHERE version_id = 0"
        )
        before = footprint(store)

        for auto_migrate in (True, False):
            with pytest.raises(core.DatabaseAheadError) as caught:
                open_store(auto_migrate=auto_migrate)
            assert caught.value.database == 20990101000000
            assert caught.value.known == known
        assert footprint(store) == before
        assert [s.state for s in migrate.Migrator(store).status()][-1] == "ahead"

    @requires(Capability.DURABLE)
    def test_pending_migrations_are_told_and_nothing_is_written(
        self, open_store: OpenStore, empty: core.SqlStore, tables_of: TablesOf
    ) -> None:
        with pytest.raises(core.MigrationsPendingError) as caught:
            open_store(auto_migrate=False)
        assert len(caught.value.versions) == 4
        assert caught.value.hint
        assert tables_of(empty) == []
        open_store().close()
        store = open_store(auto_migrate=False)
        assert store.execute("SELECT count(*) FROM users").scalar() == 0

    def test_a_changed_file_is_refused_before_anything_new_is_applied(
        self,
        empty: core.SqlStore,
        migration_file: MigrationFile,
        tables: Callable[[], set[str]],
    ) -> None:
        source = migration_file("1_a.sql", "CREATE TABLE a (x int);")
        migrator = migrate.Migrator(empty, source)
        migrator.up()
        migration_file("1_a.sql", "CREATE TABLE a (x int, y int);")

        assert [found.state for found in migrator.status()] == ["changed"]
        assert not migrator.up()  # at head no file is opened
        with pytest.raises(core.MigrationChangedError):
            migrator.plan()
        migration_file("2_b.sql", "CREATE TABLE b (x int);")
        for call in (migrator.up, migrator.plan):
            with pytest.raises(core.MigrationChangedError) as caught:
                call()
            assert caught.value.version == 1
            assert caught.value.recorded != caught.value.found
        assert versions(empty) == [0, 1]
        assert tables() == {"a"}

    def test_other_line_ends_are_no_change(
        self, empty: core.SqlStore, migration_file: MigrationFile, tmp_path: Path
    ) -> None:
        migrator = migrate.Migrator(
            empty, migration_file("1_a.sql", "CREATE TABLE a (x int);")
        )
        migrator.up()
        path = tmp_path / "files" / "1_a.sql"
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

        assert [found.state for found in migrator.status()] == ["applied"]

    def test_a_file_below_the_current_version_is_out_of_order(
        self, empty: core.SqlStore, migration_file: MigrationFile
    ) -> None:
        migration_file("1_a.sql", "CREATE TABLE a (x int);")
        source = migration_file("3_c.sql", "CREATE TABLE c (x int);")
        migrator = migrate.Migrator(empty, source)
        migrator.up()
        migration_file("2_b.sql", "CREATE TABLE b (x int);")

        for call in (migrator.up, migrator.plan, migrator.require_head):
            with pytest.raises(core.MigrationOrderError, match=r"2_b\.sql") as caught:
                call()
            assert caught.value.versions == (2,)
        assert versions(empty) == [0, 1, 3]

    def test_a_missing_file_is_told_and_stops_only_the_way_back(
        self, empty: core.SqlStore, three: migrate.Source, tmp_path: Path
    ) -> None:
        migrator = migrate.Migrator(empty, three)
        migrator.up(to=2)
        (tmp_path / "files" / "1_a.sql").unlink()

        states = [(found.version, found.state) for found in migrator.status()]
        assert states == [(1, "missing"), (2, "applied"), (3, "pending")]
        assert [step.version for step in migrator.up()] == [3]
        with pytest.raises(core.MigrationError, match="version 1"):
            migrator.down(to=0)
        assert versions(empty) == [0, 1, 2, 3]
