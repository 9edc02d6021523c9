"""``mooring demo``: what it shows is what is in the file."""

import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

Run = Callable[..., Any]

# Stops the demo's second process, and nothing else.
SABOTAGE = """
import os, sys
if "mooring.cli._witness" in sys.orig_argv:
    os.write(2, b"no second process today\\n")
    os._exit(3)
"""


def test_the_demo_checks_every_promise_on_a_new_file(run: Run, tmp_path: Path) -> None:
    for name in ("demo.db", "demo-2.db"):
        done = run("demo", "--seconds", "0.1")
        assert (done.code, done.err) == (0, "")
        assert f"mooring-demo/{name}" in done.out
        assert (tmp_path / "mooring-demo" / name).stat().st_mode & 0o777 == 0o600
        assert "checks, all ok." in done.out
        assert "\x1b" not in done.out


def test_its_figures_are_those_of_the_file(run: Run, tmp_path: Path) -> None:
    document = run("demo", "--json", "--seconds", "0.1", "--path", "shown.db").document
    assert document["ok"] is True
    assert {check["status"] for check in document["checks"]} == {"ok"}
    assert len(document["migrations"]) == 4
    sources = {one["key"]: one["source"] for one in document["settings"]}
    assert (sources["path"], sources["busy_timeout"]) == ("the demo", "default")
    work = document["workload"]
    with closing(sqlite3.connect(tmp_path / "shown.db")) as database:
        (tasks,) = database.execute("SELECT count(*) FROM task_states").fetchone()
        (length,) = database.execute("SELECT length(hash) FROM api_keys").fetchone()
    assert tasks == 7 * (work["commits"] + 1)
    assert work["rows_written"] == 8 * work["commits"]
    assert work["commits"] >= 4
    assert work["snapshots"] >= 4
    assert length == 32


def test_a_file_that_exists_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.db").write_bytes(b"precious")
    done = run("demo", "--path", "mine.db")
    assert (done.code, done.out) == (2, "")
    assert (tmp_path / "mine.db").read_bytes() == b"precious"


def test_a_check_that_fails_exits_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SABOTAGE)
    env = {"PYTHONPATH": str(tmp_path / "site")}
    done = run("demo", "--json", "--seconds", "0.1", env=env)
    assert done.code == 1
    assert done.document["ok"] is False
    failed = [c for c in done.document["checks"] if c["status"] != "ok"]
    assert [c["detail"] for c in failed] == ["no second process today"]


def test_on_a_terminal_it_is_drawn_in_colour(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environ = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    child = subprocess.Popen(
        [sys.executable, "-m", "mooring.cli", "demo", "--seconds", "0.1"],
        cwd=tmp_path,
        env={**environ, "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
    )
    os.close(theirs)
    shown = bytearray()
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert child.wait(60) == 0
    assert b"\x1b[" in shown
    assert b"all ok" in shown
