"""The directive ``compatibility``: a table of drivers, read from their reports.

A report is what ``--mooring-report=FILE`` writes (docs/how-to/read-a-report.md); `make
reports` makes those of the drivers of this repository anew.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from mooring.core import Capability
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

Report = Mapping[str, Any]

_SCHEMA = 1
_HEAD = ("driver", "tests in", "verdict", "passed", "not applicable", "does not have")


class Compatibility(SphinxDirective):
    """``compatibility:: FOLDER``, with the reports; relative to the documentation."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table, and the known gaps below it."""
        _, folder = self.env.relfn2path(f"/{self.arguments[0]}")
        files = sorted(Path(folder).glob("*.json"))
        for file in files:
            self.env.note_dependency(str(file))
        holder = nodes.container()
        text = StringList(list(lines(map(read, files))), source=folder)
        self.state.nested_parse(text, self.content_offset, holder)
        return holder.children


def read(file: Path) -> Report:
    """Return the report in *file*.

    Raises:
        ValueError: It is none that this extension can read.
    """
    report: Report = json.loads(file.read_text(encoding="utf-8"))
    if report.get("schema") != _SCHEMA:
        raise ValueError(f"{file} is no report of schema {_SCHEMA}; run make reports")
    return report


def lines(reports: Iterable[Report]) -> Iterator[str]:
    """Yield a table with a row for each class of tests, then what is missing."""
    runs = [(run, report) for report in reports for run in report["runs"]]
    yield from _table([_HEAD, *(_row(run, report) for run, report in runs)])
    gaps = [
        (run["driver"], f"`{finding['test']}`", finding["message"])
        for run, _ in runs
        for finding in run["findings"]
    ]
    if gaps:
        yield ""
        yield from _table([("driver", "does not pass", "because"), *gaps])


def _row(run: Mapping[str, Any], report: Report) -> tuple[str, ...]:
    counts = run["counts"]
    # As the tests saw it; without a store that opened, nothing is known to be there.
    lacking = sorted(set(Capability) - set(run["capabilities"]["present"] or ()))
    names = ["SQL"] if run.get("sql") is False else []
    names += [f"`{capability}`" for capability in lacking]
    return (
        f"{run['driver']} {run['version']}, mooring {report['core']['version']}",
        f"`{run['class'].rpartition('.')[2]}`",
        run["verdict"],
        str(counts["passed"]),
        str(counts["not_applicable"]),
        ", ".join(names) or "-",
    )


def _table(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in row]
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield "|" + " - |" * len(cells)


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directive."""
    app.add_directive("compatibility", Compatibility)
    return {"version": "1", "parallel_read_safe": True}
