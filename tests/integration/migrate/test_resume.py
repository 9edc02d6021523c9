"""A file without a transaction that did not end: what stays, and how it goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core, migrate

MigrationFile = Callable[..., migrate.Source]

HEAD = "-- +goose NO TRANSACTION"
GOOD = (
    "CREATE TABLE a (x int);",
    "INSERT INTO a VALUES (1);",
    "INSERT INTO a VALUES (2);",
)
BAD = "INSERT INTO nowhere VALUES (3);"
PATIENCE = 30.0

# Prints when it is about to run the statement of the number given, and waits there.
KILLED = """
import json, sys, time
from mooring import core, migrate
config, folder, number = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def progress(event):
    if event.kind == "statement" and event.statement == number:
        print("there", flush=True)
        time.sleep(60)

with core.open(config, migrate="skip") as store:
    migrate.Migrator(store, migrate.Source(folder), progress=progress).up()
"""


def rows(store: core.SqlStore) -> list[int]:
    return [row["x"] for row in store.execute("SELECT x FROM a ORDER BY x")]


def fail(store: core.SqlStore, source: migrate.Source) -> core.MigrationFailedError:
    with pytest.raises(core.MigrationFailedError) as caught:
        migrate.Migrator(store, source).up()
    return caught.value


def test_what_ran_is_told_and_the_next_run_asks_how_to_go_on(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    source = migration_file("1_a.sql", *GOOD, BAD, "SELECT 1;", head=HEAD)
    error = fail(store, source)
    assert "statements 1 to 3 of 5 ran and stay" in error.state
    assert error.line == 6
    assert "--resume" in str(error.hint)
    assert "statement 4" in str(error.hint)

    status = migrate.Migrator(store, source).status()
    assert status.state == "diverged"
    assert status.unfinished is not None
    assert (status.unfinished.version, status.unfinished.done) == (1, 3)
    with pytest.raises(core.MigrationUnfinishedError) as caught:
        migrate.Migrator(store, source).up()
    unfinished = caught.value
    assert (unfinished.version, unfinished.direction) == (1, "up")
    assert (unfinished.done, unfinished.running) == (3, False)
    assert rows(store) == [1, 2]


def test_it_goes_on_behind_the_last_statement_that_ran(
    store: core.SqlStore,
    migration_file: MigrationFile,
    open_store: Callable[[], Any],
) -> None:
    fail(store, migration_file("1_a.sql", *GOOD, BAD, head=HEAD))
    # Corrected, and gone on with by somebody else.
    source = migration_file("1_a.sql", *GOOD, "INSERT INTO a VALUES (3);", head=HEAD)
    other = migrate.Migrator(open_store(), source)
    with pytest.raises(core.MigrationUnfinishedError) as caught:
        other.up()
    assert "1_a.sql:6: INSERT INTO a VALUES (3);" in caught.value.message
    assert [step.version for step in other.up(resume="again")] == [1]

    assert rows(store) == [1, 2, 3]
    assert other.status().state == "current"
    assert other.status()[0].digest is not None
    assert not other.up()


def test_a_statement_that_was_done_by_hand_is_left_out(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    source = migration_file(
        "1_a.sql", *GOOD, BAD, "INSERT INTO a VALUES (4);", head=HEAD
    )
    fail(store, source)
    migrate.Migrator(store, source).up(resume="after")
    assert rows(store) == [1, 2, 4]
    with pytest.raises(core.ArgumentError):
        migrate.Migrator(store, source).up(resume="yes")  # type: ignore[arg-type]  # that it is refused


def test_where_no_statement_ran_the_file_begins_anew(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    error = fail(store, migration_file("1_a.sql", BAD, *GOOD, head=HEAD))
    assert "no statement of 4 ran" in error.state
    source = migration_file("1_a.sql", *GOOD, head=HEAD)
    assert migrate.Migrator(store, source).status().unfinished is None
    assert len(migrate.Migrator(store, source).up()) == 1
    assert rows(store) == [1, 2]


def test_what_ran_must_still_be_what_the_file_begins_with(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    fail(store, migration_file("1_a.sql", *GOOD, BAD, head=HEAD))
    source = migration_file("1_a.sql", GOOD[0], "SELECT 1;", head=HEAD)
    migrator = migrate.Migrator(store, source)
    with pytest.raises(core.MigrationError, match="other statements") as caught:
        migrator.up(resume="again")
    assert "repair" in str(caught.value.hint)
    assert rows(store) == [1, 2]

    # It may begin anew, once somebody has said so.
    store.execute("DROP TABLE a")
    repair = migrator.repair()
    assert repair.forgotten is not None
    assert repair.forgotten.done == 3
    assert len(migrator.up()) == 1
    assert rows(store) == []


def test_several_statements_in_one_piece_are_told_apart(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    piece = (
        "-- +goose StatementBegin",
        f"{GOOD[0]} {GOOD[1]}",
        f"{GOOD[2]}  {BAD}",
        "INSERT INTO a VALUES (4);",
        "-- +goose StatementEnd",
    )
    error = fail(store, migration_file("1_a.sql", *piece, head=HEAD))
    assert "statements 1 to 3 of 5 ran and stay" in error.state
    assert error.line == 5
    if error.column is not None:
        assert error.column > len(GOOD[2])
    mended = [line.replace(BAD, "INSERT INTO a VALUES (3);") for line in piece]
    source = migration_file("1_a.sql", *mended, head=HEAD)
    # What ran is not what changed, though both are in one line.
    migrate.Migrator(store, source).up(resume="again")
    assert rows(store) == [1, 2, 3, 4]


def test_what_ran_may_not_change_in_a_line_that_it_shares(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    fail(store, migration_file("1_a.sql", *GOOD[:2], f"{GOOD[2]} {BAD}", head=HEAD))
    changed = f"INSERT INTO a VALUES (5); {GOOD[1]}"
    source = migration_file("1_a.sql", *GOOD[:2], changed, head=HEAD)
    with pytest.raises(core.MigrationError, match="other statements"):
        migrate.Migrator(store, source).up(resume="again")
    assert rows(store) == [1, 2]


def test_a_value_may_be_another_when_it_goes_on(
    store: core.SqlStore, migration_file: MigrationFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBER", "2")
    lines = ("-- +goose ENVSUB ON", *GOOD[:2], "INSERT INTO a VALUES ($NUMBER);")
    fail(store, migration_file("1_a.sql", *lines, BAD, head=HEAD))
    monkeypatch.setenv("NUMBER", "7")
    source = migration_file("1_a.sql", *lines, "INSERT INTO a VALUES (3);", head=HEAD)
    migrate.Migrator(store, source).up(resume="again")
    assert rows(store) == [1, 2, 3]


def test_a_transaction_of_the_file_s_own_counts_as_a_whole(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    own = ("BEGIN;", "INSERT INTO a VALUES (3);")
    error = fail(
        store, migration_file("1_a.sql", *GOOD, *own, BAD, "COMMIT;", head=HEAD)
    )
    assert "statements 1 to 3 of 7 ran and stay" in error.state
    assert rows(store) == [1, 2]

    source = migration_file("1_a.sql", *GOOD, *own, "COMMIT;", head=HEAD)
    migrate.Migrator(store, source).up(resume="again")
    assert rows(store) == [1, 2, 3]


def test_the_way_back_goes_on_as_well(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    def write(second: str) -> migrate.Source:
        down = f"DELETE FROM a WHERE x = 1;\n{second}\nDROP TABLE a;"
        return migration_file("1_a.sql", *GOOD, down=down, head=HEAD)

    migrator = migrate.Migrator(store, write("DELETE FROM nowhere;"))
    migrator.up()
    with pytest.raises(core.MigrationFailedError, match="statements 1 to 1 of 3"):
        migrator.down()
    assert migrator.status().unfinished is not None
    with pytest.raises(core.MigrationUnfinishedError, match="going down"):
        migrator.down()
    assert rows(store) == [2]
    migrator = migrate.Migrator(store, write("DELETE FROM a;"))
    assert len(migrator.down(resume="again")) == 1
    assert migrator.status().state == "pending"
    assert migrator.status().unfinished is None


def test_what_is_undone_in_part_is_not_at_head(
    store: Any, migration_file: MigrationFile, open_store: Callable[[], Any]
) -> None:
    def write(*down: str) -> migrate.Source:
        return migration_file("1_a.sql", *GOOD, down="\n".join(down), head=HEAD)

    source = write("DELETE FROM a WHERE x = 1;", "DELETE FROM nowhere;")
    migrator = migrate.Migrator(store, source)
    migrator.up()
    assert migrator.at_head()
    with pytest.raises(core.MigrationFailedError):
        migrator.down()

    (row,) = store.migration_versions("goose_db_version")
    assert row.undoing
    assert row.digest is not None
    assert not migrator.at_head()
    for call in (
        migrator.require_head,
        migrator.ensure_head,
        migrator.up,
        lambda: migrator.wait(timeout=0.2),
    ):
        with pytest.raises(core.MigrationUnfinishedError, match="going down") as caught:
            call()
        assert "down --resume" in str(caught.value.hint)
    assert rows(store) == [2]

    # Whoever waits goes on when somebody has said that it counts as applied.
    Timer(0.2, migrate.Migrator(open_store(), source).repair).start()
    assert migrator.wait(timeout=PATIENCE).version == 1
    assert migrator.at_head()


def test_so_it_is_where_its_file_is_gone(
    store: Any, migration_file: MigrationFile, tmp_path: Path
) -> None:
    migration_file("1_a.sql", *GOOD, down="DROP TABLE a;\nDROP TABLE a;", head=HEAD)
    source = migration_file("2_b.sql", "CREATE TABLE b (x int);")
    migrator = migrate.Migrator(store, source)
    migrator.up(to=1)
    with pytest.raises(core.MigrationFailedError):
        migrator.down()
    migrator.stamp(to=2)
    (tmp_path / "files" / "1_a.sql").unlink()
    with pytest.raises(core.MigrationUnfinishedError, match="version 1 did not end"):
        migrator.require_head()


def test_so_it_is_where_another_tool_applied_it(
    store: Any, migration_file: MigrationFile
) -> None:
    source = migration_file(
        "1_a.sql", *GOOD, down="DROP TABLE a;\nDROP TABLE nowhere;", head=HEAD
    )
    migrator = migrate.Migrator(store, source)
    migrator.up()
    store.execute("DELETE FROM mooring_migrations")
    assert migrator.at_head()
    with pytest.raises(core.MigrationFailedError):
        migrator.down()
    assert not migrator.at_head()
    assert migrator.status()[0].digest is None


def test_a_plan_tells_of_a_file_that_did_not_end(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    source = migration_file("1_a.sql", *GOOD, BAD, head=HEAD)
    migrator = migrate.Migrator(store, source)
    assert migrator.plan().unfinished is None
    fail(store, source)
    for plan in (migrator.plan(), migrator.plan_down()):
        assert plan.unfinished is not None
        assert (plan.unfinished.version, plan.unfinished.done) == (1, 3)
    assert migrator.plan().versions == (1,)


def test_nothing_is_undone_beside_a_file_that_did_not_end(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    migration_file("1_b.sql", "CREATE TABLE b (x int);", down="DROP TABLE b;")
    source = migration_file("2_a.sql", *GOOD, BAD, head=HEAD)
    fail(store, source)
    migrator = migrate.Migrator(store, source)
    for call in (migrator.down, migrator.redo, migrator.reset):
        with pytest.raises(core.MigrationUnfinishedError):
            call()
    assert [one.state for one in migrator.status()] == ["applied", "pending"]


def test_a_file_that_gives_its_rights_away_runs_all_the_same(
    postgres_config: dict[str, object], migration_file: MigrationFile
) -> None:
    with core.open(postgres_config, migrate="skip") as store:
        source = migration_file(
            "1_a.sql",
            "SET ROLE pg_read_all_data;",
            "SELECT 1;",
            "RESET ROLE;",
            *GOOD,
            head=HEAD,
        )
        migrate.Migrator(store, source).up()
        assert rows(store) == [1, 2]


def kill_at(place: dict[str, object], folder: Path, number: int) -> None:
    """Let a process of its own migrate, and kill it behind statement *number*."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, json.dumps(place), str(folder), str(number)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    process.stdout.close()


