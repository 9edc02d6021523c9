"""Runs the examples of the documentation: Python, and `mooring` at the prompt.

It also asks for the fixtures of the PostgreSQL driver, as an application's tests do.

The examples of a page share a namespace and an empty folder of their own, and run in
the order in which they stand.
"""

import doctest
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mooring import migrate
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser

# Only the topmost conftest.py may ask for plugins.
pytest_plugins = ["mooring_postgres.testing.fixtures"]

# What differs from run to run in what the command prints: times, durations, free space.
VARIES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ|\d+\.\d ms|\d+ MiB")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def run_console(example: Example) -> str | None:
    """Run the ``$ mooring ...`` lines of a block, and compare what they print.

    "..." stands for anything, and white space counts once, as in a doctest; numbers
    that differ from run to run may be any. A line ``exit code: N`` after the output is
    the expected one; 0 without it.
    """
    for step in ("\n" + example.parsed).split("\n$ ")[1:]:
        command, _, expected = step.partition("\n")
        words = shlex.split(command)
        if words[0] != "mooring":
            return f"only mooring is run, not {words[0]!r}"
        done = subprocess.run(  # noqa: S603 - the words are those of our own pages
            [sys.executable, "-m", "mooring.cli", *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        got = done.stdout
        if done.returncode:
            got += f"exit code: {done.returncode}\n"
        wanted, found = (VARIES.sub("#", text.rstrip()) for text in (expected, got))
        if not doctest.OutputChecker().check_output(wanted, found, OPTIONS):
            return f"$ {command}\nexpected:\n{expected}\ngot:\n{got}"
    return None


def parse_migration(example: Example) -> None:
    """Read an example of a migration file, so that its annotations are right."""
    migrate.parse(example.parsed, name="00001_example.sql")


def enter_folder(namespace: dict[str, Any]) -> None:
    """Start a page in an empty folder."""
    namespace["_back"] = os.getcwd()
    namespace["_folder"] = tempfile.TemporaryDirectory()
    os.chdir(namespace["_folder"].name)


def leave_folder(namespace: dict[str, Any]) -> None:
    """Go back, and remove what the page made."""
    os.chdir(namespace["_back"])
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(doctest_optionflags=OPTIONS),
        CodeBlockParser("console", run_console),
        CodeBlockParser("sql", parse_migration),
    ],
    patterns=["README.md", "docs/**/*.md", "core/README.md"],
    path=str(Path(__file__).parent),
    setup=enter_folder,
    teardown=leave_folder,
).pytest()
