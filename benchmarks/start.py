"""Whole processes: start, open, migrate where needed, insert one row, end."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from time import perf_counter

from benchmarks.measure import Against, Case, Group, measure
from benchmarks.work import (
    SCRIPTS,
    environment,
    migrations,
    run_script,
    work_in,
    yoyo_migrations,
)

PYTHON = "python -c pass"
HAND = "by hand"
LIBRARIES = "by hand, attrs, pluggy"
ENTRY_POINTS = "by hand, attrs, pluggy, entry points"
MOORING = "mooring"
YOYO = "yoyo-migrations"

_SCRIPT = {
    HAND: "by_hand",
    LIBRARIES: "by_hand_libraries",
    ENTRY_POINTS: "by_hand_entry_points",
    MOORING: "with_mooring",
    YOYO: "with_yoyo",
}

# The bars are those of the project's goals; a comparison without one is for context.
COLD = (
    Against(MOORING, HAND, 3.4),
    Against(MOORING, ENTRY_POINTS, 1.35),
    Against(MOORING, LIBRARIES),
    Against(MOORING, YOYO, 0.667),
)
WARM = (
    Against(MOORING, HAND, 4.0),
    Against(MOORING, ENTRY_POINTS, 1.35),
    Against(MOORING, LIBRARIES),
    Against(MOORING, YOYO),
)


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield the cold and the warm start, measured in *folder*.

    Raises:
        SystemExit: The scripts do not do the same work.
    """
    env = environment(folder)
    yoyo = yoyo_migrations(os.path.join(folder, "yoyo"))
    starts = {name: _Start(name, folder, yoyo, env) for name in _SCRIPT}
    _compare(starts)
    alone: dict[str, Case] = {PYTHON: lambda _: _python(env)}
    cold: dict[str, Case] = {name: start.cold for name, start in starts.items()}
    yield measure("cold start: new file, four migrations", alone | cold, COLD, rounds)
    warm: dict[str, Case] = {name: start.warm for name, start in starts.items()}
    yield measure("warm start: nothing to migrate", alone | warm, WARM, rounds)


class _Start:
    """One script, on database files of its own."""

    def __init__(
        self, name: str, folder: str, yoyo: str, env: Mapping[str, str]
    ) -> None:
        self._script = _SCRIPT[name]
        self._migrations = yoyo if name == YOYO else migrations()
        self._env = env
        self._folder = os.path.join(folder, self._script)
        os.mkdir(self._folder)
        self.kept = os.path.join(self._folder, "kept.db")
        self.once(self.kept, "first")

    def cold(self, number: int) -> float:
        """Return the seconds of a start on a database that is not there yet."""
        folder = os.path.join(self._folder, str(number))
        os.mkdir(folder)
        return self.once(os.path.join(folder, "new.db"), "first")

    def warm(self, number: int) -> float:
        """Return the seconds of a start on a database that is migrated."""
        return self.once(self.kept, f"round {number}")

    def once(self, path: str, key: str) -> float:
        started = perf_counter()
        run_script(self._script, path, key, self._migrations, self._env)
        return perf_counter() - started


def _compare(starts: Mapping[str, _Start]) -> None:
    """Make sure that the scripts left the same behind."""
    expected = work_in(starts[HAND].kept)
    for name, start in starts.items():
        found = work_in(start.kept)
        if name == YOYO:  # which remembers versions in tables of its own
            found = found._replace(version_table=expected.version_table)
        if found != expected:
            raise SystemExit(f"{name} does not do the same work as {HAND}: {found}")


def _python(env: Mapping[str, str]) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], cwd=SCRIPTS, env=env, check=True)
    return perf_counter() - started
