"""The results as a table, and as one JSON file."""

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from benchmarks.measure import Group, Ratio

_PACKAGES = ("mooring", "mooring-sqlite", "attrs", "pluggy", "yoyo-migrations")


def table(group: Group) -> str:
    """Return a group as text: the medians, then the ratios with their bars."""
    width = max(len(case) for case in group.medians)
    lines = [f"{group.name} ({group.rounds} rounds, medians)"]
    lines += [
        f"  {case:<{width}}  {_duration(seconds)}"
        for case, seconds in group.medians.items()
    ]
    pairs = {f"{ratio.case} / {ratio.against}": ratio for ratio in group.ratios}
    width = max(map(len, pairs), default=0)
    lines += ["", f"  {'':<{width}}  {'ratio':>6}  {'per round':>9}  {'bar':>6}"]
    lines += [f"  {pair:<{width}}  {_words(ratio)}" for pair, ratio in pairs.items()]
    return "\n".join(lines) + "\n"


def write(file: str, groups: Sequence[Group]) -> None:
    """Write the groups and what is known of the machine to *file*."""
    os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "groups": [
            group._asdict() | {"ratios": [ratio._asdict() for ratio in group.ratios]}
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


def _words(ratio: Ratio) -> str:
    figures = f"{ratio.ratio:6.2f}  {ratio.per_round:9.2f}"
    if ratio.bar is None:
        return f"{figures}  {'-':>6}"
    return f"{figures}  {ratio.bar:6.2f}  {'met' if ratio.met else 'missed'}"


def _duration(seconds: float) -> str:
    if seconds >= 0.001:
        return f"{seconds * 1000:8.1f} ms"
    return f"{seconds * 1_000_000:8.1f} us"
