"""A plugin of pytest that reports on the contract: ``-p mooring.testing.report``.

At the end of a run it writes a table by group for each class that derives from
`mooring.testing.DriverContract`, what each failure means, and the verdict;
``--mooring-report=FILE`` writes the same as JSON.
"""

import json
import os
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import attrs
import pytest

from mooring import core
from mooring.testing._document import Document, document, lines
from mooring.testing._groups import group_of, groups_of
from mooring.testing._masking import masked, secrets_of
from mooring.testing._outcome import ContractRun, Finding, Outcome
from mooring.testing.contract import LEFT_OUT

__all__ = [
    "EVIDENCE",
    "PLUGIN",
    "ContractReport",
    "pytest_addoption",
    "pytest_configure",
]

# Where a test's report carries what is kept of it: plain values, so that it reaches the
# process that reports when the tests run in others (pytest-xdist).
EVIDENCE = "mooring_contract"
PLUGIN = "mooring-contract-report"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--mooring-report``."""
    parser.getgroup("mooring").addoption(
        "--mooring-report",
        metavar="FILE",
        help="Write what the contract found as JSON.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to collect."""
    file = config.getoption("--mooring-report")
    folder = os.path.dirname(os.path.abspath(file)) if file else ""
    if file and (os.path.isdir(file) or not os.access(folder, os.W_OK)):
        raise pytest.UsageError(f"--mooring-report: {file} cannot be written")
    config.pluginmanager.register(ContractReport(file or ""), PLUGIN)


@attrs.define
class _Subject:
    """What the tests of a class were seen to run on."""

    driver: str = ""
    present: list[str] | None = None
    secrets: set[str] = attrs.Factory(set)


class ContractReport:
    """Collects what becomes of the tests of the contract.

    Args:
        file: Where to write the JSON; "" for nowhere.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._expected: dict[type, dict[str, int]] = {}
        self._subjects: dict[type, _Subject] = {}
        self._runs: dict[str, ContractRun] = {}

    def document(self) -> Document:
        """Return the report as it is now, for JSON."""
        return document(self._runs.values())

    # -- where the tests run ----------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Count the tests of a class before any of them is deselected."""
        report = yield
        cls = getattr(collector, "obj", None)
        groups = groups_of(cls)
        if isinstance(collector, pytest.Class) and isinstance(cls, type) and groups:
            names = [getattr(item, "originalname", "") for item in report.result or ()]
            # One that was not even collected is expected nevertheless.
            self._expected[cls] = {
                group.name: sum(max(1, names.count(test)) for test in group.tests)
                for group in groups
            }
        return report

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Know of each class that is to run, even if none of its tests does."""
        for item in session.items:
            cls = item.cls if isinstance(item, pytest.Function) else None
            if cls in self._expected:
                self._run(_name(cls), self._expected[cls])

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """Look at the configuration of a class, and at the first store it opens."""
        value = yield
        cls = request.cls if request.scope in ("function", "class") else None
        if cls in self._expected:
            subject = self._subjects.setdefault(cls, _Subject())
            if fixturedef.argname == "config":
                # What is wrong with it is for the tests to say.
                with suppress(core.MooringError):
                    config = core.configure(value)  # type: ignore[arg-type]  # tried
                    subject.driver = config.driver
                    subject.secrets |= secrets_of(config)
            elif fixturedef.argname == "store" and subject.present is None:
                subject.present = sorted(map(str, getattr(value, "capabilities", ())))
        return value

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the report of a test what is kept of it."""
        report = yield
        if isinstance(item, pytest.Function) and item.cls in self._expected:
            group = group_of(item.cls, item.originalname)
            outcome = _outcome(report, left_out=item.stash.get(LEFT_OUT, False))
            if group is not None and outcome is not None:
                secrets = self._subjects.setdefault(item.cls, _Subject()).secrets
                failed = outcome in (Outcome.FAILED, Outcome.ERROR)
                finding = Finding(
                    test=item.name,
                    group=group.name,
                    outcome=outcome,
                    doc=" ".join((item.obj.__doc__ or "").split()),
                    message=masked(_message(report, call), secrets),
                    where=_where(report),
                    traceback=masked(report.longreprtext, secrets) if failed else "",
                )
                setattr(report, EVIDENCE, self._evidence(item.cls, finding))
        return report

    def _evidence(self, cls: type, finding: Finding) -> dict[str, Any]:
        return {
            "class": _name(cls),
            "expected": self._expected[cls],
            "driver": self._subjects[cls].driver,
            "present": self._subjects[cls].present,
            "finding": {**attrs.asdict(finding), "outcome": str(finding.outcome)},
        }

    # -- where they are reported ------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what became of a test."""
        evidence = getattr(report, EVIDENCE, None)
        if evidence is None:
            return
        run = self._run(evidence["class"], evidence["expected"])
        run.driver = run.driver or evidence["driver"]
        if run.present is None:
            run.present = evidence["present"]
        run.add(report.nodeid, Finding(**evidence["finding"]))

    def _run(self, name: str, expected: dict[str, int]) -> ContractRun:
        if name not in self._runs:
            self._runs[name] = ContractRun(name=name, expected=expected)
        return self._runs[name]

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        """Write the report, and the JSON where it was asked for."""
        if config.getoption("collectonly"):
            return
        found = self.document()
        terminalreporter.section("contract of mooring's drivers")
        for line in lines(found):
            terminalreporter.write_line(line)
        if self._file:
            with open(self._file, "w", encoding="utf-8") as out:
                out.write(json.dumps(found, indent=2) + "\n")
            terminalreporter.write_line(f"written to {self._file}")


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _outcome(report: pytest.TestReport, *, left_out: bool) -> Outcome | None:
    """Return what a phase of a test says about it; None if it says nothing yet."""
    if report.failed:
        return Outcome.FAILED if report.when == "call" else Outcome.ERROR
    if report.skipped:
        if hasattr(report, "wasxfail"):
            return Outcome.KNOWN_GAP
        return Outcome.NOT_APPLICABLE if left_out else Outcome.SKIPPED
    return Outcome.PASSED if report.when == "call" else None


def _message(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    if report.passed:
        return ""
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail).removeprefix("reason: ")
    if report.skipped:
        return _skip_reason(report)
    told = getattr(report.longrepr, "errorstring", None)
    if told is None and call.excinfo is not None:
        told = call.excinfo.exconly()
    return str(told or report.longrepr)


def _skip_reason(report: pytest.TestReport) -> str:
    skip = report.longrepr
    return skip[2].removeprefix("Skipped: ") if isinstance(skip, tuple) else str(skip)


def _where(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return ""
    # A report may be published: where a project lies is nobody's business.
    near = os.path.relpath(crash.path)
    path = crash.path if near.startswith(os.pardir) else near
    return f"{path}:{crash.lineno}"
