"""``python -m benchmarks``: run all, print a table, write one JSON file."""

import argparse
import os
import sys
from tempfile import TemporaryDirectory

from benchmarks import command, load, migrations, postgres, report, sqlite, start

_LATEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")
# What to run, and its ordinary number of rounds.
_SUITES = {
    "start": (start.run, 15),
    "migrations": (migrations.run, 15),
    "command": (command.run, 25),
    "load": (load.run, 101),
    "sqlite": (sqlite.run, 41),
    "postgres": (postgres.run, 31),
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
    options = parser.parse_args()
    groups = []
    for name, (run, rounds) in _SUITES.items():
        if options.suite not in (None, name):
            continue
        with TemporaryDirectory(prefix="mooring-bench-", dir=options.folder) as folder:
            for group in run(folder, options.rounds or rounds):
                groups.append(group)
                sys.stdout.write(report.table(group) + "\n")
                sys.stdout.flush()
    report.write(options.json, groups)
    bars = [one.met for group in groups for one in group.comparisons]
    sys.stdout.write(f"{bars.count(True)} bars met, {bars.count(False)} missed\n")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
