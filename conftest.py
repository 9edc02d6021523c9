"""Runs the examples of the documentation: Python, and `mooring` at the prompt.

It also asks for the fixtures of the PostgreSQL driver, as an application's tests do.

The examples of a page share a namespace and an empty folder of their own, and run in
the order in which they stand. The pages in `ON_POSTGRES` also have an empty database,
to which libpq's variables lead, as ``python -m mooring_postgres.testing`` sets them:
``postgresql://`` is its URL. Their blocks of SQL run there, those of other pages are
migrations. A block of ``py`` that begins with ``# NAME.py`` is a file: it is written.
"""

import doctest
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from mooring import migrate
from mooring_postgres.testing import DatabaseServer
from psycopg.pq import Conninfo
from sybil import Example, Sybil
from sybil.parsers.myst import CodeBlockParser, PythonCodeBlockParser

# Only the topmost conftest.py may ask for plugins.
pytest_plugins = ["mooring_postgres.testing.fixtures"]

# What differs from run to run in what the command prints: times, durations, free space.
VARIES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ|\d+\.\d ms|\d+ MiB")
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

ON_POSTGRES = [
    "docs/reference/postgres.md",
    "docs/how-to/from-sqlite-to-postgres.md",
    "docs/how-to/test-with-postgres.md",
]
# What may be typed at the prompt.
PROGRAMS = {"mooring": "mooring.cli", "pytest": "pytest"}


def run_console(example: Example) -> str | None:
    """Run the ``$ PROGRAM ...`` lines of a block, and compare what they print.

    "..." stands for anything, and white space counts once, as in a doctest; numbers
    that differ from run to run may be any. A line ``exit code: N`` after the output is
    the expected one; 0 without it.
    """
    for step in ("\n" + example.parsed).split("\n$ ")[1:]:
        command, _, expected = step.partition("\n")
        words = shlex.split(command)
        if words[0] not in PROGRAMS:
            return f"only {' and '.join(PROGRAMS)} are run, not {words[0]!r}"
        done = subprocess.run(  # noqa: S603 - the words are those of our own pages
            [sys.executable, "-m", PROGRAMS[words[0]], *words[1:]],
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


def run_sql(example: Example) -> None:
    """Run a block as psql would, on the database that libpq's variables lead to."""
    with psycopg.connect(autocommit=True) as connection:
        connection.execute(example.parsed.encode())


def write_file(example: Example) -> None:
    """Write a block to the file that its first line names."""
    name = example.parsed.partition("\n")[0].removeprefix("# ")
    Path(name).write_text(example.parsed)


@pytest.fixture(scope="module")
def page_database(postgres_server: DatabaseServer) -> Iterator[None]:
    """An empty database for a page; libpq's variables lead to it."""
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in Conninfo.get_defaults()
        if option.envvar
    }
    name = postgres_server.create_database()
    with pytest.MonkeyPatch.context() as patch:
        for variable in variables.values():
            patch.delenv(variable, raising=False)
        for keyword, value in postgres_server.params(name).items():
            if keyword in variables:
                patch.setenv(variables[keyword], str(value))
        yield
    postgres_server.drop_database(name)


def enter_folder(namespace: dict[str, Any]) -> None:
    """Start a page in an empty folder."""
    namespace["_back"] = os.getcwd()
    namespace["_folder"] = tempfile.TemporaryDirectory()
    os.chdir(namespace["_folder"].name)


def leave_folder(namespace: dict[str, Any]) -> None:
    """Go back, and remove what the page made."""
    os.chdir(namespace["_back"])
    namespace["_folder"].cleanup()


def examples(sql: Any, **options: Any) -> Sybil:
    """Return what finds the examples of the pages that *options* name."""
    return Sybil(
        parsers=[
            PythonCodeBlockParser(doctest_optionflags=OPTIONS),
            CodeBlockParser("console", run_console),
            CodeBlockParser("py", write_file),
            CodeBlockParser("sql", sql),
        ],
        path=str(Path(__file__).parent),
        setup=enter_folder,
        teardown=leave_folder,
        **options,
    )


pytest_collect_file = (
    examples(
        parse_migration,
        patterns=["README.md", "docs/**/*.md", "core/README.md"],
        excludes=ON_POSTGRES,
    )
    + examples(run_sql, patterns=ON_POSTGRES, fixtures=["page_database"])
).pytest()
