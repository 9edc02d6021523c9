"""The report on the contract: verdicts of real runs of pytest, in processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

# Small contracts of a group each: a verdict is about the groups that a class has.
SUITE = '''
import pytest
from mooring.testing import DriverContract
from mooring.testing.contract import ContractFixtures
from mooring.testing.contract._isolation import IsolationContract
from mooring.testing.contract._run import RunContract
from mooring.testing.contract._traces import TracesContract

MEMORY = {"driver": "sqlite", "path": ":memory:"}


class Config:
    @pytest.fixture
    def config(self):
        return MEMORY


class TestAll(Config, ContractFixtures, RunContract):
    def test_of_its_own_is_no_part_of_the_contract(self):
        raise AssertionError


class TestLacking(Config, ContractFixtures, IsolationContract):
    """In memory there are no concurrent snapshots."""


class TestFailing(Config, ContractFixtures, RunContract):
    def test_one_attempt_is_no_retry(self):
        """Whoever asks for one attempt gets one."""
        raise ValueError("first line\\nsecond line")


class TestGap(Config, ContractFixtures, RunContract):
    @pytest.mark.xfail(reason="not yet", strict=True)
    def test_one_attempt_is_no_retry(self):
        raise ValueError


class TestNoGapAnyMore(Config, ContractFixtures, RunContract):
    @pytest.mark.xfail(reason="not yet", strict=True)
    def test_one_attempt_is_no_retry(self):
        pass


class TestSkipping(ContractFixtures, RunContract):
    @pytest.fixture
    def config(self, request):
        if "one_attempt" in request.node.name:
            pytest.skip("the store does not declare savepoints")
        return MEMORY


class TestNowhere(Config, ContractFixtures, TracesContract):
    """It names no store that cannot be reached."""


class TestSkippingNowhere(Config, ContractFixtures, TracesContract):
    @pytest.fixture
    def unreachable_config(self):
        pytest.skip("no unreachable_config is given")


class TestWithoutConfig(ContractFixtures, RunContract):
    pass


class TestTearingDown(ContractFixtures, RunContract):
    @pytest.fixture
    def config(self):
        yield MEMORY
        raise OSError("cannot be put away")


class TestInterrupted(Config, ContractFixtures, RunContract):
    def test_it_leaves_no_scope_behind(self):
        raise KeyboardInterrupt


class TestWhole(Config, DriverContract):
    known_failures = {"test_leaving_the_block_commits": "see the list of gaps"}
'''

# What a report carries must reach another process, as pytest-xdist sends it: plain
# values, no subclass of them. That is what marshal takes.
CONFTEST = """
import marshal

def pytest_runtest_logreport(report):
    marshal.dumps(getattr(report, "mooring_contract", None))
"""


class Ran(NamedTuple):
    """What a run of pytest did."""

    code: int
    out: str
    document: dict[str, Any]

    def run(self, name: str) -> dict[str, Any]:
        """The report on one class."""
        (found,) = [r for r in self.document["runs"] if r["class"].endswith(name)]
        return dict(found)


Reports = Callable[..., Ran]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    """Run pytest on the suite above, with the plugin; what runs is to be selected."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")

    def call(*selected: str) -> Ran:
        file = folder / "report.json"
        file.unlink(missing_ok=True)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                *("-p", "mooring.testing.report", f"--mooring-report={file}"),
                *selected,
            ],
            cwd=folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        found = json.loads(file.read_text()) if file.exists() else {}
        return Ran(done.returncode, done.stdout + done.stderr, found)

    return call


@pytest.fixture(scope="module")
def full(reports: Reports) -> Ran:
    """Every small class, from its first to its last test."""
    names = ("All", "Lacking", "Failing", "Gap", "NoGapAnyMore", "Skipping")
    more = ("WithoutConfig", "TearingDown")
    return reports(*(f"test_suite.py::Test{name}" for name in (*names, *more)))


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("TestAll", "conformant"),
        ("TestLacking", "conformant"),
        ("TestGap", "conformant with known gaps"),
        ("TestFailing", "not conformant"),
        ("TestNoGapAnyMore", "not conformant"),
        ("TestSkipping", "not conformant"),
        ("TestWithoutConfig", "not conformant"),
        ("TestTearingDown", "not conformant"),
    ],
)
def test_the_verdict_follows_from_what_became_of_the_tests(
    full: Ran, name: str, verdict: str
) -> None:
    run = full.run(name)

    assert run["verdict"] == verdict
    assert run["complete"]
    assert f"{name}: {verdict}\n" in full.out


