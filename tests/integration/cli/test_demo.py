"""``mooring demo``: what it shows is what is in the store."""

import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mooring_postgres.testing import DatabaseServer

Run = Callable[..., Any]

# Stops the demo's second process, and nothing else.
SABOTAGE = """
import os, sys
if "mooring.cli._witness" in sys.orig_argv:
    os.write(2, b"no second process today\\n")
    os._exit(3)
"""


# Finds the tables that the demo fills, and nothing else.
TABLES = "SELECT count(*) FROM pg_class WHERE relname IN ('users', 'task_states')"


@pytest.fixture
def postgres_url(postgres_server: DatabaseServer) -> Iterator[str]:
    """The URL of an empty database, with the password."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


def test_the_demo_checks_every_promise_on_a_new_file(run: Run, tmp_path: Path) -> None:
    for name in ("demo.db", "demo-2.db"):
        done = run("demo", "--seconds", "0.1")
        assert (done.code, done.err) == (0, "")
        assert f"mooring-demo/{name}" in done.out
        assert (tmp_path / "mooring-demo" / name).stat().st_mode & 0o777 == 0o600
        assert "mode 0600" in done.out
        assert "checks, all ok" in done.out
        assert "\x1b" not in done.out


def test_its_figures_are_those_of_the_file(run: Run, tmp_path: Path) -> None:
    document = run("demo", "sqlite:shown.db", "--json", "--seconds", "0.1").document
    assert document["ok"] is True
    statuses = {check["status"] for check in document["checks"]}
    assert statuses <= {"ok", "warning"}  # which may be about the engine's version
    assert len(document["migrations"]) == 4
    with closing(sqlite3.connect(tmp_path / "shown.db")) as database:
        (tasks,) = database.execute("SELECT count(*) FROM task_states").fetchone()
        (length,) = database.execute("SELECT length(hash) FROM api_keys").fetchone()
    assert_figures(document["workload"], tasks, length)


def test_its_figures_are_those_of_the_server(run: Run, postgres_url: str) -> None:
    document = run("demo", postgres_url, "--json", "--seconds", "0.1").document
    assert document["ok"] is True
    statuses = {check["status"] for check in document["checks"]}
    assert statuses <= {"ok", "warning"}  # which may be about the engine's version
    assert len(document["migrations"]) == 4
    with psycopg.connect(postgres_url) as database:
        query = "SELECT count(*), (SELECT length(hash) FROM api_keys) FROM task_states"
        found = database.execute(query).fetchone()
    assert found
    assert_figures(document["workload"], *found)


def assert_figures(work: dict[str, Any], tasks: int, length: int) -> None:
    assert tasks == 7 * (work["commits"] + 1)
    assert work["rows_written"] == 8 * work["commits"]
    assert work["commits"] >= 4
    assert work["snapshots"] >= 4
    assert length == 32


def test_password_of_the_target_is_not_shown(
    run: Run, postgres_server: DatabaseServer, postgres_url: str
) -> None:
    done = run("demo", postgres_url, "--seconds", "0.1")
    assert done.code == 0, done.err
    assert "mooring doctor TARGET" in done.out
    assert postgres_server.password not in done.out + done.err


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ([], {"path": "the demo", "max_idle_conns": "the demo"}),
        (["sqlite:a.db"], {"driver": "TARGET", "path": "TARGET"}),
        (["-o", "busy_timeout=3"], {"busy_timeout": "-o", "driver": "the demo"}),
        (
            ["-o", "max_idle_conns=2", "-o", "max_open_conns=2"],
            {"max_idle_conns": "-o", "max_open_conns": "-o", "synchronous": "default"},
        ),
    ],
)
def test_it_says_who_set_an_option(
    run: Run, args: list[str], wanted: dict[str, str]
) -> None:
    document = run("demo", *args, "--json", "--seconds", "0.1").document
    sources = {one["key"]: one["source"] for one in document["settings"]}
    assert document["ok"] is True
    assert {key: sources[key] for key in wanted} == wanted


def test_a_file_that_is_no_database_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.db").write_bytes(b"precious" * 100)
    done = run("demo", "sqlite:mine.db", "--json")
    assert (done.code, done.document["error"]["code"]) == (7, "corrupt_store")
    assert (tmp_path / "mine.db").read_bytes() == b"precious" * 100


def test_a_store_that_was_migrated_is_refused(run: Run, tmp_path: Path) -> None:
    assert run("migrate", "up", "sqlite:mine.db").code == 0
    before = (tmp_path / "mine.db").read_bytes()
    done = run("demo", "sqlite:mine.db")
    assert done.code == 1
    assert done.err == (
        "error: mine.db is not empty: migrations were applied to it; the demo changes"
        " no store that is in use\nhint: name a new store, or an empty database\n"
    )
    assert (tmp_path / "mine.db").read_bytes() == before


def test_tables_of_the_same_name_are_refused(run: Run, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as database:
        database.execute("CREATE TABLE users (name text)")
    done = run("demo", postgres_url)
    with psycopg.connect(postgres_url) as database:
        tables = database.execute(TABLES).fetchone()
    assert done.code == 1
    assert "is not empty: it has tables of that name" in done.err
    assert tables == (1,)


@pytest.mark.parametrize(
    "args", [["sqlite::memory:"], ["sqlite:one.db", "-o", "max_open_conns=1"]]
)
def test_a_store_with_one_connection_is_refused(run: Run, args: list[str]) -> None:
    options = [] if len(args) == 1 else ["-o", "max_idle_conns=1"]
    done = run("demo", *args, *options)
    assert done.code == 1
    assert "error: the demo needs concurrent_snapshots" in done.err
    assert "hint: name a store that several connections" in done.err


def test_a_check_that_fails_exits_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SABOTAGE)
    env = {"PYTHONPATH": str(tmp_path / "site")}
    done = run("demo", "--json", "--seconds", "0.1", env=env)
    assert done.code == 1
    assert done.document["ok"] is False
    failed = [c for c in done.document["checks"] if c["status"] == "failed"]
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
