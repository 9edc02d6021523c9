"""What holds for every verb: help, usage errors, output that nobody reads."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]

LOOK = """
import sys
sys.argv = ["mooring", *sys.argv[1:]]
from mooring.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code
finally:
    print("MODULES", *sys.modules)
"""


def modules_after(*args: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *args],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.partition("MODULES")[2].split())


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["drivers", "--help"],
        ["health", "--help"],
        ["doctor", "--help"],
        ["completion", "--help"],
        ["version", "--help"],
        ["migrate", "--help"],
        ["migrate", "up", "--help"],
        ["driver", "--help"],
        ["driver", "check", "--help"],
        ["demo", "--help"],
    ],
)
def test_help_imports_no_driver_and_nothing_that_draws_or_migrates(
    args: list[str],
) -> None:
    loaded = {name.partition(".")[0] for name in modules_after(*args)}
    drawing = {"rich", "cattrs", "sqlite3", "mooring_sqlite"}
    assert not loaded & {*drawing, "pytest", "hypothesis"}
    assert "mooring.migrate" not in modules_after(*args)


def test_the_first_help_imports_no_verb() -> None:
    ours = {name for name in modules_after("--help") if name.startswith("mooring")}
    assert ours == {"mooring", "mooring.cli", "mooring.cli._app"}


def test_the_version_is_that_of_the_package(run: Run) -> None:
    from mooring import __version__

    assert run("--version").out.split()[-1] == __version__


@pytest.mark.parametrize("args", [[], ["migrate"], ["driver"]])
def test_without_a_verb_the_help_is_shown_as_a_usage_error(
    run: Run, args: list[str]
) -> None:
    done = run(*args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: mooring")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["helth"], "did you mean 'health'"),
        (["migrate", "stats"], "did you mean 'status'"),
        (["driver", "chek", "sqlite"], "did you mean 'check'"),
        (["drivers", "--jso"], "--json"),
        (["health"], "TARGET is missing: write the URL"),
        (["health", "sqlite:a.db", "--timeout", "nan"], "above 0"),
        (["health", "sqlite:a.db", "--timeout", "-1"], "above 0"),
        (["health", "sqlite:a.db", "-o", "busy_timeout"], "KEY=VALUE"),
        (["health", "sqlite:a.db", "-o", "a=1", "-o", "a=2"], "twice"),
        (["migrate", "down", "sqlite:a.db", "--to", "0", "--steps", "1"], "exclude"),
        (["migrate", "down", "sqlite:a.db", "--steps", "0"], "steps"),
    ],
)
def test_a_usage_error_exits_2_and_says_what_to_write(
    run: Run, args: list[str], says: str
) -> None:
    done = run(*args)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert "\nhint: " in done.err
    assert says in done.err


def test_a_usage_error_is_one_json_object_where_that_was_asked_for(run: Run) -> None:
    done = run("health", "--json")
    assert (done.code, done.err) == (2, "")
    assert done.document["error"]["code"] == "usage"


def test_a_reader_that_has_gone_changes_nothing(run: Run) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        done = run("drivers", stdout=nobody)
        pending = run("migrate", "up", "sqlite:app.db", stdout=nobody)
    assert (done.code, done.err) == (0, "")
    assert (pending.code, pending.err) == (0, "")
    assert run("migrate", "status", "sqlite:app.db", "--check").code == 0


def test_output_that_cannot_be_written_is_an_error(run: Run) -> None:
    with open(os.devnull) as read_only:
        done = run("drivers", stdout=read_only)
    assert done.code == 1
    assert done.err.startswith("error: the output cannot be written")


def test_a_closed_stdout_is_no_error() -> None:
    command = 'exec "$0" -m mooring.cli drivers >&-'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
