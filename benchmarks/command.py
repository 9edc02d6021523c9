"""Whole processes: the first help of the command, and the library that it stands on."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from time import perf_counter

from benchmarks.measure import Against, Group, measure
from benchmarks.work import environment

PYTHON = "python -c pass"
CLICK = 'python -c "import click"'
HELP = "mooring --help"
VERSION = "mooring version"

# The bar is that of the project's goals; `version` looks for the drivers as well.
COMPARE = (Against(HELP, CLICK, 2.0), Against(HELP, PYTHON), Against(VERSION, CLICK))


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield what the command costs before it does anything."""
    env = environment(folder)

    def timed(arguments: Sequence[str]) -> float:
        started = perf_counter()
        subprocess.run(  # noqa: S603 - our own command
            arguments, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL
        )
        return perf_counter() - started

    command = os.path.join(os.path.dirname(sys.executable), "mooring")
    cases = {
        PYTHON: lambda _: timed([sys.executable, "-c", "pass"]),
        CLICK: lambda _: timed([sys.executable, "-c", "import click"]),
        HELP: lambda _: timed([command, "--help"]),
        VERSION: lambda _: timed([command, "version"]),
    }
    yield measure("command", "the command: its first help", cases, COMPARE, rounds)
