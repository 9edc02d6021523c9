"""The verbs of ``mooring migrate`` beside up, down and status."""

import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mooring import core

Run = Callable[..., Any]

URL = "sqlite:app.db"
VERSIONS = [20250603124835, 20250603124915, 20250711163857, 20250711163858]
FIRST, NEWEST = VERSIONS[0], VERSIONS[-1]


def change(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / "app.db")) as database, database:
        database.execute(sql)


def states(run: Run) -> list[str]:
    document = run("migrate", "status", URL, "--json").document
    return [one["state"] for one in document["migrations"]]


def on_a_terminal(
    folder: Path, *args: str, answer: str = "", err: int = subprocess.PIPE
) -> "subprocess.CompletedProcess[str]":
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as terminal:
        terminal.write(f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "mooring.cli", "migrate", *args],
            cwd=folder,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            check=False,
        )
        os.close(theirs)
    return done


# -- plan and --dry-run ---------------------------------------------------------------


@pytest.mark.parametrize("verb", [["plan"], ["up", "--dry-run"]])
def test_a_plan_lists_what_is_pending_and_writes_nothing(
    run: Run, tmp_path: Path, verb: list[str]
) -> None:
    run("migrate", "up", URL, "--to", str(FIRST))
    (tmp_path / "app.db-mooring.lock").unlink()
    before = (tmp_path / "app.db").read_bytes()
    done = run("migrate", *verb, URL)
    sql = run("migrate", *verb, URL, "--sql", "--steps", "1")
    document = run("migrate", *verb, URL, "--json", "--to", str(VERSIONS[1])).document

    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("app.db: 3 migrations would be applied\n")
    assert sql.out.startswith(f"-- {VERSIONS[1]}_create_task_states.sql: up, in a tr")
    assert "CREATE TABLE IF NOT EXISTS task_states" in sql.out
    assert [step["version"] for step in document["plan"]] == [VERSIONS[1]]
    assert "statements" not in document["plan"][0]
    assert (tmp_path / "app.db").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["app.db"]


@pytest.mark.parametrize("verb", [["plan"], ["up", "--dry-run"]])
def test_a_plan_makes_no_store(run: Run, tmp_path: Path, verb: list[str]) -> None:
    assert run("migrate", *verb, URL).code == 7
    assert not list(tmp_path.iterdir())


def test_what_would_be_undone_is_shown_with_what_goes(run: Run, tmp_path: Path) -> None:
    run("migrate", "up", URL)
    change(tmp_path, "INSERT INTO users (id, email, role) VALUES ('u', 'e', 'user')")
    done = run("migrate", "down", URL, "--steps", "2", "--dry-run")
    document = run("migrate", "reset", URL, "--dry-run", "--sql", "--json").document

    assert "2 migrations would be undone" in done.out
    assert "table users: 1 row\n" in done.out
    assert [step["version"] for step in document["plan"]] == VERSIONS[::-1]
    assert document["plan"][0]["statements"] == ["DROP TABLE IF EXISTS api_keys;"]
    assert {"version": VERSIONS[2], "table": "users"}.items() <= document["lost"][
        1
    ].items()
    assert states(run) == ["applied"] * 4


@pytest.mark.parametrize("verb", ["up", "down", "redo", "reset"])
def test_sql_without_a_dry_run_is_a_usage_error(run: Run, verb: str) -> None:
    assert run("migrate", verb, URL, "--sql").code == 2


def test_a_plan_says_that_a_file_did_not_end(run: Run, tmp_path: Path) -> None:
    run("migrate", "up", URL)
    change(
        tmp_path,
        "UPDATE mooring_migrations SET direction = 'down', done = 2, running = 0,"
        f" ran = '' WHERE version_id = {NEWEST}",
    )
    for verb in (["plan"], ["down", "--dry-run"]):
        done = run("migrate", *verb, URL)
        document = run("migrate", *verb, URL, "--json").document
        assert done.code == 0
        assert f"{NEWEST} did not end: 2 of its statements ran" in done.err
        assert "mooring migrate down --resume app.db" in done.err
        assert document["unfinished"] == {
            "version": NEWEST,
            "direction": "down",
            "done": 2,
            "running": False,
        }
    assert run("migrate", "up", URL).code != 0
    assert run("migrate", "wait", URL, "--timeout", "0").code != 0


