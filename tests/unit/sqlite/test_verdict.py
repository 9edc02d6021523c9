"""The verdict on a database after faults finds what it is there to find."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from mooring import core
from sqlite_faults.ledger import Ledger
from sqlite_faults.verdict import missing, problems
from sqlite_faults.workload import prepare, step


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., tuple[Path, Ledger]]:
    """Write ten transactions, then do something to them: ``written(*statements)``."""

    def run(*statements: str) -> tuple[Path, Ledger]:
        ledger = Ledger()
        with core.open({"driver": "sqlite", "path": str(tmp_path / "app.db")}) as store:
            assert isinstance(store, core.SqlStore)
            prepare(store, 1)
            for number in range(1, 11):
                random = Random(number)  # noqa: S311 - to be repeated
                name, commit = step(store, 0, number, random)
                commit()
                ledger.acknowledged.append(name)
            for statement in statements:
                store.execute(statement)
        return tmp_path / "app.db", ledger

    return run


Written = Callable[..., tuple[Path, Ledger]]
PAIR = "pair-0-"
SINGLE = "single-0-"


def number_of(ledger: Ledger, kind: str) -> str:
    """Return the name of the first of a kind."""
    return next(name for name in ledger.acknowledged if name.startswith(kind))


def test_what_is_whole_has_no_problem(written: Written) -> None:
    path, ledger = written()

    assert {name[:4] for name in ledger.acknowledged} == {"pair", "sing"}
    assert problems(path, ledger) == []
    assert missing(path, ledger) == 0


def test_what_was_acknowledged_and_is_gone_is_lost(written: Written) -> None:
    path, ledger = written("DELETE FROM users WHERE id LIKE 'single-%'")
    singles = [n for n in ledger.acknowledged if n.startswith(SINGLE)]

    assert problems(path, ledger) == [f"lost: {name}" for name in singles]
    assert problems(path, ledger, lost=True) == []
    assert missing(path, ledger) == len(singles)


def test_what_was_refused_and_is_there_is_told(written: Written) -> None:
    path, ledger = written()
    name = ledger.acknowledged.pop()
    ledger.refused[name] = "StorageError"

    assert problems(path, ledger) == [f"kept, though refused: {name}"]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM api_keys WHERE id LIKE 'pair-%'", "without its key"),
        ("DELETE FROM users WHERE id LIKE '%-twin'", "without single-0-"),
        ("UPDATE users SET email = 'tally-0-0' WHERE id = 'tally-0'", "is tally-0-0"),
        ("DELETE FROM api_keys WHERE user_id = 'tally-0'", "set()"),
    ],
)
def test_a_half_is_told(written: Written, statement: str, found: str) -> None:
    path, ledger = written(statement)
    told = problems(path, ledger)

    assert told
    assert all(problem.startswith("half: ") for problem in told)
    assert found in told[0]


def test_damage_is_told_and_everything_lost_with_it(written: Written) -> None:
    path, ledger = written()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xa5" * len(data[4096:])
    path.write_bytes(data)

    assert problems(path, ledger)[0].startswith(("DatabaseError", "integrity"))
    assert missing(path, ledger) == len(ledger.acknowledged)
