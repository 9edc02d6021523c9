"""Whole processes: start, open, migrate where needed, insert one row, end."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from time import perf_counter

from benchmarks.measure import Against, Case, Group, measure
from benchmarks.peers import ALEMBIC, DBOS, DJANGO, SQLITE_UTILS, YOYO, not_measured
from benchmarks.work import (
    SCRIPTS,
    Work,
    alembic_migrations,
    django_migrations,
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

_SCRIPT = {
    HAND: "by_hand",
    LIBRARIES: "by_hand_libraries",
    ENTRY_POINTS: "by_hand_entry_points",
    MOORING: "with_mooring",
    YOYO: "with_yoyo",
    SQLITE_UTILS: "with_sqlite_utils",
    DJANGO: "with_django",
    ALEMBIC: "with_alembic",
}
_PEERS = (YOYO, SQLITE_UTILS, DJANGO, ALEMBIC)

# The bars are those of the project's goals; a comparison without one is for context.
COLD = (
    Against(MOORING, HAND, 3.4),
    Against(MOORING, ENTRY_POINTS, 1.35),
    Against(MOORING, LIBRARIES, 1.25),
    Against(MOORING, YOYO, 0.667),
    *(Against(peer, HAND) for peer in _PEERS),
)
WARM = (
    Against(MOORING, HAND, 4.0),
    Against(MOORING, ENTRY_POINTS, 1.35),
    Against(MOORING, LIBRARIES, 1.25),
    Against(MOORING, YOYO),
    *(Against(peer, HAND) for peer in _PEERS),
)


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield the cold and the warm start, measured in *folder*.

    Raises:
        SystemExit: The scripts do not do the same work.
    """
    env = environment(folder)
    # What the others take is the driver's own folder.
    own = {
        YOYO: yoyo_migrations(os.path.join(folder, "yoyo")),
        DJANGO: django_migrations(os.path.join(folder, "django")),
        ALEMBIC: alembic_migrations(os.path.join(folder, "alembic")),
    }
    absent = not_measured(*_PEERS)
    starts = {
        name: _Start(script, folder, own.get(name, migrations()), env)
        for name, script in _SCRIPT.items()
        if name not in absent
    }
    _compare(starts)
    alone: dict[str, Case] = {PYTHON: lambda _: _python(env)}
    cold: dict[str, Case] = {name: start.cold for name, start in starts.items()}
    yield measure(
        "start-cold",
        "cold start: new file, four migrations",
        alone | cold,
        COLD,
        rounds,
        not_measured=absent,
    )
    warm: dict[str, Case] = {name: start.warm for name, start in starts.items()}
    yield measure(
        "start-warm",
        "warm start: nothing to migrate",
        alone | warm,
        WARM,
        rounds,
        not_measured=absent,
    )
    yield from _dbos(folder, env, max(rounds // 3, 1))


def _dbos(folder: str, env: Mapping[str, str], rounds: int) -> Iterator[Group]:
    """Yield the start of what is no migration tool, for context."""
    absent = not_measured(DBOS)
    scripts = {MOORING: _SCRIPT[MOORING]} | ({} if absent else {DBOS: "with_dbos"})
    place = os.path.join(folder, "context")
    os.mkdir(place)
    starts = {
        name: _Start(script, place, migrations(), env)
        for name, script in scripts.items()
    }
    for key, name in (("cold", "new file"), ("warm", "nothing to migrate")):
        yield measure(
            f"start-dbos-{key}",
            f"{key} start beside a workflow engine: {name}",
            {case: getattr(start, key) for case, start in starts.items()},
            [Against(DBOS, MOORING)],
            rounds,
            not_measured=absent,
        )


class _Start:
    """One script, on database files of its own."""

    def __init__(
        self, script: str, folder: str, migrations: str, env: Mapping[str, str]
    ) -> None:
        self._script = script
        self._migrations = migrations
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
        found = _as_goose(work_in(start.kept), expected, name)
        if found != expected:
            raise SystemExit(f"{name} does not do the same work as {HAND}: {found}")


def _as_goose(found: Work, expected: Work, name: str) -> Work:
    """Return what a peer left as if it noted versions where goose does."""
    if name in _PEERS:
        found = found._replace(version_table=expected.version_table)
    if name == ALEMBIC and found.versions == expected.versions[-1:]:
        found = found._replace(versions=expected.versions)
    return found


def _python(env: Mapping[str, str]) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], cwd=SCRIPTS, env=env, check=True)
    return perf_counter() - started
