"""The contract on mutants, in a process that finds them as installed drivers."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from mutant_drivers import CONTROLS, MUTANTS

HERE = Path(__file__).parent
CONTRACT = HERE / "contract_of_mutants.py"

# By driver and name of a test, the outcomes of its cases: passed, failed, skipped, or
# error outside of the test itself.
Outcomes = dict[str, dict[str, set[str]]]
RunContract = Callable[..., Outcomes]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose metadata makes the mutants entry points of a distribution."""
    folder = tmp_path_factory.mktemp("installed")
    metadata = folder / "mutant_drivers-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: mutant-drivers\nVersion: 1\n"
    )
    lines = [f"{name} = mutant_drivers:{name}" for name in [*CONTROLS, *MUTANTS]]
    (metadata / "entry_points.txt").write_text(
        "\n".join(["[mooring.drivers]", *lines, ""])
    )
    return folder


@pytest.fixture(scope="session")
def run_contract(
    installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunContract:
    """Run tests of the contract, ``run_contract([(driver, test), ...])``.

    The name "" of a test is all of them. *plugins* are modules of `mutant_drivers`.
    """

    def run_contract(tests: Iterable[tuple[str, str]], *plugins: str) -> Outcomes:
        report = tmp_path_factory.mktemp("report") / "report.xml"
        nodes = [
            f"{CONTRACT}::Test_{driver}" + (f"::{test}" if test else "")
            for driver, test in tests
        ]
        with_plugins = [
            f"-pmutant_drivers.{name}" for name in ("_only_named", *plugins)
        ]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(installed), str(HERE)))}
        quiet = ("-q", "--tb=no", "-p", "no:cacheprovider", "--timeout=60")
        command = (sys.executable, "-m", "pytest", *quiet, f"--junitxml={report}")
        done = subprocess.run(
            [*command, *with_plugins, *nodes],
            env=env,
            cwd=HERE.parents[1],
            capture_output=True,
            text=True,
        )
        # 0 and 1: it ran to its end, and nothing or something failed.
        assert done.returncode in (0, 1), done.stdout + done.stderr
        print(done.stdout)  # noqa: T201 - shown beside a failure
        return _outcomes(report)

    return run_contract


def _outcomes(report: Path) -> Outcomes:
    found: Outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - of our making
        driver = case.attrib["classname"].rpartition(".Test_")[2]
        test = case.attrib["name"].partition("[")[0]
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        words = {"failure": "failed"}
        outcomes = {words.get(kind, kind) for kind in kinds} or {"passed"}
        found.setdefault(driver, {}).setdefault(test, set()).update(outcomes)
    return found
