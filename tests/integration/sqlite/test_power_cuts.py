"""What a power cut costs, under each setting of ``synchronous``.

A process writes on a disk that remembers each write, truncation and sync, and when
transactions were acknowledged. The disk is put together again as it may be after a cut
at some moment: what was not synced is dropped, reordered or torn. ``kill -9`` shows
none of this: what a process has written is the operating system's, synced or not.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

import pytest
from mooring import core
from sqlite_faults.ledger import Ledger
from sqlite_faults.verdict import missing, problems
from sqlite_faults.workload import ADD_USER

Loop = Callable[[int, int], tuple[int, Random]]
Report = Callable[[str], None]
CutPower = Callable[..., Counter[str]]

# How many cuts `make test` makes.
SHORT = 16

pytestmark = [pytest.mark.needs_sqlite_shim, pytest.mark.soak]


def damage(path: Path, ledger: Ledger) -> list[str]:
    """Open what a power cut left, write to it, and return what is wrong with it."""
    found = problems(path, ledger, lost=True)
    try:
        with core.open({"driver": "sqlite", "path": str(path)}) as store:
            store.execute(ADD_USER, {"id": "after"})
    except core.MooringError as error:
        return [*found, repr(error)]
    return found + problems(path, ledger, lost=True)


@pytest.fixture
def cut_power(
    start_program: Callable[..., "Popen[str]"],
    loop: Loop,
    report: Report,
    tmp_path: Path,
) -> CutPower:
    """Write with these options, and cut the power: ``cut_power(**options)``.

    Without *writes*, it is only opened, as a new database, closed and opened again.

    It returns how many cuts there were, how many lost something, how many left damage,
    and the most transactions that one lost; and how many were acknowledged in all, for
    how many syncs of the log.
    """

    def run(*, writes: bool = True, **options: object) -> Counter[str]:
        count, random = loop(SHORT, 200)
        live = tmp_path / "live"
        live.mkdir()
        task = {
            "config": {"driver": "sqlite", "path": str(live / "app.db"), **options},
            "seed": random.random(),
            "cuts": count,
            "workers": 8,
            "numbers": 0 if not writes else 12 if count == SHORT else 40,
        }
        program: Any = start_program("recorded", task)
        head = program.stdout.readline()
        assert head, program.communicate()[1]
        found = Counter(cuts=count, lost=0, damaged=0, most=0, **json.loads(head))
        examples = []
        for number in range(count):
            folder = tmp_path / str(number)
            folder.mkdir()
            program.stdin.write(f"{folder}\n")
            program.stdin.flush()
            answer = json.loads(program.stdout.readline())
            ledger = Ledger(acknowledged=answer["noted"])
            gone = missing(folder / "app.db", ledger)
            wrong = damage(folder / "app.db", ledger)
            found["lost"] += gone > 0
            found["most"] = max(found["most"], gone)
            found["damaged"] += bool(wrong)
            if wrong:
                examples.append((answer["mode"], wrong[0]))
        report(f"{options}: {dict(found)} {examples[:2]}")
        assert program.communicate()[1] == ""
        return found

    return run


def test_at_full_nothing_that_was_acknowledged_is_lost(
    cut_power: CutPower, grouping: dict[str, object]
) -> None:
    found = cut_power(synchronous="full", **grouping)

    assert (found["lost"], found["damaged"]) == (0, 0)
    # Whether transactions shared a COMMIT, which was to be shown for both.
    shares = grouping.get("group_commit", "off") != "off"
    assert (found["syncs"] < found["acknowledged"]) == shares


@pytest.mark.parametrize("synchronous", ["full", "normal"])
def test_a_first_open_leaves_a_database_that_opens(
    cut_power: CutPower, synchronous: str
) -> None:
    found = cut_power(synchronous=synchronous, writes=False)

    assert found["damaged"] == 0
    assert found["acknowledged"] == 0


def test_at_normal_the_last_are_lost_and_nothing_is_damaged(
    cut_power: CutPower, grouping: dict[str, object]
) -> None:
    found = cut_power(synchronous="normal", **grouping)

    # Otherwise the cuts are none, and what is shown above means nothing.
    assert found["lost"] > 0
    assert found["damaged"] == 0


def test_off_loses_the_last_or_the_database(cut_power: CutPower) -> None:
    found = cut_power(synchronous="off")

    assert found["lost"] > 0
    # One of ten or so is damaged: the few cuts of `make test` may miss that.
    assert found["damaged"] > 0 or found["cuts"] < 200
