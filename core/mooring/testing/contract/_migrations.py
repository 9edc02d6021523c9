"""What a driver does for `mooring.migrate`: its folder, its units, its lock."""

import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from mooring import core, migrate
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import Program, Spawn
from mooring.testing.contract._migration_file import assert_stands_at
from mooring.testing.contract._patience import PATIENCE

TABLE = "goose_db_version"
OWN = {
    20250603124835: "20250603124835_create_workflow_states.sql",
    20250603124915: "20250603124915_create_task_states.sql",
    20250711163857: "20250711163857_create_users.sql",
    20250711163858: "20250711163858_create_api_keys.sql",
}
TABLES = ("workflow_states", "task_states", "users", "api_keys")
FIRST = """\
-- +goose Up
CREATE TABLE first_notes (id BIGINT PRIMARY KEY, note TEXT);
INSERT INTO first_notes VALUES (1, 'a; b'), (2, 'it''s');

-- +goose Down
DROP TABLE first_notes;
"""
SECOND = """\
-- +goose Up
-- +goose StatementBegin
CREATE TABLE second_notes (id BIGINT PRIMARY KEY, note TEXT);
INSERT INTO second_notes SELECT id, note FROM first_notes;
UPDATE second_notes SET note = 'moved; really';
-- +goose StatementEnd

-- +goose Down
DROP TABLE second_notes;
"""
BROKEN = SECOND + "-- never reached\n"
BROKEN = BROKEN.replace("UPDATE second_notes SET", "UPDATE nowhere SET")
BROKEN_LINE = 1 + BROKEN[: BROKEN.index("UPDATE nowhere")].count("\n")


