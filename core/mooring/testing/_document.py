"""A report as JSON, and as lines to read."""

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mooring import __version__, core
from mooring.testing._groups import GROUPS, claim
from mooring.testing._outcome import ContractRun, Finding, Outcome, worst

# Raised when a key changes its meaning or goes; new keys may come.
SCHEMA = 1

_COUNTS = {
    Outcome.PASSED: "passed",
    Outcome.FAILED: "failed",
    Outcome.ERROR: "errors",
    Outcome.KNOWN_GAP: "known_gaps",
    Outcome.NOT_APPLICABLE: "not_applicable",
    Outcome.SKIPPED: "skipped",
}
_COLUMNS = (*_COUNTS.values(), "not_run")
_MEANING = {
    Outcome.FAILED: "the driver does not do this",
    Outcome.ERROR: "what the test needs could not be made ready, or not be put away",
    Outcome.SKIPPED: "left out, so that nothing is known; a skip is not a pass",
    Outcome.KNOWN_GAP: "the driver does not do this yet, and says so",
}
_FIXED = "a known failure that passes now: take it out of known_failures"
# More of one cause than anybody reads; the JSON has them all.
_SHOWN = 20

Document = dict[str, Any]


def document(runs: Iterable[ContractRun]) -> Document:
    """Return a report for JSON; docs/how-to/read-a-report.md describes it."""
    runs = list(runs)
    return {
        "schema": SCHEMA,
        "verdict": worst(run.verdict for run in runs),
        "core": {"version": __version__, "api": core.API_VERSION},
        "python": platform.python_version(),
        "runs": [_run(run) for run in runs],
    }


def _run(run: ContractRun) -> Document:
    groups = [_group(run, name) for name in run.expected]
    return {
        "class": run.name,
        **_driver(run),
        "verdict": run.verdict,
        "complete": run.complete,
        "counts": {key: sum(group[key] for group in groups) for key in _COLUMNS},
        "groups": groups,
        "findings": [
            _finding(finding)
            for name in run.expected
            for finding in run.findings.values()
            if finding.group == name and finding.outcome in _MEANING
        ],
    }


def _driver(run: ContractRun) -> Document:
    """Return what is known of the driver that the configuration names."""
    found: Document = {"driver": run.driver, "distribution": "", "version": ""}
    found |= {"api": None, "sql": None}
    found["capabilities"] = {"declared": None, "present": run.present}
    try:
        info = core.default_registry().info(run.driver)
    except core.DriverError:
        return found
    found.update(driver=info.name, api=info.api, sql=info.sql)
    found["capabilities"]["declared"] = sorted(info.capabilities)
    for entry in core.drivers():
        if entry.name == info.name:
            found.update(distribution=entry.distribution, version=entry.version)
    return found


def _group(run: ContractRun, name: str) -> Document:
    described = next(group for group in GROUPS if group.name == name)
    counts = run.counts(name)
    return {
        "name": name,
        "rule": described.rule,
        "read": described.read,
        **{key: counts[outcome] for outcome, key in _COUNTS.items()},
        "not_run": run.expected[name] - counts.total(),
    }


def _finding(finding: Finding) -> Document:
    group = next(group for group in GROUPS if group.name == finding.group)
    fixed = finding.outcome == Outcome.FAILED and "[XPASS(strict)]" in finding.message
    return {
        "test": finding.test,
        "group": finding.group,
        "outcome": finding.outcome,
        "claim": claim(finding.test),
        "doc": finding.doc,
        "means": _FIXED if fixed else _MEANING[finding.outcome],
        "asks": group.rule,
        "read": group.read,
        "message": finding.message,
        "where": finding.where,
        "traceback": finding.traceback,
    }


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a report's document as lines to read."""
    for run in report["runs"]:
        yield from _run_lines(run, report["core"])
        yield ""
    if not report["runs"]:
        yield "no test of the contract ran"
    yield f"verdict: {report['verdict']}"


def _run_lines(run: Mapping[str, Any], of_core: Mapping[str, Any]) -> Iterator[str]:
    by = f"{run['distribution']} {run['version']}".strip() or "no distribution"
    yield (
        f"{run['driver'] or 'unknown driver'} ({by})"
        f"   mooring {of_core['version']}, API {run['api'] or of_core['api']}"
    )
    yield f"  {run['class']}: {run['verdict']}"
    for key, names in run["capabilities"].items():
        yield f"  {key:<8}  {_listed(names)}"
    if run["sql"] is False:
        yield "  stores    speak no SQL: what is about SQL is not applicable"
    yield ""
    yield from _table(run)
    for finding in run["findings"][:_SHOWN]:
        yield ""
        yield from _finding_lines(finding)
    if len(run["findings"]) > _SHOWN:
        yield ""
        yield f"  and {len(run['findings']) - _SHOWN} more, all of them in the JSON"


def _table(run: Mapping[str, Any]) -> Iterator[str]:
    columns = [key for key in _COLUMNS if key == "passed" or run["counts"][key]]
    total = {"name": "total", **run["counts"]}
    # Of a part of the contract, that part: how much is left is in the total.
    begun = [g for g in run["groups"] if any(g[key] for key in _COUNTS.values())]
    rows = [
        ["GROUP", *(key.replace("_", " ").upper() for key in columns)],
        *(
            [group["name"], *(str(group[key] or "-") for key in columns)]
            for group in (*begun, total)
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        counts = (
            cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)
        )
        yield "  ".join(["", name.ljust(widths[0]), *counts]).rstrip()


def _finding_lines(finding: Mapping[str, Any]) -> Iterator[str]:
    outcome = finding["outcome"].replace("_", " ").upper()
    yield f"  {outcome}  {finding['group']}: {finding['claim']}"
    if finding["doc"]:
        yield f"    claim  {finding['doc']}"
    yield f"    means  {finding['means']}"
    yield f"    asks   {finding['asks']}"
    yield f"    read   {finding['read']}"
    first = finding["message"].partition("\n")[0]
    yield f"    found  {first}"
    yield f"    test   {finding['test']}"
    if finding["where"]:
        yield f"    at     {finding['where']}"


def _listed(names: Sequence[str] | None) -> str:
    if names is None:
        return "not known"
    every = len(names) == len(core.Capability)
    return "every capability" if every else ", ".join(names) or "no capability"
