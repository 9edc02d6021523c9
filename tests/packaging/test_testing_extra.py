"""``mooring[testing]`` installed beside a project that has nothing to do with it."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

import pytest

FIXTURES = "mooring.testing.fixtures"

# A project's own tests: they pass, fail, warn and take part in plugins of its own.
TESTS = """
import sys
import warnings
import pytest
from hypothesis import given, strategies as st

def test_passes(): pass
def test_fails(): assert [1, 2] == [1, 3]
def test_warns(): warnings.warn("of its own")
@given(st.integers())
def test_draws(n): assert n == n
def test_nothing_of_mooring_is_loaded():
    assert not [name for name in sys.modules if name.startswith("mooring")]
"""


class Seen(NamedTuple):
    """What a run of the project's tests shows."""

    code: int
    output: str
    plugins: list[str]


Look = Callable[[Path], Seen]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Run the project's tests in an environment, and show what does not vary."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_own.py").write_text(TESTS)
    (project / "pytest.ini").write_text("[pytest]\n")
    ours = ("PYTEST", "MOORING_", "PYTHON", "VIRTUAL_ENV")
    env = {key: text for key, text in os.environ.items() if not key.startswith(ours)}

    def call(python: Path, *args: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [python, "-m", "pytest", "-p", "no:cacheprovider", *args],
            cwd=project,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def look(python: Path) -> Seen:
        done = call(python, "-v")
        plain = done.stdout.replace(str(python.parent.parent), "ENVIRONMENT")
        output = re.sub(r"\d+\.\d+s", "TIME", plain) + done.stderr
        listed = call(python, "--trace-config", "--collect-only").stdout
        # A plugin without a name has its address instead.
        names = re.findall(r"^ {4}([a-z_]\S*) +:", listed, re.MULTILINE)
        return Seen(done.returncode, output, names)

    return look


def test_the_extra_changes_nothing_in_an_unrelated_projects_tests(
    install: Callable[..., Path], with_testing: Path, look: Look
) -> None:
    without = look(install("pytest", "hypothesis"))
    beside = look(with_testing)

    assert "4 passed, 1 warning" in without.output
    assert without.code == 1
    assert any("hypothesis" in name for name in without.plugins)
    assert beside == without


def test_a_driver_from_its_wheel_is_checked_outside_the_tree(
    with_testing: Path, run: Callable[..., str]
) -> None:
    code = """
        import sys
        from mooring.cli import main

        sys.argv[1:] = ["driver", "check", "sqlite", "--group", "savepoints", "--json"]
        main()
        """
    (found,) = json.loads(run(with_testing, code))["runs"]

    assert (found["driver"], found["distribution"]) == ("sqlite", "mooring_sqlite")
    assert found["counts"]["passed"] >= 16
    assert found["findings"] == []


def test_an_application_is_tested_on_the_one_driver_that_is_installed(
    with_testing: Path, tmp_path: Path
) -> None:
    tests = """
        import sys

        def test_fresh(store): print("RAN", store.driver, store.config.path)
        def test_undone(store_rollback): print("RAN", store_rollback.driver)
        def test_the_contract_is_not_waited_for():
            assert "mooring.testing.contract" not in sys.modules
        """
    (tmp_path / "test_app.py").write_text(dedent(tests))
    done = subprocess.run(
        [with_testing, "-I", "-m", "pytest", "-q", "-rP", "-p", FIXTURES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("RAN sqlite") == 2
