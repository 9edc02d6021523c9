"""From one JSON file to the page, its plots, and every figure that the pages quote.

``python -m benchmarks.publish`` does it from the file that is committed; `make bench`
measures first. A figure in a page stands between two comments, which say what it is::

    <!-- bench ratio; start-cold; mooring; by hand -->3.21<!-- /bench -->

`_KINDS` has all of them. A test fills them anew and compares: so a page cannot quote
what was not measured, and it fails where a speed is quoted without such comments.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks import plot
from benchmarks.measure import PER_SECOND, Comparison, Group
from benchmarks.report import figure_in_words, pair, verdict

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FOLDER = os.path.join(ROOT, "docs", "explanation")
RESULTS = os.path.join(_FOLDER, "benchmarks.json")
PLOTS = os.path.join(_FOLDER, "benchmarks")

_MARKED = re.compile(
    r"(?P<open><!-- bench (?P<what>[^>]*?) -->)(?P<text>.*?)(?P<close><!-- /bench -->)",
    re.DOTALL,
)
_NOT_MEASURED = "not measured"
# From what load for each core on a page says that the machine was not free.
_BUSY = 0.5


class Results:
    """What one file holds.

    Args:
        content: The file, as `report.write` makes it.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.at: str = content["at"]
        self.machine: Mapping[str, Any] = content["machine"]
        self.groups: dict[str, Group] = {
            one["key"]: Group(
                **one | {"comparisons": [Comparison(**c) for c in one["comparisons"]]}
            )
            for one in content["groups"]
        }

    def group(self, key: str) -> Group:
        """Return a group.

        Raises:
            ValueError: There is no such group.
        """
        group = self.groups.get(key)
        if group is None:
            raise ValueError(f"no group {key!r}; there are {', '.join(self.groups)}")
        return group

    def median(self, key: str, case: str) -> float | None:
        """Return the median of a case, None where it was not measured.

        Raises:
            ValueError: There is no such group or case.
        """
        group = self.group(key)
        if case in group.not_measured:
            return None
        if case not in group.medians:
            raise ValueError(f"{key} has no {case!r}, but {', '.join(group.medians)}")
        return group.medians[case]


def read(path: str = RESULTS) -> Results:
    """Return what a file holds."""
    with open(path, encoding="utf-8") as file:
        return Results(json.load(file))


def publish(path: str = RESULTS) -> None:
    """Make *path* the file that is committed, and all that follows from it."""
    if os.path.abspath(path) != RESULTS:
        shutil.copyfile(path, RESULTS)
    results = read()
    os.makedirs(PLOTS, exist_ok=True)
    for name, svg in plots(results).items():
        with open(os.path.join(PLOTS, name), "w", encoding="utf-8") as file:
            file.write(svg)
    for page in pages():
        with open(page, encoding="utf-8") as file:
            before = file.read()
        after = fill(before, results)
        if after != before:
            with open(page, "w", encoding="utf-8") as file:
                file.write(after)


def pages() -> Iterator[str]:
    """Yield every page for users: READMEs, and all of the documentation."""
    yield from (os.path.join(ROOT, name) for name in ("README.md", "CHANGELOG.md"))
    yield os.path.join(ROOT, "core", "README.md")
    for driver in sorted(os.listdir(os.path.join(ROOT, "drivers"))):
        yield os.path.join(ROOT, "drivers", driver, "README.md")
    for folder, folders, files in os.walk(os.path.join(ROOT, "docs")):
        folders[:] = sorted(set(folders) - {"_build", "_ext"})
        yield from (
            os.path.join(folder, file) for file in sorted(files) if file.endswith(".md")
        )


def fill(text: str, results: Results) -> str:
    """Return a page with what *results* say between its comments.

    Raises:
        ValueError: A comment names what there is not.
    """

    def filled(found: re.Match[str]) -> str:
        kind, *arguments = (part.strip() for part in found["what"].split(";"))
        if kind not in _KINDS:
            raise ValueError(f"no kind {kind!r}; there are {', '.join(_KINDS)}")
        return found["open"] + _KINDS[kind](results, *arguments) + found["close"]

    return _MARKED.sub(filled, text)


def unmarked(text: str) -> str:
    """Return a page without the figures that come from the file."""
    return _MARKED.sub("", text)


# -- what can stand between the comments ---------------------------------------


def _ratio(results: Results, key: str, case: str, against: str) -> str:
    """How many times as much as another case: of seconds, of throughput."""
    ours, theirs = results.median(key, case), results.median(key, against)
    if ours is None or theirs is None:
        return _NOT_MEASURED
    return _number(ours / theirs)


def _median(results: Results, key: str, case: str) -> str:
    """A figure with its unit."""
    figure = results.median(key, case)
    if figure is None:
        return _NOT_MEASURED
    return figure_in_words(figure, results.groups[key].unit)


