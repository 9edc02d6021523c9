"""``python -m benchmarks``: run all, print a table, write one JSON file."""

import argparse
import os
import sys
from tempfile import TemporaryDirectory
from time import monotonic

from benchmarks import (
    command,
    in_memory,
    load,
    migrations,
    parts,
    postgres,
    publish,
    report,
    rows,
    sqlite,
    start,
    writers,
)

_LATEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")
# What to run, and its ordinary number of rounds.
_SUITES = {
    "start": (start.run, 15),
    "migrations": (migrations.run, 15),
    "command": (command.run, 25),
    "load": (load.run, 101),
    "sqlite": (sqlite.run, 41),
    "rows": (rows.run, 15),
    "writers": (writers.run, 9),
    "in-memory": (in_memory.run, 9),
    "postgres": (postgres.run, 25),
    "parts": (parts.run, 31),
}


def main() -> None:
    """Run what the arguments ask for; a missed bar is said, and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("suite", nargs="?", choices=_SUITES, help="one of them only")
    parser.add_argument(
        "--rounds", type=_positive, help="instead of each suite's own number"
    )
    parser.add_argument("--json", default=os.path.join(_LATEST, "latest.json"))
    parser.add_argument(
        "--folder", help="where SQLite files are made; by default a temporary folder"
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="also make the page in docs, its plots, and what other pages quote of it",
    )
    options = parser.parse_args()
    if options.publish and options.suite:
        parser.error("only a run of all suites can be published")
    machine, started = report.machine(), monotonic()
    groups = []
    for name, (run, rounds) in _SUITES.items():
        if options.suite not in (None, name):
            continue
        with TemporaryDirectory(prefix="mooring-bench-", dir=options.folder) as folder:
            for group in run(folder, options.rounds or rounds):
                groups.append(group)
                sys.stdout.write(report.table(group) + "\n")
                sys.stdout.flush()
    minutes = round((monotonic() - started) / 60, 1)
    report.write(options.json, groups, machine | {"minutes": minutes})
    if options.publish:
        publish.publish(options.json)
    bars = [one.met for group in groups for one in group.comparisons]
    sys.stdout.write(f"{bars.count(True)} bars met, {bars.count(False)} missed\n")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