def write(folder: Path, files: Mapping[str, str]) -> migrate.Source:
    """Write an application's migrations, which have a version table of their own."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return migrate.Source(str(folder), table="notes_versions")


def applied(store: Any, table: str = TABLE) -> list[int]:
    return [row.version for row in store.migration_versions(table) or ()]


def count(store: core.SqlStore, table: str) -> int:
    """Return the number of rows, -1 where there is no such table."""
    try:
        return int(store.execute(f"SELECT count(*) FROM {table}").scalar())
    except core.StatementError:
        return -1


class MigrationsContract:
    """What a driver does for `mooring.migrate`: its folder, its units, its lock."""

    @pytest.fixture
    def app_files(self, tmp_path: Path) -> migrate.Source:
        """Migrations of an application."""
        files = {"1_first.sql": FIRST, "2_second.sql": SECOND}
        return write(tmp_path / "app_files", files)

    # -- the driver's own files -----------------------------------------------------

    def test_its_folder_holds_the_four_migrations_each_with_a_way_back(
        self, empty: core.SqlStore
    ) -> None:
        folder = core.driver_folder(empty)
        assert folder is not None
        source = migrate.Source(folder)
        files = source.files()

        assert isinstance(folder.name, str)
        assert {version: file.name for version, file in files.items()} == OWN
        for file in files.values():
            parsed = migrate.parse(file.read_bytes().decode(), name=file.name)
            assert parsed.up, file.name
            assert parsed.down, file.name

    def test_its_folder_can_be_read_as_often_as_one_likes(
        self, empty: core.SqlStore
    ) -> None:
        def content() -> dict[str, bytes]:
            folder = core.driver_folder(empty)
            assert folder is not None
            twice = [
                {file.name: file.read_bytes() for file in folder.iterdir()}
                for _ in range(2)
            ]
            assert twice[0] == twice[1]
            return twice[0]

        before = content()
        empty.close()

        assert before
        assert content() == before

    def test_a_new_store_has_no_version_table_and_looking_makes_none(
        self, empty: Any
    ) -> None:
        assert empty.migration_versions(TABLE) is None
        assert empty.migration_versions(TABLE) is None
        assert not migrate.Migrator(empty).at_head()
        assert count(empty, TABLE) == -1

    def test_they_apply_from_nothing_and_are_noted_with_time_digest_and_seconds(
        self, empty: Any
    ) -> None:
        migrator = migrate.Migrator(empty)
        steps = migrator.up()
        rows = empty.migration_versions(TABLE)

        assert [step.version for step in steps] == list(OWN)
        assert [row.version for row in rows] == list(OWN)
        for row in rows:
            assert datetime.fromisoformat(row.applied_at).utcoffset() is not None
            assert len(row.digest) == 64
            assert row.duration >= 0
        assert {found.state for found in migrator.status()} == {"applied"}
        assert [count(empty, table) for table in TABLES] == [0, 0, 0, 0]

    def test_the_version_table_is_goose_s_with_its_first_row(
        self, store: core.SqlStore
    ) -> None:
        found = store.execute(f"SELECT version_id, is_applied FROM {TABLE} ORDER BY id")
        rows = [(row["version_id"], bool(row["is_applied"])) for row in found]

        assert rows == [(version, True) for version in (0, *OWN)]

    def test_applying_again_does_nothing(
        self, store: core.SqlStore, config: dict[str, object]
    ) -> None:
        before = store.execute(f"SELECT * FROM {TABLE} ORDER BY id").all()
        for _ in range(2):
            assert not migrate.Migrator(store).up()
        if Capability.MULTI_PROCESS in store.capabilities:
            core.open(config).close()

        after = store.execute(f"SELECT * FROM {TABLE} ORDER BY id").all()
        assert [tuple(row) for row in after] == [tuple(row) for row in before]

    def test_down_and_up_again_leaves_the_tables_new(
        self, store: core.SqlStore
    ) -> None:
        store.execute("INSERT INTO users (id, email, role) VALUES ('u', 'e', 'user')")
        migrator = migrate.Migrator(store)
        newest_first = list(OWN)[::-1]

        assert [step.version for step in migrator.down()] == newest_first[:1]
        assert count(store, "api_keys") == -1
        assert count(store, "users") == 1
        assert [step.version for step in migrator.down(to=0)] == newest_first[1:]
        assert [count(store, table) for table in TABLES] == [-1, -1, -1, -1]
        assert applied(store) == []
        assert [step.version for step in migrator.up()] == list(OWN)
        assert [count(store, table) for table in TABLES] == [0, 0, 0, 0]

    def test_a_store_can_be_migrated(self, empty: core.SqlStore) -> None:
        assert isinstance(empty, core.Migratable)

    # -- the application's ----------------------------------------------------------

    def test_an_application_s_files_have_a_version_table_of_their_own(
        self, config: dict[str, object], app_files: migrate.Source
    ) -> None:
        with core.open(config, migrations=app_files) as store:
            notes = store.execute("SELECT note FROM second_notes ORDER BY id")

            assert [row["note"] for row in notes] == ["moved; really"] * 2
            assert applied(store) == list(OWN)
            assert applied(store, app_files.table) == [1, 2]
            assert core.health_check(store).ok
            migrate.Migrator(store, app_files).down(to=1)
            assert applied(store, app_files.table) == [1]
            assert applied(store) == list(OWN)
            assert count(store, "second_notes") == -1
            assert core.health_check(store).status == "failed"

    def test_a_file_without_a_transaction_is_applied_and_undone(
        self, store: core.SqlStore, tmp_path: Path
    ) -> None:
        head = "-- +goose NO TRANSACTION\n"
        files = {"1_first.sql": head + FIRST, "2_second.sql": head + SECOND}
        migrator = migrate.Migrator(store, write(tmp_path / "alone", files))

        assert [step.version for step in migrator.up()] == [1, 2]
        assert [count(store, f"{name}_notes") for name in ("first", "second")] == [2, 2]
        assert [step.version for step in migrator.down(to=0)] == [2, 1]
        assert [count(store, f"{name}_notes") for name in ("first", "second")] == [
            -1,
            -1,
        ]

    def test_a_failure_names_file_and_line_and_is_not_noted_as_applied(
        self, store: core.SqlStore, tmp_path: Path
    ) -> None:
        files = {"1_first.sql": FIRST, "2_second.sql": BROKEN}
        source = write(tmp_path / "broken", files)
        with pytest.raises(core.MigrationFailedError) as caught:
            migrate.Migrator(store, source).up()
        error = caught.value

        assert (error.file, error.version) == ("2_second.sql", 2)
        assert_stands_at(error, BROKEN_LINE, None, piece=3)
        assert "nowhere" in str(error)
        assert isinstance(error.__cause__, core.StoreError)
        assert 2 not in applied(store, source.table)
        assert not migrate.Migrator(store, source).at_head()

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_a_failure_leaves_nothing_of_its_file_and_the_way_open(
        self, store: core.SqlStore, tmp_path: Path
    ) -> None:
        files = {"1_first.sql": FIRST, "2_second.sql": BROKEN}
        source = write(tmp_path / "broken", files)
        migrator = migrate.Migrator(store, source)
        migrator.up(to=1)
        for _ in range(2):
            with pytest.raises(core.MigrationFailedError):
                migrator.up()
            assert applied(store, source.table) == [1]
            assert count(store, "first_notes") == 2
            assert count(store, "second_notes") == -1
        write(tmp_path / "broken", {"2_second.sql": SECOND})

        assert [step.version for step in migrator.up()] == [2]
        assert count(store, "second_notes") == 2

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_a_first_run_that_fails_leaves_nothing_at_all(
        self, store: core.SqlStore, tmp_path: Path
    ) -> None:
        files = {"1_first.sql": FIRST, "2_second.sql": BROKEN}
        source = write(tmp_path / "broken", files)
        with pytest.raises(core.MigrationFailedError):
            migrate.Migrator(store, source).up()

        assert count(store, "first_notes") == -1
        assert count(store, source.table) == -1

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_an_interrupt_between_two_files_keeps_the_state_whole(
        self, store: core.SqlStore, app_files: migrate.Source
    ) -> None:
        def stop(event: migrate.Event) -> None:
            if (event.kind, event.step.version) == ("end", 2):
                raise KeyboardInterrupt

        migrate.Migrator(store, app_files).up(to=1)
        with pytest.raises(KeyboardInterrupt):
            migrate.Migrator(store, app_files, progress=stop).up()
        known = applied(store, app_files.table)

        assert known in ([1], [1, 2])
        assert count(store, "second_notes") == (2 if known == [1, 2] else -1)
        migrate.Migrator(store, app_files).up()
        assert applied(store, app_files.table) == [1, 2]

    # -- the lock -------------------------------------------------------------------

    def test_threads_at_once_apply_each_file_once(
        self, store: core.SqlStore, app_files: migrate.Source, spawn: Spawn
    ) -> None:
        together = threading.Barrier(4)

        def up() -> list[int]:
            together.wait(PATIENCE)
            steps = migrate.Migrator(store, app_files).up(timeout=PATIENCE)
            return [step.version for step in steps]

        runs = [spawn(up) for _ in range(4)]

        assert sorted(v for run in runs for v in run.result(PATIENCE)) == [1, 2]
        assert count(store, "first_notes") == 2

    @requires(Capability.MULTI_PROCESS)
    def test_processes_at_once_apply_each_file_once(
        self,
        program: Program,
        app_files: migrate.Source,
        config: dict[str, object],
        tmp_path: Path,
    ) -> None:
        code = (
            "from mooring import migrate\n"
            f"source = migrate.Source({str(tmp_path / 'app_files')!r},"
            f" table={app_files.table!r})\n"
            "print('ready', flush=True)\n"
            "sys.stdin.readline()\n"
            "with core.open(config, migrations=source) as store:\n"
            "    assert store.execute('SELECT count(*) FROM users').scalar() == 0\n"
        )
        processes = [program(code) for _ in range(3)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        ends = [process.communicate(timeout=PATIENCE) for process in processes]

        assert ends == [("", "")] * 3
        assert [process.returncode for process in processes] == [0, 0, 0]
        with core.open(config, migrations=app_files, migrate="verify") as store:
            found = store.execute(f"SELECT version_id FROM {TABLE} ORDER BY id")
            assert [row["version_id"] for row in found] == [0, *OWN]
            assert count(store, "first_notes") == count(store, "second_notes") == 2

    @requires(Capability.MULTI_PROCESS)
    def test_a_lock_that_is_not_free_in_time_fails_and_changes_nothing(
        self, config: dict[str, object], app_files: migrate.Source, spawn: Spawn
    ) -> None:
        with (
            core.open(config) as holder,
            core.open(config) as other,
            core.open(config) as third,
        ):
            session: Any = holder
            with session.migration_session(TABLE, timeout=5):
                waiting = spawn(migrate.Migrator(other, app_files).up)
                started = monotonic()
                with pytest.raises(core.MigrationLockError) as caught:
                    spawn(
                        lambda: migrate.Migrator(third, app_files).up(timeout=0.2)
                    ).result(PATIENCE)
                took = monotonic() - started

                assert caught.value.retryable
                assert took < PATIENCE
                assert not waiting.done()
            waiting.result(PATIENCE)

            assert applied(other, app_files.table) == [1, 2]
            assert count(other, "first_notes") == 2
