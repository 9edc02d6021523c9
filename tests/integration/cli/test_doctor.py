"""``mooring doctor``, and what every verb takes: quiet, verbose, colours."""

import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import pytest

Run = Callable[..., Any]
Loop = Callable[[int, int], tuple[int, Random]]


# The command, with a word when Python itself has begun: before, a signal is Python's.
BEGIN = """
import sys
print("begun", flush=True)
from mooring.cli import main
main()
"""


def on_a_terminal(folder: Path, *args: str, **environ: str) -> tuple[int, bytes]:
    """Run the command with a terminal; return its exit code, and what it shows."""
    ours, theirs = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    child = subprocess.Popen(
        [sys.executable, "-m", "mooring.cli", *args],
        cwd=folder,
        env={**env, "TERM": "xterm-256color", **environ},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = bytearray()
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        shown += part
    os.close(ours)
    return child.wait(60), bytes(shown)


@pytest.fixture
def migrated(run: Run) -> None:
    run("migrate", "up", "sqlite:app.db")


@pytest.mark.usefixtures("migrated")
def test_it_looks_at_more_than_health_and_says_how_to_fix_it(
    run: Run, tmp_path: Path
) -> None:
    plain = run("health", "sqlite:app.db", "--json").document["checks"]
    (tmp_path / "app.db").chmod(0o666)
    deep = run("doctor", "sqlite:app.db", "--json")
    shown = run("doctor", "sqlite:app.db")

    assert {c["name"] for c in plain} < {c["name"] for c in deep.document["checks"]}
    assert (deep.code, shown.code) == (1, 1)
    (found,) = (c for c in deep.document["checks"] if c["name"] == "file")
    assert found["status"] == "failed"
    assert found["fix"].startswith("chmod 600 ")
    assert f"fix: {found['fix']}" in shown.out
    assert "1 failed" in shown.out.splitlines()[-1]


@pytest.mark.usefixtures("migrated")
def test_a_warning_counts_only_where_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.db").chmod(0o660)

    assert run("doctor", "sqlite:app.db").code == 0
    assert run("doctor", "sqlite:app.db", "--strict").code == 1


@pytest.mark.usefixtures("migrated")
def test_all_of_the_data_is_read_only_if_that_is_asked_for(
    run: Run, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "app.db")) as other, other:
        other.execute(
            "INSERT INTO api_keys (id, user_id, hash, prefix)"
            " VALUES ('k', 'u9', x'', 'p')"
        )

    assert run("doctor", "sqlite:app.db").code == 0
    done = run("doctor", "sqlite:app.db", "--integrity")
    assert done.code == 1
    assert "rows that refer to none: 1 in api_keys" in done.out


def test_a_store_that_does_not_exist_is_not_made(run: Run, tmp_path: Path) -> None:
    assert run("doctor", "sqlite:app.db").code == 7
    assert [*tmp_path.iterdir()] == []


@pytest.mark.usefixtures("migrated")
def test_quiet_leaves_errors_and_the_exit_code(run: Run) -> None:
    for args in (["doctor", "sqlite:app.db"], ["migrate", "status", "sqlite:app.db"]):
        done = run(*args, "--quiet")
        assert (done.code, done.out, done.err) == (0, "", "")
    done = run("doctor", "sqlite:other.db", "-q")
    assert (done.code, done.out) == (7, "")
    assert done.err.startswith("error: ")


@pytest.mark.usefixtures("migrated")
def test_verbose_tells_what_is_opened_on_stderr(run: Run) -> None:
    plain, told = (run("health", "sqlite:app.db", *more) for more in ([], ["-v"]))

    assert plain.err == ""
    assert "mooring.core: opened sqlite app.db" in told.err
    assert len(told.out.splitlines()) == len(plain.out.splitlines())


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize(
    ("args", "environ", "drawn"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": "1"}, False),
        (["--no-color"], {}, False),
        ([], {"TERM": "dumb"}, False),
    ],
)
def test_it_is_drawn_in_colour_on_a_terminal_that_wants_it(
    tmp_path: Path, args: list[str], environ: dict[str, str], drawn: bool
) -> None:
    code, shown = on_a_terminal(tmp_path, "doctor", "sqlite:app.db", *args, **environ)

    assert code == 0
    assert (b"\x1b[3" in shown) is drawn  # a colour
    assert b"app.db mode 0600" in shown


@pytest.mark.usefixtures("migrated")
def test_on_a_terminal_it_shows_how_far_it_is_and_takes_that_away(
    tmp_path: Path,
) -> None:
    args = ("doctor", "sqlite:app.db", "--integrity")
    _, shown = on_a_terminal(tmp_path, *args)
    _, quiet = on_a_terminal(tmp_path, *args, "--quiet")

    assert b"integrity" in shown
    assert b"\x1b[2K" in shown  # the line of the bar is cleared
    assert quiet == b""


# -- waiting ------------------------------------------------------------------