def _machine(results: Results) -> str:
    """When and where it was measured."""
    known = results.machine
    busy = (
        " It had other work meanwhile: take these figures as rough."
        if known["load"] >= _BUSY * known["cpus"]
        else ""
    )
    packages = ", ".join(f"{n} {v}" for n, v in known["packages"].items() if v)
    return (
        f"\n\nMeasured on {results.at[:10]}: {known['cpus']} cores, {known['system']},"
        f" {known['python']}, SQLite {known['sqlite']}; load {known['load']:.1f} when"
        f" it began, {known['minutes']} minutes.{busy} With {packages}."
        "\n\n"
    )


def _bars(results: Results) -> str:
    """Each goal of the project, the figure that was measured, and what became of it."""
    rows = [
        (group.name, _pair(one, group), _figure(one, group), *_bar(one, group))
        for group in results.groups.values()
        for one in group.comparisons
        if one.bar is not None
    ]
    return _table(("measured", "compared", "figure", "goal", "result"), rows)


def _one_table(results: Results, key: str) -> str:
    """The medians of one group, without how they compare."""
    return _medians(results.group(key))


def _tables(results: Results) -> str:
    """Every group: its medians, and how they compare."""
    return "\n".join(_of_group(group) for group in results.groups.values())


def _of_group(group: Group) -> str:
    compared = [
        (_pair(one, group), _figure(one, group), *_bar(one, group))
        for one in group.comparisons
        if one.against is not None
    ]
    text = f"\n\n**{group.name}** ({group.rounds} rounds)\n"
    text += _medians(group)
    if compared:
        head = ("compared", group.compared, "goal", "result")
        text += _table(head, compared)
    return text


def _medians(group: Group) -> str:
    rows = [
        (_code(case), figure_in_words(figure, group.unit))
        for case, figure in group.medians.items()
    ]
    rows += [
        (_code(case), f"{_NOT_MEASURED}: {why}")
        for case, why in group.not_measured.items()
    ]
    return _table(("case", "median"), rows)


_KINDS: Mapping[str, Callable[..., str]] = {
    "ratio": _ratio,
    "median": _median,
    "machine": _machine,
    "bars": _bars,
    "table": _one_table,
    "tables": _tables,
}


def _pair(one: Comparison, group: Group) -> str:
    return _code(pair(one, group))


def _figure(one: Comparison, group: Group) -> str:
    if one.figure is None:
        return "-"
    return _said(one, one.figure, group)


def _bar(one: Comparison, group: Group) -> tuple[str, str]:
    if one.bar is None:
        return "-", "-"
    sign = "≥" if group.unit == PER_SECOND or group.unit == "share" else "≤"
    result = verdict(one)
    said = _said(one, one.bar, group)
    return f"{sign} {said}", "**missed**" if result == "missed" else result


def _said(one: Comparison, figure: float, group: Group) -> str:
    """Return a figure of a comparison: with a unit where it is no ratio."""
    if one.against is not None and group.compared == "ratio":
        return _number(figure)
    return figure_in_words(figure, group.unit)


def _number(figure: float) -> str:
    return f"{figure:.2f}" if figure < 10 else f"{figure:.0f}"


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["", "", f"| {' | '.join(head)} |", "|" + " - |" * len(head)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", ""])


# -- plots ----------------------------------------------------------------------


def plots(results: Results) -> dict[str, str]:
    """Return each plot by its file's name."""
    return {
        f"{name}.svg": plot.bars(
            title, [(results.groups[key], label) for key, label in panels.items()]
        )
        for name, (title, panels) in _PLOTS.items()
    }


_WAITS = {
    "throughput": "transactions a second",
    "worst": "worst wait",
    "fairness": "least / most served",
}
# By name: a title, and its panels, groups with the same cases.
_PLOTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "writers": (
        "SQLite, 16 threads, small durable transactions",
        {f"writers-16-{kind}": label for kind, label in _WAITS.items()},
    ),
    "writers-slow-disk": (
        "The same on a disk whose flush takes 1 ms longer",
        {f"writers-16-slow-{kind}": label for kind, label in _WAITS.items()},
    ),
    "point-reads": (
        "SQLite, one thread, one row by primary key",
        {"sqlite-read": "time for one"},
    ),
    "rows": (
        "SQLite, ten thousand rows into objects",
        {
            "sqlite-rows-orjson": "JSON by orjson",
            "sqlite-rows-json": "JSON by the standard library",
        },
    ),
    "start": (
        "Whole processes: start, open, migrate where needed, insert a row, end",
        {"start-cold": "new file", "start-warm": "nothing to migrate"},
    ),
    "synchronous": (
        "SQLite, one thread, small transactions, by synchronous",
        {"sqlite-synchronous": "transactions a second"},
    ),
    "postgres-reads": (
        "PostgreSQL, one row by primary key",
        {
            "postgres-1-read": "one thread, time for one",
            "postgres-8-read": "8 threads, time for one",
        },
    ),
    "postgres-writes": (
        "PostgreSQL, one insert",
        {
            "postgres-1-insert": "one thread, time for one",
            "postgres-8-insert": "8 threads, time for one",
        },
    ),
}


if __name__ == "__main__":
    publish()