@pytest.mark.parametrize("how", ["again", "after"])
def test_behind_a_kill_somebody_has_to_look_and_says_how_to_go_on(
    place: dict[str, object],
    open_store: Callable[[], Any],
    migration_file: MigrationFile,
    tmp_path: Path,
    how: Any,
) -> None:
    source = migration_file("1_a.sql", *GOOD, "INSERT INTO a VALUES (3);", head=HEAD)
    kill_at(place, tmp_path / "files", 2)
    store = open_store()
    migrator = migrate.Migrator(store, source)
    # The second ran, and nobody could note it any more.
    with pytest.raises(core.MigrationUnfinishedError) as caught:
        migrator.up(timeout=PATIENCE)
    error = caught.value
    assert (error.done, error.running) == (1, True)
    assert "nobody knows" in error.message
    assert "1_a.sql:4: INSERT INTO a VALUES (1);" in error.message
    assert "--resume-after" in str(error.hint)
    assert rows(store) == [1]

    migrator.up(resume=how, timeout=PATIENCE)
    assert rows(store) == ([1, 1, 2, 3] if how == "again" else [1, 2, 3])
    assert migrator.status().state == "current"


def test_behind_a_kill_a_file_in_a_transaction_is_as_before(
    place: dict[str, object],
    open_store: Callable[[], Any],
    migration_file: MigrationFile,
    tmp_path: Path,
) -> None:
    source = migration_file("1_a.sql", *GOOD)
    kill_at(place, tmp_path / "files", 2)
    store = open_store()
    until = monotonic() + PATIENCE
    while True:  # the server notices the end of the process a little later
        try:
            migrate.Migrator(store, source).up(timeout=PATIENCE)
            break
        except core.MigrationFailedError:
            assert monotonic() < until
            sleep(0.1)
    assert rows(store) == [1, 2]