def test_the_verdict_on_a_run_is_the_worst_of_its_classes(full: Ran) -> None:
    assert full.document["verdict"] == "not conformant"
    assert "\nverdict: not conformant\n" in full.out


@pytest.mark.parametrize(
    ("name", "outcome", "message"),
    [
        ("TestFailing", "failed", "ValueError: first line\nsecond line"),
        ("TestGap", "known_gap", "not yet"),
        ("TestNoGapAnyMore", "failed", "[XPASS(strict)] not yet"),
        ("TestSkipping", "skipped", "the store does not declare savepoints"),
    ],
)
def test_what_did_not_pass_says_what_it_means_and_where_to_read(
    full: Ran, name: str, outcome: str, message: str
) -> None:
    (finding,) = full.run(name)["findings"]

    assert finding["test"] == "test_one_attempt_is_no_retry"
    assert (finding["outcome"], finding["message"]) == (outcome, message)
    assert finding["claim"] == "one attempt is no retry"
    assert finding["asks"].startswith("``store.run``: a serializable transaction")
    assert finding["read"] == "docs/explanation/rules.md#isolation-has-two-words"
    assert finding["means"] in full.out


def test_a_claim_that_a_test_spells_out_is_told(full: Ran) -> None:
    (finding,) = full.run("TestFailing")["findings"]

    assert finding["doc"] == "Whoever asks for one attempt gets one."
    assert "claim  Whoever asks for one attempt gets one." in full.out


def test_a_failure_has_its_place_and_its_traceback(full: Ran) -> None:
    (finding,) = full.run("TestFailing")["findings"]

    assert "test_suite.py:" in finding["where"]
    assert "second line" in finding["traceback"]


def test_a_missing_configuration_is_an_error_of_every_test(full: Ran) -> None:
    run = full.run("TestWithoutConfig")

    assert run["counts"]["errors"] > 5
    assert run["driver"] == ""
    told = {finding["message"].partition("\n")[0] for finding in run["findings"]}
    assert told == {"fixture 'config' not found"}


def test_what_fails_after_a_test_that_passed_is_an_error(full: Ran) -> None:
    counts = full.run("TestTearingDown")["counts"]

    assert counts["errors"] > 5
    assert "cannot be put away" in full.run("TestTearingDown")["findings"][0]["message"]


def test_a_test_of_a_capability_that_is_not_there_counts_as_not_applicable(
    full: Ran,
) -> None:
    counts = full.run("TestLacking")["counts"]

    assert counts["not_applicable"] >= 1
    assert counts["skipped"] == 0


@pytest.mark.parametrize(
    ("name", "column"),
    [("TestNowhere", "not_applicable"), ("TestSkippingNowhere", "skipped")],
)
def test_without_a_store_that_cannot_be_reached_its_test_does_not_apply(
    reports: Reports, name: str, column: str
) -> None:
    done = reports(f"test_suite.py::{name}", "-k", "cannot_be_reached")
    counts = done.run(name)["counts"]

    assert counts[column] == 1
    assert sum(counts.values()) - counts["not_run"] == 1
    assert (column == "skipped") is ("verdict: not conformant" in done.out)


def test_a_test_of_the_class_itself_is_no_part_of_the_contract(full: Ran) -> None:
    run = full.run("TestAll")

    assert run["counts"]["failed"] == 0
    assert [group["name"] for group in run["groups"]] == ["run"]


def test_the_driver_its_distribution_and_its_capabilities_are_told(full: Ran) -> None:
    run = full.run("TestAll")

    assert (run["driver"], run["distribution"], run["api"]) == (
        "sqlite",
        "mooring_sqlite",
        1,
    )
    assert run["version"]
    assert set(run["capabilities"]["declared"]) > set(run["capabilities"]["present"])
    assert "savepoints" in run["capabilities"]["present"]


