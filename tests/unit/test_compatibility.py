"""The table of drivers says what their reports say, and these are of this contract."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from mooring import __version__
from mooring.testing.check import group_names

DOCS = Path(__file__).parents[2] / "docs"
REPORTS = sorted((DOCS / "reference" / "reports").glob("*.json"))


@pytest.fixture
def compatibility(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The extension of the documentation, which is no package."""
    pytest.importorskip("sphinx")
    monkeypatch.setattr(sys, "path", [str(DOCS / "_ext"), *sys.path])
    import compatibility  # type: ignore[import-not-found]  # found by the line above

    return compatibility


def run(name: str, **changes: object) -> dict[str, Any]:
    return {
        "class": f"tests.test_contract.{name}",
        "driver": "acme",
        "version": "1.2",
        "sql": True,
        "verdict": "conformant",
        "capabilities": {"declared": ["savepoints"], "present": ["savepoints"]},
        "counts": {"passed": 580, "not_applicable": 9},
        "findings": [],
        **changes,
    }


def report(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"schema": 1, "core": {"version": "0.1.0", "api": 1}, "runs": list(runs)}


def test_each_class_of_tests_is_a_row(compatibility: Any) -> None:
    head, rule, first, second = compatibility.lines(
        [report(run("TestFile"), run("TestMemory", verdict="not conformant"))]
    )

    assert head.startswith("| driver | tests in | verdict |")
    assert rule == "| - | - | - | - | - | - |"
    assert first == (
        "| acme 1.2, mooring 0.1.0 | `TestFile` | conformant | 580 | 9 |"
        " `cascading_foreign_keys`, `concurrent_snapshots`, `durable`,"
        " `multi_process`, `serializable`, `transactional_ddl` |"
    )
    assert "| `TestMemory` | not conformant |" in second


def test_a_store_that_speaks_no_sql_does_not_have_it(compatibility: Any) -> None:
    *_, row = compatibility.lines([report(run("TestNotes", sql=False))])

    assert row.endswith(
        "| SQL, `cascading_foreign_keys`, `concurrent_snapshots`, `durable`,"
        " `multi_process`, `serializable`, `transactional_ddl` |"
    )


def test_known_gaps_stand_below_with_their_reasons(compatibility: Any) -> None:
    gap = {"test": "test_a[x]", "message": "the engine | has\nnone"}
    *_, empty, head, rule, row = compatibility.lines(
        [report(run("TestFile", findings=[gap]))]
    )

    assert (empty, head) == ("", "| driver | does not pass | because |")
    assert rule == "| - | - | - |"
    assert row == "| acme | `test_a[x]` | the engine \\| has none |"


def test_a_report_of_another_schema_is_refused(
    compatibility: Any, tmp_path: Path
) -> None:
    (tmp_path / "old.json").write_text('{"schema": 0}')

    with pytest.raises(ValueError, match="make reports"):
        compatibility.read(tmp_path / "old.json")


def test_there_is_a_report_of_each_driver_of_this_repository() -> None:
    classes = (DOCS.parent / "tests" / "contract").glob("test_*.py")
    wanted = {file.stem.removeprefix("test_") for file in classes}

    assert wanted <= {file.stem for file in REPORTS}


@pytest.mark.parametrize("file", REPORTS, ids=lambda file: file.stem)
def test_a_report_is_whole_and_of_the_contract_as_it_is(file: Path) -> None:
    found = json.loads(file.read_text())
    groups = {
        group["name"]
        for run in found["runs"]
        for group in run["groups"]
        if not group["not_run"]
    }

    assert found["verdict"] in ("conformant", "conformant with known gaps")
    assert found["core"]["version"] == __version__
    assert groups == set(group_names()), "run make reports"
    assert all(run["complete"] for run in found["runs"])


@pytest.mark.parametrize("file", REPORTS, ids=lambda file: file.stem)
def test_a_report_shows_no_path_of_the_machine_that_made_it(file: Path) -> None:
    found = json.loads(file.read_text())
    places = [finding["where"] for run in found["runs"] for finding in run["findings"]]

    assert not [place for place in places if Path(place).is_absolute()]