# -- redo and reset -------------------------------------------------------------------


def test_redo_and_reset(run: Run) -> None:
    run("migrate", "up", URL)
    done = run("migrate", "redo", URL, "--yes", "--json").document
    assert [one["version"] for one in done["undone"]] == [NEWEST]
    assert [one["version"] for one in done["applied"]] == [NEWEST]
    assert done["lost"] == [
        {"version": NEWEST, "table": "api_keys", "column": None, "kind": "drop"}
        | {"rows": 0}
    ]
    assert states(run) == ["applied"] * 4
    assert run("migrate", "reset", URL).code == 2  # nobody can be asked
    done = run("migrate", "reset", URL, "--yes")
    assert done.out.endswith("app.db: 4 migrations undone\n")
    assert states(run) == ["pending"] * 4


@pytest.mark.parametrize("verb", ["down", "redo", "reset"])
@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_what_undoes_says_what_goes_and_asks(
    run: Run, tmp_path: Path, verb: str, answer: str, code: int
) -> None:
    run("migrate", "up", URL)
    done = on_a_terminal(tmp_path, verb, URL, answer=answer)
    assert done.returncode == code
    assert "table api_keys: 0 rows" in done.stderr
    assert "Go on?" in done.stderr
    assert ("nothing was undone" in done.stderr) == bool(code)