def test_what_is_kept_of_a_test_could_come_from_another_process(full: Ran) -> None:
    assert "INTERNALERROR" not in full.out
    assert full.run("TestAll")["counts"]["passed"] > 10


def test_the_keys_of_the_document_are_these(full: Ran) -> None:
    run = full.run("TestFailing")

    assert list(full.document) == ["schema", "verdict", "core", "python", "runs"]
    assert full.document["schema"] == 1
    assert list(full.document["core"]) == ["version", "api"]
    assert list(run) == [
        *("class", "driver", "distribution", "version", "api", "sql", "capabilities"),
        *("verdict", "complete", "counts", "groups", "findings"),
    ]
    counts = [
        *("passed", "failed", "errors", "known_gaps", "not_applicable", "skipped"),
        "not_run",
    ]
    assert list(run["counts"]) == counts
    assert list(run["groups"][0]) == ["name", "rule", "read", *counts]
    assert list(run["findings"][0]) == [
        *("test", "group", "outcome", "claim", "doc", "means", "asks", "read"),
        *("message", "where", "traceback"),
    ]


@pytest.mark.parametrize(
    "selected",
    [
        ["test_suite.py::TestAll", "-k", "not one_attempt"],
        ["test_suite.py::TestAll::test_one_attempt_is_no_retry"],
        ["test_suite.py::TestAll", "-k", "3 or leaves_no_scope"],
        ["test_suite.py::TestInterrupted"],
        ["test_suite.py::TestAll", "--maxfail=1", "-o", "python_functions=test_it*"],
        ["test_suite.py::TestAll", "-k", "nothing has this name"],
    ],
    ids=["deselected", "one", "cases", "interrupted", "not collected", "none"],
)
def test_a_part_of_a_run_is_incomplete(reports: Reports, selected: list[str]) -> None:
    done = reports(*selected)

    assert done.document["verdict"] == "incomplete", done.out
    assert not any(run["complete"] for run in done.document["runs"])
    assert "\nverdict: incomplete\n" in done.out


def test_a_failure_decides_even_where_the_rest_did_not_run(reports: Reports) -> None:
    run = reports("-x", "test_suite.py::TestWithoutConfig").run("TestWithoutConfig")

    assert (run["verdict"], run["complete"]) == ("not conformant", False)
    assert run["counts"]["not_run"] > 0


def test_a_known_failure_of_the_whole_contract_that_passes_is_to_be_taken_out(
    reports: Reports,
) -> None:
    done = reports("test_suite.py::TestWhole", "-k", "leaving_the_block or attempt")
    run = done.run("TestWhole")

    assert len(run["groups"]) >= 16
    (finding,) = run["findings"]
    assert finding["message"] == "[XPASS(strict)] see the list of gaps"
    assert "known_failures" in finding["means"]
    assert run["verdict"] == "not conformant"


def test_a_file_that_cannot_be_written_is_a_usage_error(reports: Reports) -> None:
    done = reports("--mooring-report=/no/such/folder/report.json")

    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "/no/such/folder/report.json cannot be written" in done.out
    assert "Traceback" not in done.out


def test_collecting_only_writes_no_report(reports: Reports) -> None:
    done = reports("--collect-only", "test_suite.py::TestAll")

    assert "verdict" not in done.out
    assert done.document == {}


def test_every_group_says_what_it_asks_and_leads_to_where_that_is_explained() -> None:
    from mooring.testing._groups import _READ, GROUPS

    root = Path(__file__).parents[3]
    for group in GROUPS:
        page, _, section = group.read.partition("#")
        text = (root / page).read_text()
        titles = [line.lstrip("# ") for line in text.splitlines() if line[:1] == "#"]
        anchors = [
            "".join(c for c in t.lower() if c.isalnum() or c in " _-") for t in titles
        ]

        assert group.name in _READ, "say in _groups.py where the group is explained"
        assert section in [anchor.replace(" ", "-") for anchor in anchors], group.read
        assert group.rule.endswith("."), group.name
        assert group.tests, group.name
