"""What an idle process holds once it has a store, against one with a connection."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import psutil

from benchmarks.measure import DIFFERENCE, MEBIBYTE, Against, Case, Group, measure
from benchmarks.work import SCRIPTS

HAND = "psycopg, one connection"
MOORING = "mooring, an open store"
CORE = "SQLAlchemy Core, an engine"

_SCRIPT = {
    HAND: "idle_by_hand",
    MOORING: "idle_with_mooring",
    CORE: "idle_with_sqlalchemy",
}
_KINDS = {"rss": "resident memory", "uss": "memory that no other process shares"}

# The bar is that of the project's goals, in MiB.
_COMPARE = (Against(MOORING, HAND, 10.0), Against(CORE, HAND))


def run(params: Mapping[str, Any], rounds: int) -> Iterator[Group]:
    """Yield what processes hold after one query, by both ways to count it."""
    for kind, name in _KINDS.items():
        cases: dict[str, Case] = {
            case: _case(script, params, kind) for case, script in _SCRIPT.items()
        }
        yield measure(
            f"memory-{kind}",
            f"an idle process: {name}",
            cases,
            _COMPARE,
            rounds,
            unit=MEBIBYTE,
            compared=DIFFERENCE,
        )


def _case(script: str, params: Mapping[str, Any], kind: str) -> Case:
    return lambda _: held(script, params, kind)


def held(script: str, params: Mapping[str, Any], kind: str) -> float:
    """Return the MiB that a script's process holds when it has nothing left to do.

    Args:
        script: One of the scripts that end with their standard input.
        params: The database, as libpq's keywords.
        kind: "rss" or "uss".
    """
    words = [f"{name}={value}" for name, value in params.items()]
    process = subprocess.Popen(  # noqa: S603 - our own scripts
        [sys.executable, "-c", f"import {script}; {script}.main()", *words],
        cwd=SCRIPTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        if process.stdout is None or process.stdout.readline() != b"idle\n":
            raise SystemExit(f"{script} did not do its work")
        memory = psutil.Process(process.pid).memory_full_info()
        return float(getattr(memory, kind)) / 2**20