def test_health_waits_until_the_store_is_there_and_migrated(
    run: Run, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "mooring.cli"]
    waiting = subprocess.Popen(
        [*command, "health", "sqlite:app.db", "--wait", "50s"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    first = "20250603124835"
    run("migrate", "up", "sqlite:app.db", "--to", first)
    assert waiting.poll() is None
    run("migrate", "up", "sqlite:app.db")
    out, _ = waiting.communicate(timeout=55)

    assert waiting.returncode == 0
    assert out.startswith("sqlite  app.db   ok")


@pytest.mark.parametrize("wait", ["0.2", "200ms", "0.2s"])
def test_what_does_not_come_in_time_is_told_as_without_waiting(
    run: Run, wait: str
) -> None:
    done = run("health", "sqlite:app.db", "--wait", wait)
    assert done.code == 7
    assert "does not exist" in done.err
    run("migrate", "up", "sqlite:app.db", "--to", "20250603124835")
    done = run("health", "sqlite:app.db", "--wait", wait)
    assert done.code == 1
    assert "3 pending" in done.out


def test_a_configuration_that_is_wrong_is_not_waited_for(run: Run) -> None:
    done = run("health", "sqlite:app.db", "-o", "busy_timout=1", "--wait", "50s")
    assert done.code == 3


# -- the prompt ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("doc", ["doctor"]),
        ("migrate st", ["status", "stamp"]),
        ("doctor --str", ["--strict"]),
        ("no_such_verb x", []),
        ("completion z", ["zsh"]),
    ],
)
def test_bash_completes_with_the_script(
    tmp_path: Path, words: str, completed: list[str]
) -> None:
    (tmp_path / "mooring").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -m mooring.cli "$@"\n'
    )
    (tmp_path / "mooring").chmod(0o755)
    typed = ["mooring", *words.split()]
    script = (
        'eval "$(mooring completion bash)"\n'
        f"COMP_WORDS=({' '.join(typed)}); COMP_CWORD={len(typed) - 1}\n"
        "_mooring_completion mooring\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout.split(), done.stderr) == (completed, "")


def test_a_shell_that_is_not_known_is_a_usage_error(run: Run) -> None:
    done = run("completion", "cmd")
    assert done.code == 2
    assert "bash" in done.err


def test_the_version_is_told_with_those_of_the_drivers(run: Run) -> None:
    document = run("version", "--json").document
    shown = run("version").out

    assert shown.split()[:2] == ["mooring", document["mooring"]]
    assert f"driver sqlite {document['drivers'][0]['version']}" in " ".join(
        shown.split()
    )


# -- Ctrl-C -------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ["migrate", "up", "sqlite:app.db"],
        ["migrate", "down", "sqlite:app.db", "--to", "0", "--yes"],
        ["doctor", "sqlite:app.db", "--integrity"],
        ["health", "sqlite:nowhere.db", "--wait", "50s"],
    ],
    ids=lambda args: args[0],
)
def test_ctrl_c_at_any_point_leaves_nothing_half_done(
    run: Run, tmp_path: Path, loop: Loop, args: list[str]
) -> None:
    rounds, random = loop(3, 60)
    for _ in range(rounds):
        if "down" in args or "doctor" in args:
            run("migrate", "up", "sqlite:app.db")
        child = subprocess.Popen(
            [sys.executable, "-c", BEGIN, *args],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "begun\n"
        sleep(random.uniform(0, 0.4))
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)

        # The last is how a shell sees 130, before the command's own code is imported.
        done = 0 if "--wait" not in args else None
        assert child.returncode in (done, 130, -signal.SIGINT), (out, err)
        if child.returncode == 130:
            # What `down` says is lost may stand before it.
            told = [line for line in err.split("\n") if not line.startswith("  lost:")]
            # It may go on to say what ran and stays.
            assert "".join(told).startswith("error: interrupted") or not any(told)
        if (tmp_path / "app.db").exists():
            with closing(sqlite3.connect(tmp_path / "app.db")) as database:
                # A migration is undone, or it is not.
                assert tables(database) == versions(database)
        assert run("migrate", "up", "sqlite:app.db").code == 0
        (tmp_path / "app.db").unlink()


def tables(database: sqlite3.Connection) -> int:
    """Return how many of the tables are there that migrations make, one each."""
    names = "('workflow_states', 'task_states', 'users', 'api_keys')"
    rows = f"SELECT count(*) FROM sqlite_master WHERE type='table' AND name IN {names}"
    (count,) = database.execute(rows).fetchone()
    return int(count)


def versions(database: sqlite3.Connection) -> int:
    """Return how many migrations are applied."""
    exists = "SELECT count(*) FROM sqlite_master WHERE name = 'goose_db_version'"
    if database.execute(exists).fetchone() == (0,):
        return 0
    rows = "SELECT count(*) FROM goose_db_version WHERE version_id > 0 AND is_applied"
    (count,) = database.execute(rows).fetchone()
    return int(count)
