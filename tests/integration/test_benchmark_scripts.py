"""The floors of the benchmarks do what mooring does: otherwise they are no floors."""

import importlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STARTS = ("first", "second")

# with_yoyo is compared in each run of the benchmarks: yoyo is not installed for tests.
FLOORS = ("by_hand", "by_hand_libraries", "by_hand_entry_points")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.work")


def started(work: Any, script: str, folder: Path, *keys: str) -> Any:
    path = folder / f"{script}.db"
    for key in keys:
        work.run_script(script, str(path), key, work.migrations())
    return work.work_in(str(path))


@pytest.mark.parametrize("floor", FLOORS)
@pytest.mark.parametrize("keys", [STARTS[:1], STARTS], ids=["cold", "cold-then-warm"])
def test_a_floor_leaves_behind_what_mooring_leaves(
    work: Any, tmp_path: Path, floor: str, keys: tuple[str, ...]
) -> None:
    ours = started(work, "with_mooring", tmp_path, *keys)
    assert started(work, floor, tmp_path, *keys) == ours
    assert len(ours.versions) == 4
    assert [row[0] for row in ours.rows] == list(keys)
    assert (ours.journal, ours.mode) == ("wal", 0o600)


def test_every_script_is_compared() -> None:
    scripts = {script.stem for script in (ROOT / "benchmarks" / "scripts").glob("*.py")}
    assert scripts == {*FLOORS, "with_mooring", "with_yoyo"}
