"""What became of each test, and what that makes of the driver."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import attrs


class Outcome(StrEnum):
    """What became of a test, from good to bad.

    Attributes:
        PASSED: The driver does what the test claims.
        NOT_APPLICABLE: Left out: it is about SQL, and the store speaks none; about a
            capability that the store has, or has not; or it needs a fixture that the
            class does not give, such as ``unreachable_config``.
        KNOWN_GAP: It failed, as ``known_failures`` or an ``xfail`` said.
        SKIPPED: Left out for any other reason, so that nothing is known.
        ERROR: What the test needs could not be made ready, or not be put away.
        FAILED: The driver does not do what the test claims.
    """

    PASSED = "passed"
    NOT_APPLICABLE = "not_applicable"
    KNOWN_GAP = "known_gap"
    SKIPPED = "skipped"
    ERROR = "error"
    FAILED = "failed"


class Verdict(StrEnum):
    """What a run says about a driver, from bad to good."""

    NOT_CONFORMANT = "not conformant"
    INCOMPLETE = "incomplete"
    KNOWN_GAPS = "conformant with known gaps"
    CONFORMANT = "conformant"


_WORST_OUTCOME = {outcome: rank for rank, outcome in enumerate(Outcome)}
_WORST_VERDICT = {verdict: rank for rank, verdict in enumerate(Verdict)}


@attrs.frozen(kw_only=True)
class Finding:
    """What became of one test.

    Attributes:
        test: Its name, with the case in brackets.
        group: The name of its group.
        outcome: What became of it.
        doc: Its docstring, "" without one.
        message: The error or the reason, "" if it passed; never a secret.
        where: File and line of the error, "" without one.
        traceback: As pytest writes it, "" without one; never a secret.
    """

    test: str
    group: str
    outcome: Outcome = attrs.field(converter=Outcome)
    doc: str = ""
    message: str = ""
    where: str = ""
    traceback: str = ""


@attrs.define(kw_only=True)
class ContractRun:
    """What is known of one class of tests.

    Attributes:
        name: The class, with its module.
        expected: How many tests each of its groups has, before any was deselected.
        driver: The driver that its configuration names, "" if none was made.
        present: The capabilities of the first store; None if none was opened.
        findings: What became of the tests that ran, by node id.
    """

    name: str
    expected: dict[str, int]
    driver: str = ""
    present: list[str] | None = None
    findings: dict[str, Finding] = attrs.Factory(dict)

    def add(self, node_id: str, finding: Finding) -> None:
        """Keep a finding, unless the same test did worse in an earlier phase."""
        known = self.findings.get(node_id)
        if known is None or _rank(known) <= _rank(finding):
            self.findings[node_id] = finding

    @property
    def complete(self) -> bool:
        """Whether every test has an outcome."""
        return bool(self.expected) and len(self.findings) == sum(self.expected.values())

    @property
    def verdict(self) -> Verdict:
        """What the findings say; one failure decides, even in part of a run."""
        found = {finding.outcome for finding in self.findings.values()}
        if found & {Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED}:
            return Verdict.NOT_CONFORMANT
        if not self.complete:
            return Verdict.INCOMPLETE
        if Outcome.KNOWN_GAP in found:
            return Verdict.KNOWN_GAPS
        return Verdict.CONFORMANT

    def counts(self, group: str) -> Counter[Outcome]:
        """Return how often each outcome was met in a group."""
        return Counter(
            finding.outcome
            for finding in self.findings.values()
            if finding.group == group
        )


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on several runs together; without any it is incomplete."""
    return min(verdicts, key=_WORST_VERDICT.__getitem__, default=Verdict.INCOMPLETE)


def _rank(finding: Finding) -> int:
    return _WORST_OUTCOME[finding.outcome]
