"""``mooring migrate`` on databases behind, ahead, changed and locked."""

import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

URL = "sqlite:app.db"
FIRST, NEWEST = 20250603124835, 20250711163858

HOLD = """
import sys
from mooring import core
with core.open(sys.argv[1], migrate="skip") as store:
    with store.migration_session("goose_db_version", timeout=5):
        print("held", flush=True)
        sys.stdin.read()
"""
# A job in the background of a shell ignores SIGINT; this one shall not.
INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from mooring.cli import main
sys.argv[0] = "mooring"
print("ready", flush=True)
main()
"""


def change(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / "app.db")) as database, database:
        database.execute(sql)


def states(run: Run) -> list[str]:
    document = run("migrate", "status", URL, "--json").document
    return [one["state"] for one in document["migrations"]]


@pytest.fixture
def held(tmp_path: Path) -> Iterator[None]:
    """Another process holds the migration lock of a new database."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, URL],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    yield
    holder.stdin.close()
    holder.stdout.close()
    assert holder.wait(30) == 0


def test_up_makes_the_database_and_a_second_run_has_nothing_to_do(
    run: Run, tmp_path: Path
) -> None:
    first = run("migrate", "up", URL)
    assert (first.code, first.err) == (0, "")
    assert first.out.count(" applied ") == 4
    assert first.out.count(" ms\n") == 4
    second = run("migrate", "up", URL)
    assert (second.code, second.out) == (0, "app.db: nothing to do\n")
    assert run("migrate", "up", URL, "--json").document["applied"] == []
    assert (tmp_path / "app.db").stat().st_mode & 0o777 == 0o600


def test_status_shows_what_is_pending_and_how_to_apply_it(run: Run) -> None:
    run("migrate", "up", URL, "--to", str(FIRST))
    done = run("migrate", "status", URL, "-o", "busy_timeout=2")
    assert done.code == 0
    assert "4 known, 1 applied, 3 pending" in done.out
    assert done.out.endswith(
        "run: mooring migrate up sqlite:app.db -o busy_timeout=2\n"
    )
    document = run("migrate", "status", URL, "--json").document
    assert document["state"] == "pending"
    assert document["migrations"][0]["version"] == FIRST
    assert document["migrations"][-1] == {
        "version": NEWEST,
        "name": f"{NEWEST}_create_api_keys.sql",
        "state": "pending",
        "applied_at": None,
        "ms": None,
        "digest": None,
        "applied_by": None,
    }


def test_status_writes_nothing(run: Run, tmp_path: Path) -> None:
    run("migrate", "up", URL, "--to", str(FIRST))
    (tmp_path / "app.db-mooring.lock").unlink()
    before = (tmp_path / "app.db").read_bytes()
    run("migrate", "status", URL, "--check")
    run("health", URL)
    assert (tmp_path / "app.db").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["app.db"]


def test_check_tells_current_pending_and_diverged_apart(
    run: Run, tmp_path: Path
) -> None:
    def code() -> int:
        found: int = run("migrate", "status", URL, "--check").code
        return found

    run("migrate", "up", URL, "--to", str(FIRST))
    assert code() == 5
    run("migrate", "up", URL)
    assert code() == 0
    change(tmp_path, f"DELETE FROM goose_db_version WHERE version_id = {FIRST}")
    assert (code(), states(run)[0]) == (6, "pending")


def test_a_database_that_is_ahead_exits_6(run: Run, tmp_path: Path) -> None:
    run("migrate", "up", URL)
    change(
        tmp_path,
        "INSERT INTO goose_db_version (version_id, is_applied)"
        " VALUES (20990101000000, 1)",
    )
    assert run("migrate", "status", URL, "--check").code == 6
    assert states(run)[-1] == "ahead"
    done = run("migrate", "up", URL, "--json")
    assert done.code == 6
    assert done.document["error"]["code"] == "database_ahead"
    down = run("migrate", "down", URL, "--yes")
    assert down.code == 1
    assert "its file is not here" in down.err


def test_a_file_that_changed_after_it_was_applied_exits_6(
    run: Run, tmp_path: Path
) -> None:
    run("migrate", "up", URL, "--to", str(FIRST))
    change(tmp_path, "UPDATE mooring_migrations SET digest = 'other'")
    assert run("migrate", "status", URL, "--check").code == 6
    assert states(run)[0] == "changed"
    done = run("migrate", "up", URL, "--json")
    assert done.code == 6
    assert done.document["error"]["code"] == "migration_changed"


@pytest.mark.parametrize("verb", [["up"], ["down", "--yes"]])
def test_a_version_that_nobody_knows_is_refused(run: Run, verb: list[str]) -> None:
    run("migrate", "up", URL, "--to", str(FIRST))
    done = run("migrate", *verb, URL, "--to", "7")
    assert done.code == 2
    assert str(NEWEST) in done.err
    assert states(run).count("applied") == 1


def test_down_undoes_one_by_default_and_all_with_to_0(run: Run) -> None:
    run("migrate", "up", URL)
    done = run("migrate", "down", URL, "--yes", "--json")
    assert [one["version"] for one in done.document["undone"]] == [NEWEST]
    assert run("migrate", "down", URL, "--steps", "2", "--yes").code == 0
    assert states(run).count("applied") == 1
    assert run("migrate", "down", URL, "--to", "0", "--yes").code == 0
    assert set(states(run)) == {"pending"}
    done = run("migrate", "down", URL)
    assert (done.code, done.out) == (0, "app.db: nothing to do\n")


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_without_a_terminal_down_needs_yes(run: Run, more: list[str]) -> None:
    run("migrate", "up", URL)
    done = run("migrate", "down", URL, *more)
    assert done.code == 2
    assert "--yes" in done.out + done.err
    assert set(states(run)) == {"applied"}


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 1, 4), ("y", 0, 3)])
def test_on_a_terminal_down_asks_and_names_what_is_lost(
    run: Run, tmp_path: Path, answer: str, code: int, left: int
) -> None:
    run("migrate", "up", URL)
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as terminal:
        terminal.write(f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "mooring.cli", "migrate", "down", URL],
            cwd=tmp_path,
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
        )
        os.close(theirs)
    assert done.returncode == code
    assert "create_api_keys" in done.stderr
    assert "lost" in done.stderr
    assert states(run).count("applied") == left


@pytest.mark.usefixtures("held")
def test_a_lock_that_is_not_free_in_time_exits_7(run: Run) -> None:
    done = run("migrate", "up", URL, "--lock-timeout", "0.1", "--json")
    assert done.code == 7
    assert done.document["error"]["code"] == "migration_lock"
    assert set(states(run)) == {"pending"}


@pytest.mark.usefixtures("held")
def test_an_interrupt_while_it_waits_for_the_lock_exits_130_and_changes_nothing(
    run: Run, tmp_path: Path
) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, "migrate", "up", URL],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "ready\n"
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1.5)  # it waits; earlier would be the same, but prove less
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (130, "")
    assert err.strip() == "error: interrupted"
    assert set(states(run)) == {"pending"}


def test_all_in_one_transaction_and_bounds_may_be_asked_for(run: Run) -> None:
    run("migrate", "up", URL, "--to", str(FIRST))
    bounds = ("--statement-timeout", "30", "--table-lock-timeout", "2.5")
    more = ("--transaction", "all", "--strict", "--lock-retries", "0", *bounds)
    done = run("migrate", "up", URL, *more, "--json").document
    assert len(done["applied"]) == 3
    undone = run("migrate", "down", URL, "--to", "0", "--yes", *more, "--json").document
    assert len(undone["undone"]) == 4