@pytest.mark.parametrize("verb", ["down", "redo", "reset"])
def test_what_was_shown_is_undone_and_nothing_else(
    run: Run, tmp_path: Path, verb: str
) -> None:
    run("migrate", "up", URL)
    # It has shown its list, and waits for the lock, while somebody undoes the newest.
    opened: Any = core.open(f"sqlite:{tmp_path}/app.db", migrate="skip")
    with (
        opened as store,
        store.migration_session("goose_db_version", timeout=5) as session,
    ):
        process = subprocess.Popen(
            [sys.executable, "-m", "mooring.cli", "migrate", verb, URL, "--yes"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        assert "table api_keys" in process.stderr.readline()
        with session.unit(transaction=True) as unit:
            unit.execute("DROP TABLE api_keys")
            unit.unrecord(NEWEST)
    _, told = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "somebody else migrated in between, nothing was changed" in told
    assert states(run) == ["applied"] * 3 + ["pending"]


# -- out of order, wait, stamp --------------------------------------------------------


def test_a_file_that_came_late_is_listed_and_applied_on_demand(
    run: Run, tmp_path: Path
) -> None:
    run("migrate", "up", URL)
    change(tmp_path, f"DELETE FROM goose_db_version WHERE version_id = {NEWEST - 1}")
    change(tmp_path, "DROP TABLE users")
    refused = run("migrate", "up", URL)
    assert refused.code == 6
    assert f"{NEWEST - 1}_create_users.sql" in refused.err
    assert "--allow-missing" in refused.err
    assert "up --allow-missing" in run("migrate", "status", URL).out
    assert run("migrate", "up", URL, "--allow-missing").code == 0
    assert run("migrate", "status", URL, "--check").code == 0


def test_wait_ends_with_0_or_tells_what_is_missing(run: Run, tmp_path: Path) -> None:
    def code(timeout: str = "0.1") -> int:
        found: int = run("migrate", "wait", URL, "--timeout", timeout).code
        return found

    assert code() == 7
    assert not list(tmp_path.iterdir())
    run("migrate", "up", URL, "--to", str(FIRST))
    assert code() == 5
    waiting = subprocess.Popen(
        [sys.executable, "-m", "mooring.cli", "migrate", "wait", URL, "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run("migrate", "up", URL).code == 0
    out, _ = waiting.communicate(timeout=60)
    assert (waiting.returncode, f'"version": {NEWEST}' in out) == (0, True)
    change(
        tmp_path,
        "INSERT INTO goose_db_version (version_id, is_applied) VALUES (20990101000000,"
        " 1)",
    )
    assert code("60") == 6


def test_stamp_notes_and_runs_nothing(run: Run, tmp_path: Path) -> None:
    change(tmp_path, "CREATE TABLE workflow_states (x)")
    assert run("migrate", "stamp", URL).code == 2
    assert run("migrate", "stamp", URL, "--to", "7").code == 2
    done = run("migrate", "stamp", URL, "--to", str(FIRST))
    assert done.out.endswith("app.db: 1 migration noted as applied\n")
    assert states(run) == ["applied", "pending", "pending", "pending"]
    document = run("migrate", "stamp", URL, "--to", str(NEWEST), "--json").document
    assert [one["version"] for one in document["noted"]] == VERSIONS[1:]
    assert document["noted"][0]["ms"] is None


# -- status and repair ----------------------------------------------------------------


def test_repair_explains_itself_and_asks(run: Run, tmp_path: Path) -> None:
    run("migrate", "up", URL)
    assert run("migrate", "repair", URL).out == "app.db: nothing to correct\n"
    change(
        tmp_path,
        f"UPDATE mooring_migrations SET digest = 'x' WHERE version_id = {FIRST}",
    )
    change(tmp_path, "DELETE FROM mooring_migrations WHERE version_id = 20250603124915")
    assert "migrate repair" in run("migrate", "status", URL).out
    assert "content not recorded" in run("migrate", "status", URL).out

    shown = run("migrate", "repair", URL, "--dry-run")
    assert "changed: x -> " in shown.out
    assert shown.out.endswith("app.db: 2 records would be corrected\n")
    assert run("migrate", "repair", URL).code == 2
    done = on_a_terminal(tmp_path, "repair", URL, answer="n")
    assert done.returncode == 1
    assert "No migration runs" in done.stderr
    assert states(run)[0] == "changed"
    only = run("migrate", "repair", URL, "--version", str(FIRST), "--yes", "--json")
    assert [one["version"] for one in only.document["digests"]] == [FIRST]
    done = on_a_terminal(tmp_path, "repair", URL, answer="y")
    assert (done.returncode, "1 record corrected" in done.stdout) == (0, True)
    assert run("migrate", "status", URL, "--check").code == 0


def test_a_file_that_did_not_end_is_told_and_can_be_forgotten(
    run: Run, tmp_path: Path
) -> None:
    run("migrate", "up", URL, "--to", str(VERSIONS[2]))
    # As a run notes it whose file is marked NO TRANSACTION.
    change(
        tmp_path,
        "INSERT INTO mooring_migrations"
        " (version_table, version_id, direction, done, running, ran) VALUES"
        f" ('goose_db_version', {NEWEST}, 'up', 1, 1, 'of another file')",
    )
    status = run("migrate", "status", URL, "--check")
    assert status.code == 6
    assert "up --resume" in status.out
    done = run("migrate", "up", URL, "--json")
    assert done.code == 1
    assert "not marked NO TRANSACTION any more" in done.document["error"]["message"]
    assert run("migrate", "up", URL, "--resume").code == 1
    assert run("migrate", "up", URL, "--resume", "--resume-after").code == 2
    assert run("migrate", "repair", URL, "--yes").code == 0
    assert run("migrate", "up", URL).code == 0
    assert states(run) == ["applied"] * 4


# -- progress -------------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_progress_is_drawn_on_a_terminal_and_nowhere_else(
    tmp_path: Path, more: list[str]
) -> None:
    ours, theirs = pty.openpty()
    done = on_a_terminal(tmp_path, "up", URL, *more, err=theirs)
    os.close(theirs)
    seen = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while chunk := terminal.read(65536):
                seen += chunk
        except OSError:  # nobody writes any more
            pass

    assert done.returncode == 0
    assert (b"applying" in seen) == (not more)
    assert "applying" not in done.stdout
