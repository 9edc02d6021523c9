"""The long run finds what it is for: what was lost, what is torn, what grows."""

import importlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from mooring import core

ROOT = Path(__file__).parents[2]
ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
Loop = Callable[[int, int], tuple[int, Random]]


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.mark.soak
def test_a_run_kills_backs_up_and_loses_nothing(
    benchmarks: Any,
    tmp_path: Path,
    loop: Loop,
    report: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    seconds, random = loop(4, 600)
    answer = benchmarks("soak").main(
        [
            *("--minutes", str(seconds / 60), "--seed", str(random.randrange(2**32))),
            *("--json", str(tmp_path / "soak.json"), "--folder", str(tmp_path)),
        ]
    )
    report(capsys.readouterr().out)
    found = json.loads((tmp_path / "soak.json").read_text())
    plot = ElementTree.parse(tmp_path / "soak.svg").getroot()  # noqa: S314 - our own

    assert found["errors"] == []
    assert found["kills"] >= 2
    assert found["told"] > 0
    assert found["told and killed"] > 0
    assert {"commits", "reads", "snapshots", "backups"} <= found["counts"].keys()
    assert len(found["verdicts"]) == 5
    assert len(plot.findall("{*}polyline")) == 5
    # In a few seconds nothing is warm, and each line may rise.
    assert answer == 0 or seconds < 60


def fill(path: Path, numbers: range, benchmarks: Any) -> None:
    with core.open({"driver": "sqlite", "path": str(path)}) as store:
        for number in numbers:
            row = benchmarks("acknowledged").row_id(0, number)
            store.execute(ADD, {"id": row})


@pytest.mark.parametrize(
    ("numbers", "told", "says"),
    [
        (range(1, 10), 9, []),
        (range(1, 10), 8, []),  # committed, and killed before it was told
        (range(1, 10), 10, ["9 is the last"]),
        (range(1, 10), 7, ["9 is the last"]),
        (range(2, 10), 9, ["some are missing"]),
        (range(0), 1, ["0 is the last"]),
    ],
)
def test_what_was_told_and_is_not_there_is_found(
    benchmarks: Any, tmp_path: Path, numbers: range, told: int, says: list[str]
) -> None:
    fill(tmp_path / "app.db", numbers, benchmarks)
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        found = benchmarks("acknowledged").problems(connection, [told], [told])

    assert len(found) == len(says)
    assert all(word in one for word, one in zip(says, found, strict=True))


def test_what_was_told_is_kept_beside_the_process(
    benchmarks: Any, tmp_path: Path
) -> None:
    first = benchmarks("acknowledged").Acknowledged(str(tmp_path / "told"), 3)
    first.note(1, 70_000)
    second = benchmarks("acknowledged").Acknowledged(str(tmp_path / "told"), 3)

    assert second.numbers() == [0, 70_000, 0]
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("memory", "flat"),
    [
        (lambda at: 100.0 + at * 0, True),
        (lambda at: 50.0 if at < 50 else 100.0, True),  # caches that filled
        (lambda at: 100.0 + at % 7, True),
        (lambda at: 100.0 + at / 10, False),
        (lambda at: 100.0 - at / 10, True),
    ],
)
def test_a_line_that_rises_in_the_second_half_is_not_flat(
    benchmarks: Any, memory: Callable[[float], float], flat: bool
) -> None:
    module = benchmarks("samples")
    samples = [
        module.Sample(at, memory(at), 20, 10, 4.0, 1.0) for at in map(float, range(101))
    ]
    found = module.verdicts(samples)

    assert [one.flat for one in found] == [flat, True, True, True, True]
    with pytest.raises(ValueError, match="too few"):
        module.verdicts(samples[:12])
