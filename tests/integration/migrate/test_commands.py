"""What each call of the migrator does, returns and refuses, on both drivers."""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from mooring import core, migrate

MigrationFile = Callable[..., migrate.Source]
TABLES = ("a", "b", "c", "d")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `migration_file` writes."""
    return tmp_path / "files"


@pytest.fixture
def source(migration_file: MigrationFile) -> migrate.Source:
    """Four files, one table each; the second has 10 in front of it by name."""
    for number, name in zip((1, 2, 9, 10), TABLES, strict=True):
        source = migration_file(
            f"{number}_{name}.sql",
            f"CREATE TABLE {name} (x int);",
            down=f"DROP TABLE {name};",
        )
    return source


@pytest.fixture
def migrator(store: core.SqlStore, source: migrate.Source) -> migrate.Migrator:
    return migrate.Migrator(store, source)


def there_are(store: core.SqlStore) -> str:
    """Return the names of the tables of `TABLES` that there are."""
    found = ""
    for name in TABLES:
        try:
            store.execute(f"SELECT 1 FROM {name}")
        except core.StatementError:
            continue
        found += name
    return found


def applied(store: Any) -> list[int]:
    return [row.version for row in store.migration_versions("goose_db_version") or ()]


# -- values ---------------------------------------------------------------------------


def test_each_call_returns_a_frozen_value(
    migrator: migrate.Migrator,
) -> None:
    found: list[Any] = [
        migrator.status(),
        migrator.plan(),
        migrator.plan_down(),
        migrator.plan_repair(),
        migrator.up(),
        migrator.redo(),
        migrator.down(),
        migrator.reset(),
        migrator.stamp(to=10),
        migrator.repair(),
        migrator.wait(timeout=0),
    ]
    for value in found:
        assert attrs.has(type(value))
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, attrs.fields(type(value))[0].name, None)


def test_an_outcome_is_the_sequence_of_its_steps_with_the_version(
    migrator: migrate.Migrator,
) -> None:
    done = migrator.up(to=2)
    assert (len(done), done.version, done[-1].name) == (2, 2, "2_b.sql")
    assert [step.version for step in done[:1]] == [1]
    assert not migrator.up(to=2)
    assert migrator.down().version == 1


# -- up -------------------------------------------------------------------------------


def test_the_order_is_numeric_whatever_the_names_say(
    migrator: migrate.Migrator,
) -> None:
    assert migrator.plan().versions == (1, 2, 9, 10)
    assert [step.version for step in migrator.up()] == [1, 2, 9, 10]
    assert [step.version for step in migrator.reset()] == [10, 9, 2, 1]


def test_up_takes_a_number_of_steps(migrator: migrate.Migrator) -> None:
    assert [step.version for step in migrator.up(steps=3)] == [1, 2, 9]
    assert [step.version for step in migrator.up(steps=3)] == [10]


@pytest.mark.parametrize("chosen", [{"to": 1, "steps": 1}, {"to": -1}, {"steps": 0}])
def test_what_makes_no_sense_is_refused(
    migrator: migrate.Migrator, chosen: dict[str, Any]
) -> None:
    migrator.up(to=2)
    for call in (migrator.up, migrator.plan, migrator.down, migrator.redo):
        with pytest.raises(core.ArgumentError):
            call(**chosen)


def test_out_of_order_is_refused_with_the_list_and_applied_if_that_is_wanted(
    store: core.SqlStore, migrator: migrate.Migrator
) -> None:
    migrator.stamp(to=10)
    for version in (2, 9):
        store.execute(
            "DELETE FROM goose_db_version WHERE version_id = :v", {"v": version}
        )
    for call in (migrator.up, migrator.plan, migrator.require_head):
        with pytest.raises(core.MigrationOrderError) as caught:
            call()
        assert caught.value.versions == (2, 9)
        assert "2_b.sql" in caught.value.message
        assert "9_c.sql" in caught.value.message
        assert "--allow-missing" in str(caught.value.hint)
    assert migrator.status().state == "diverged"

    assert migrator.plan(allow_missing=True).versions == (2, 9)
    done = migrator.up(allow_missing=True)
    assert [step.version for step in done] == [2, 9]
    assert done.version == 10
    assert there_are(store) == "bc"


def test_a_database_that_is_ahead_names_both_versions_and_the_two_ways_out(
    store: core.SqlStore,
    migrator: migrate.Migrator,
    migration_file: MigrationFile,
    folder: Path,
) -> None:
    migration_file("11_new.sql", "CREATE TABLE n (x int);")
    migrator.up()
    (folder / "11_new.sql").unlink()
    for call in (
        migrator.up,
        migrator.plan,
        migrator.require_head,
        lambda: migrator.stamp(to=10),
        lambda: migrator.wait(timeout=5),
    ):
        with pytest.raises(core.DatabaseAheadError) as caught:
            call()
        assert (caught.value.database, caught.value.known) == (11, 10)
        assert "11" in caught.value.message
        assert "10" in caught.value.message
        hint = str(caught.value.hint)
        assert "newer release" in hint
        assert "down --to 10" in hint
    assert there_are(store) == "abcd"


def test_a_changed_file_is_refused_with_the_version_and_both_digests(
    migrator: migrate.Migrator, migration_file: MigrationFile
) -> None:
    migrator.up(to=2)
    migration_file("2_b.sql", "CREATE TABLE b (y int);")
    for call in (migrator.up, migrator.plan):
        with pytest.raises(core.MigrationChangedError) as caught:
            call()
        assert caught.value.version == 2
        assert "version 2" in caught.value.message
        assert caught.value.recorded in caught.value.message
        assert caught.value.found in caught.value.message
        assert "repair" in str(caught.value.hint)


def test_line_endings_are_no_change(migrator: migrate.Migrator, folder: Path) -> None:
    migrator.up(to=2)
    path = folder / "2_b.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    assert {one.state for one in migrator.status()[:2]} == {"applied"}
    assert len(migrator.up()) == 2


def test_a_file_that_cannot_be_read_ends_a_run_before_it_begins(
    store: core.SqlStore, migrator: migrate.Migrator, folder: Path
) -> None:
    # Whoever runs the tests may be allowed to read everything.
    (folder / "10_d.sql").unlink()
    (folder / "10_d.sql").symlink_to(folder / "gone.sql")
    for call in (migrator.up, migrator.plan, lambda: migrator.stamp(to=10)):
        with pytest.raises(core.MigrationParseError, match="cannot be read") as caught:
            call()
        assert caught.value.file == "10_d.sql"
    assert applied(store) == []
    assert there_are(store) == ""


# -- down, redo, reset ----------------------------------------------------------------


def test_the_applied_set_decides_what_is_undone(
    store: core.SqlStore, migrator: migrate.Migrator
) -> None:
    migrator.up()
    store.execute("DROP TABLE c")
    store.execute("DELETE FROM goose_db_version WHERE version_id = 9")

    assert [step.version for step in migrator.down(to=1)] == [10, 2]
    assert applied(store) == [1]
    assert there_are(store) == "a"


def test_redo_undoes_and_applies_the_same_ones(
    store: core.SqlStore, migrator: migrate.Migrator
) -> None:
    migrator.up()
    for name in TABLES:
        store.execute(f"INSERT INTO {name} VALUES (1)")
    done = migrator.redo(steps=2)

    assert [(step.version, step.direction) for step in done] == [
        (10, "down"),
        (9, "down"),
        (9, "up"),
        (10, "up"),
    ]
    assert done.version == 10
    assert [store.execute(f"SELECT count(*) FROM {n}").scalar() for n in TABLES] == [
        1,
        1,
        0,
        0,
    ]
    assert migrator.at_head()


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, "10 was undone, and stays so"),
        (3, "9, 10 were undone before, and stay so"),
    ],
)
def test_redo_says_what_stays_undone_when_it_cannot_be_applied_again(
    store: core.SqlStore,
    migrator: migrate.Migrator,
    migration_file: MigrationFile,
    count: int,
    told: str,
) -> None:
    migrator.up()
    number, name = (10, "d") if count == 1 else (9, "c")
    migration_file(f"{number}_{name}.sql", "SELEC;", down=f"DROP TABLE {name};")
    migrator.repair()
    with pytest.raises(core.MigrationFailedError) as caught:
        migrator.redo(steps=count)

    assert told in caught.value.message
    assert told in caught.value.state
    left = [1, 2, 9] if count == 1 else [1, 2]
    assert f"the database is at version {left[-1]}" in caught.value.state
    assert applied(store) == left


def test_a_redo_that_is_stopped_says_what_was_undone(
    store: core.SqlStore, source: migrate.Source
) -> None:
    def stop(event: migrate.Event) -> None:
        if event.kind == "start" and event.step.direction == "up" and applied(store):
            raise KeyboardInterrupt

    migrate.Migrator(store, source).up()
    with pytest.raises(KeyboardInterrupt) as caught:
        migrate.Migrator(store, source, progress=stop).redo(steps=2)
    assert "9, 10: undone before; look" in caught.value.__notes__[-1]
    assert applied(store) == [1, 2]


def test_what_goes_is_told_with_its_rows(
    store: core.SqlStore, migrator: migrate.Migrator, migration_file: MigrationFile
) -> None:
    migration_file(
        "11_more.sql",
        "CREATE TABLE more (x int, y int);",
        down="/* all */ DROP TABLE IF EXISTS more, -- and\n  nowhere;\n"
        "DELETE FROM a WHERE x = 1;\nALTER TABLE b DROP COLUMN x;\n"
        "DROP INDEX i;",
    )
    migrator.up()
    for number in range(3):
        store.execute("INSERT INTO more VALUES (:n, 0)", {"n": number})
    (step,) = migrator.plan_down()

    assert [str(loss) for loss in step.losses] == [
        "table more: 3 rows",
        "table nowhere: not counted",
        "rows of a: 0 rows",
        "column x of b: 0 rows",
    ]
    assert step.losses[0].rows == 3
    assert applied(store) == [1, 2, 9, 10, 11]


def test_somebody_who_migrates_between_the_question_and_the_answer_is_noticed(
    store: core.SqlStore, migrator: migrate.Migrator, open_store: Callable[[], Any]
) -> None:
    migrator.up(to=9)
    agreed = migrator.plan_down(steps=1).versions
    migrate.Migrator(open_store(), migrator.source).up()

    for call in (migrator.down, migrator.redo):
        with pytest.raises(core.MigrationError, match="in between") as caught:
            call(expected=agreed)
        assert "9" in caught.value.message
        assert "10" in caught.value.message
    with pytest.raises(core.MigrationError, match="in between"):
        migrator.reset(expected=agreed)
    assert there_are(store) == "abcd"
    assert [s.version for s in migrator.down(expected=[10])] == [10]


# -- plan -----------------------------------------------------------------------------


def test_a_plan_is_dry(
    store: core.SqlStore, migrator: migrate.Migrator, open_store: Callable[[], Any]
) -> None:
    # Not even the lock is asked for: somebody has it.
    with open_store().migration_session("goose_db_version", timeout=5):
        plan = migrator.plan()
        migrator.status()
        migrator.plan_down()
        migrator.plan_repair()
    assert plan.database == 0
    assert plan[0].statements == ("CREATE TABLE a (x int);",)
    assert there_are(store) == ""
    assert store.migration_versions("goose_db_version") is None  # type: ignore[attr-defined]  # a store that can be migrated


def test_a_plan_shows_variables_by_name(
    store: core.SqlStore,
    migration_file: MigrationFile,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORD", "hunter2")
    source = migration_file(
        "1_a.sql", "-- +goose ENVSUB ON", "CREATE TABLE a (x int);", "SELECT '$WORD';"
    )
    (step,) = migrate.Migrator(store, source).plan()
    assert step.statements[1] == "SELECT '$WORD';"
    assert "hunter2" not in repr(step)


# -- stamp ----------------------------------------------------------------------------


def test_stamp_notes_and_runs_nothing(
    store: core.SqlStore, migrator: migrate.Migrator
) -> None:
    done = migrator.stamp(to=9)
    assert [(step.version, step.duration) for step in done] == [
        (1, None),
        (2, None),
        (9, None),
    ]
    assert done.version == 9
    assert there_are(store) == ""
    assert not migrator.stamp(to=9)
    states = [(one.state, one.digest is None) for one in migrator.status()]
    assert states == [("applied", False)] * 3 + [("pending", True)]
    assert [step.version for step in migrator.up()] == [10]


def test_stamp_wants_a_version_that_has_a_file(migrator: migrate.Migrator) -> None:
    with pytest.raises(core.ArgumentError, match="1, 2, 9, 10"):
        migrator.stamp(to=3)


# -- wait -----------------------------------------------------------------------------


def test_wait_ends_when_somebody_else_has_migrated(
    store: core.SqlStore, migrator: migrate.Migrator, open_store: Callable[[], Any]
) -> None:
    other = migrate.Migrator(open_store(), migrator.source)
    later = threading.Timer(0.2, other.up)
    later.start()
    done = migrator.wait(timeout=30)
    later.join()
    assert done.version == 10
    assert done.seconds > 0


def test_wait_says_what_is_pending_when_the_time_is_over(
    migrator: migrate.Migrator,
) -> None:
    migrator.up(to=2)
    with pytest.raises(core.MigrationsPendingError, match="9, 10") as caught:
        migrator.wait(timeout=0.1)
    assert caught.value.versions == (9, 10)
    with pytest.raises(core.ArgumentError):
        migrator.wait(timeout=-1)


# -- status and repair ----------------------------------------------------------------


def test_repair_accepts_what_changed_and_forgets_what_is_gone(
    store: core.SqlStore,
    migrator: migrate.Migrator,
    migration_file: MigrationFile,
    folder: Path,
) -> None:
    migrator.up()
    migration_file("1_a.sql", "CREATE TABLE a (y int);")
    (folder / "2_b.sql").unlink()
    store.execute("DELETE FROM mooring_migrations WHERE version_id = 9")
    assert [(one.version, one.state) for one in migrator.status()] == [
        (1, "changed"),
        (2, "missing"),
        (9, "applied"),
        (10, "applied"),
    ]
    plan = migrator.plan_repair()
    assert [(one.version, one.recorded is None) for one in plan.digests] == [
        (1, False),
        (9, True),
    ]
    assert (plan.removed, plan.forgotten) == ((2,), None)
    assert migrator.plan_repair([9]).removed == ()

    assert migrator.repair(expected=plan) == plan
    assert migrator.status().state == "current"
    assert applied(store) == [1, 9, 10]
    assert there_are(store) == "abcd"
    assert not migrator.repair()
    with pytest.raises(core.MigrationError, match="in between"):
        migrator.repair(expected=plan)


def test_repair_keeps_when_and_who(
    store: Any, migrator: migrate.Migrator, migration_file: MigrationFile
) -> None:
    migrator.up()
    (before, *_) = store.migration_versions("goose_db_version")
    migration_file("1_a.sql", "CREATE TABLE a (y int);")
    migrator.repair()
    (after, *_) = store.migration_versions("goose_db_version")

    assert after.digest != before.digest
    assert after._replace(digest=before.digest) == before


def test_repair_leaves_what_a_newer_release_applied_unless_it_is_named(
    store: core.SqlStore,
    migrator: migrate.Migrator,
    migration_file: MigrationFile,
    folder: Path,
) -> None:
    migration_file("11_new.sql", "CREATE TABLE n (x int);")
    migrator.up()
    (folder / "11_new.sql").unlink()
    assert not migrator.repair()
    assert migrator.status().state == "diverged"
    assert migrator.repair([11]).removed == (11,)
    assert migrator.at_head()
    with pytest.raises(core.ArgumentError, match="no version 7"):
        migrator.repair([7])


def test_what_goose_applied_is_not_recorded_rather_than_changed(
    store: core.SqlStore, migrator: migrate.Migrator
) -> None:
    migrator.up(to=2)
    store.execute("DROP TABLE mooring_migrations")
    status = migrator.status()
    assert [(one.state, one.digest) for one in status][:2] == [("applied", None)] * 2
    assert status.state == "pending"
    assert len(migrator.up()) == 2
    assert migrator.status().state == "current"
    assert [one.recorded for one in migrator.repair().digests] == [None, None]
    assert all(one.digest for one in migrator.status())


# -- progress -------------------------------------------------------------------------


def test_progress_tells_each_statement_with_its_number_and_time(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    source = migration_file(
        "1_a.sql", "CREATE TABLE a (x int);", *["INSERT INTO a VALUES (1);"] * 3
    )
    events: list[migrate.Event] = []
    migrate.Migrator(store, source, progress=events.append).up()

    told = [(event.kind, event.statement, event.statements) for event in events]
    assert told == [
        ("start", 0, 4),
        *(("statement", number, 4) for number in (1, 2, 3, 4)),
        ("end", 4, 4),
    ]
    times = [event.duration for event in events]
    assert times == sorted(times)
    assert times[-1] == events[-1].step.duration


def test_applied_at_is_in_utc_to_the_second(migrator: migrate.Migrator) -> None:
    migrator.up()
    for one in migrator.status():
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one.applied_at)
