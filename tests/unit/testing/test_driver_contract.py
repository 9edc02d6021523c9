"""The contract as a class: what it refuses, and what a run of it says.

Each run is one of pytest itself, in a folder of its own: as an author of a driver runs
it, with the settings of nobody.
"""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent, indent

import pytest
from mooring.core import Capability
from mooring.testing import DriverContract, lacks, requires
from mooring.testing.contract import GROUPS, why_not

HEAD = """
import pytest
from mooring import core
from mooring.testing import DriverContract, lacks, requires

class TestSqlite(DriverContract):
"""
CONFIG = """
@pytest.fixture
def config(self):
    return {"driver": "sqlite", "path": ":memory:"}
"""
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a class of tests, ``run(body, *arguments)``; return exit code and output."""

    def run(body: str, *arguments: str) -> tuple[int, str]:
        file = tmp_path / "test_my_driver.py"
        file.write_text(HEAD + indent(dedent(body), "    "))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"),
                *("--rootdir", str(tmp_path), "-c", "/dev/null", str(file)),
                *arguments,
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return run


# -- the groups ---------------------------------------------------------------


def test_no_group_hides_a_test_or_a_fixture_of_another() -> None:
    names = Counter(
        name for group in GROUPS for name in vars(group) if not name.startswith("__")
    )
    assert [name for name, times in names.items() if times > 1] == []


def test_every_group_has_tests_and_is_not_collected_by_itself() -> None:
    for group in GROUPS:
        assert not group.__name__.startswith("Test")
        assert [name for name in vars(group) if name.startswith("test_")]


# -- what is refused when the class is made ------------------------------------


def test_a_test_of_the_contract_cannot_be_overridden() -> None:
    with pytest.raises(TypeError) as caught:
        type("Mine", (DriverContract,), {"test_closing_again_does_nothing": None})

    assert str(caught.value) == (
        "Mine overrides test_closing_again_does_nothing: name a test that the driver"
        " cannot pass yet in known_failures"
    )


def test_a_known_failure_that_no_test_has_the_name_of_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        type("Mine", (DriverContract,), {"known_failures": {"test_nothing": "why"}})

    assert str(caught.value) == (
        "Mine.known_failures names test_nothing: the contract has no such test"
    )


def test_what_is_refused_fails_the_collection_of_its_file(run: Run) -> None:
    body = CONFIG + 'known_failures = {"test_nothing": "why"}\n'
    code, output = run(body, "--collect-only")

    assert code == pytest.ExitCode.INTERRUPTED
    assert "TypeError: TestSqlite.known_failures names test_nothing" in output


def test_the_contract_has_no_mark_that_its_user_must_register(run: Run) -> None:
    code, output = run(CONFIG, "--collect-only", "--strict-markers", "-W", "error")

    assert code == pytest.ExitCode.OK, output


def test_a_known_failure_is_one_of_its_class_only() -> None:
    name = "test_closing_again_does_nothing"
    known = type("Known", (DriverContract,), {"known_failures": {name: "why"}})

    assert [mark.name for mark in getattr(known, name).pytestmark] == ["xfail"]
    assert getattr(known, name) is not getattr(DriverContract, name)
    assert not hasattr(getattr(DriverContract, name), "pytestmark")


# -- what a run says ----------------------------------------------------------


def test_a_class_with_a_config_is_all_that_a_driver_needs(run: Run) -> None:
    code, output = run(CONFIG, "-k", "closing or malformed")

    assert code == pytest.ExitCode.OK, output
    assert "PASSED test_my_driver.py::TestSqlite::test_closing_again" in output


def test_a_missing_config_is_an_error_and_no_skip(run: Run) -> None:
    code, output = run("pass", "-k", "closing_again or acknowledged")

    assert code == pytest.ExitCode.TESTS_FAILED
    assert "fixture 'config' not found" in output
    assert "skipped" not in output


def test_a_config_of_a_driver_that_is_not_there_is_an_error_and_no_skip(
    run: Run,
) -> None:
    body = CONFIG.replace('"sqlite"', '"no_such_driver"')
    code, output = run(body, "-k", "closing_again or acknowledged")

    assert code == pytest.ExitCode.TESTS_FAILED
    assert "UnknownDriverError" in output
    assert "skipped" not in output


def test_a_known_failure_that_fails_is_told_with_its_reason(run: Run) -> None:
    name = "test_a_write_is_seen_by_what_shows_that_it_never_writes"
    blind = "@pytest.fixture\ndef footprint(self):\n    return lambda store: None\n"
    known = f'known_failures = {{"{name}": "see #12"}}\n'
    code, output = run(CONFIG + blind + known, "-k", name)
    plain, _ = run(CONFIG + blind, "-k", name)

    assert code == pytest.ExitCode.OK, output
    assert "1 xfailed" in output
    assert "see #12" in output
    assert plain == pytest.ExitCode.TESTS_FAILED


def test_a_known_failure_that_passes_fails_the_run(run: Run) -> None:
    name = "test_closing_again_does_nothing"
    code, output = run(
        CONFIG + f'known_failures = {{"{name}": "see #12"}}\n', "-k", name
    )

    assert code == pytest.ExitCode.TESTS_FAILED
    assert "[XPASS(strict)] see #12" in output


def test_a_known_failure_may_be_a_test_with_parameters_or_examples(run: Run) -> None:
    names = [
        "test_any_value_in_its_range_is_kept_as_it_is",
        "test_any_other_isolation_is_refused_before_anything_happens",
    ]
    known = dict.fromkeys(names, "see #12")
    code, output = run(CONFIG + f"known_failures = {known}\n", "-k", " or ".join(names))

    assert getattr(DriverContract, names[0]).is_hypothesis_test
    # They pass, each with its examples or parameters: so the run must fail.
    assert code == pytest.ExitCode.TESTS_FAILED
    told = re.findall(r"^\[XPASS\(strict\)\] see #12", output, re.MULTILINE)
    assert len(told) == 1 + 6, output


def test_what_a_store_does_not_declare_is_skipped_with_it_as_the_reason(
    run: Run,
) -> None:
    body = (
        CONFIG
        + """
@requires(core.Capability.DURABLE, core.Capability.SAVEPOINTS)
def test_what_lasts(self):
    raise AssertionError

@lacks(core.Capability.DURABLE)
def test_what_does_not_last(self, store):
    assert store.capabilities

@lacks(core.Capability.SAVEPOINTS)
def test_what_refuses_savepoints(self):
    raise AssertionError
"""
    )
    code, output = run(body, "-k", "test_what_lasts or test_what_does or refuses_save")

    assert code == pytest.ExitCode.OK, output
    assert "the store does not declare durable" in output
    assert "for stores without savepoints" in output
    assert "PASSED test_my_driver.py::TestSqlite::test_what_does_not_last" in output


def test_a_mark_needs_no_plugin_and_can_be_read() -> None:
    @requires(Capability.DURABLE, Capability.SAVEPOINTS)
    def needing() -> None: ...

    @lacks(Capability.DURABLE)
    def without() -> None: ...

    assert why_not(needing, frozenset()) == (
        "the store does not declare durable, savepoints"
    )
    assert why_not(needing, frozenset(Capability)) == ""
    assert why_not(without, frozenset(Capability)) == "for stores without durable"
    assert why_not(without, frozenset()) == ""
    assert not hasattr(needing, "pytestmark")
