"""What the tests of several folders share: loops, child processes, opened stores."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random, SystemRandom
from textwrap import dedent

import pytest
from mooring import core
from mooring_sqlite import SqliteStore

# `make soak` sets it: loops run at their full counts and print their figures.
FULL = os.environ.get("MOORING_SOAK") == "1"
# Set it to the seed that a failed run printed, to run that one again.
SEED = os.environ.get("MOORING_SEED")


@pytest.fixture
def report(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], None]:
    """Print a figure: at full count at once, otherwise if the test fails."""
    name = request.node.name

    def say(text: str) -> None:
        if FULL:
            with capsys.disabled():
                print(f"\n{name}: {text}", end="", flush=True)  # noqa: T201 - figures
        else:
            print(text)  # noqa: T201 - pytest shows it beside a failure

    return say


@pytest.fixture
def loop(report: Callable[[str], None]) -> Callable[[int, int], tuple[int, Random]]:
    """Return rounds or seconds, ``loop(short, full)``, and the seeded randomness."""

    def choose(short: int, full: int) -> tuple[int, Random]:
        seed = int(SEED or SystemRandom().randrange(2**32))
        count = full if FULL else short
        report(f"count {count}, MOORING_SEED={seed}")
        return count, Random(seed)  # noqa: S311 - to be repeated, not to be secret

    return choose


@pytest.fixture
def start() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start Python processes, ``start(code, *argv)``; none outlives the test."""
    with ExitStack() as stack:

        def run(code: str, *argv: object) -> "subprocess.Popen[str]":
            child = subprocess.Popen(
                [sys.executable, "-c", dedent(code), *map(str, argv)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(child)  # closes the pipes, and waits
            stack.callback(child.kill)
            return child

        yield run


@pytest.fixture
def open_sqlite(tmp_path: Path) -> Iterator[Callable[..., SqliteStore]]:
    """Open SQLite stores, ``open_sqlite(path, **options)``, closed with the test."""
    with ExitStack() as stack:

        def run(path: str | Path = "app.db", **options: object) -> SqliteStore:
            where = path if path == ":memory:" else str(tmp_path / path)
            migrate = options.pop("migrate", None)
            sources = options.pop("migrations", ())
            store = core.open(
                {"driver": "sqlite", "path": where, **options},
                migrations=sources,  # type: ignore[arg-type]  # as the test gave it
                migrate=migrate,  # type: ignore[arg-type]
            )
            assert isinstance(store, SqliteStore)
            stack.callback(store.close)
            return store

        yield run
