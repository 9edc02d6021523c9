"""A disk that fails: typed errors, nothing acknowledged lost, and the store goes on.

SQLite's own tests fail the n-th operation, too (sqlite.org/testing.html, "I/O Error
Testing"); here they go through the driver, from several threads.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlite_faults.ledger import Ledger
from sqlite_faults.verdict import present, problems

Loop = Callable[[int, int], tuple[int, Random]]
Report = Callable[[str], None]
StartProgram = Callable[..., "subprocess.Popen[str]"]
Options = dict[str, object]

ROOT = Path(__file__).parents[3]
FAULTS = ROOT / "tests" / "faults"

# What fails, when, and what was done of it nevertheless.
FAILURES = [
    *(
        (when, "write", code, done)
        for when in ("open", "work", "work", "close")
        for code in ("SQLITE_IOERR_WRITE", "SQLITE_FULL")
        for done in ("nothing", "half")
    ),
    *(
        (when, "sync", code, done)
        for when in ("open", "work", "work", "close")
        for code in ("SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC")
        for done in ("nothing", "all")
    ),
    ("work", "truncate", "SQLITE_IOERR_TRUNCATE", "nothing"),
    ("close", "truncate", "SQLITE_IOERR_TRUNCATE", "nothing"),
    ("open", "open", "SQLITE_CANTOPEN", "nothing"),
    ("open", "delete", "SQLITE_IOERR_DELETE", "nothing"),
    ("close", "delete", "SQLITE_IOERR_DELETE", "nothing"),
]
# What a transaction may be told for it. A failure in a checkpoint is told to nobody:
# what was committed is safe in the log.
ANSWERS = {
    "SQLITE_IOERR_WRITE": {"StorageError"},
    "SQLITE_FULL": {"StorageFullError"},
}


def cases(count: int, random: Random, groupings: list[Options]) -> Iterator[Options]:
    """Yield cases for `sqlite_faults.io_errors`, without their paths."""
    for number in range(count):
        if number % len(FAILURES) == 0:
            order = random.sample(FAILURES, len(FAILURES))
        when, operation, code, done = order[number % len(FAILURES)]
        often = when == "work" and operation != "truncate"
        yield {
            "while": when,
            "seed": random.random(),
            "code": code,
            "config": {"driver": "sqlite", **random.choice(groupings)},
            "fault": {
                "operation": operation,
                "code": getattr(sqlite3, code),
                "every": random.choice((1, 2, 3, 5, 8, 13, 40)) if often else 1,
                "most": random.choice((None, None, 1, 3)),
                "kinds": [],
                "done": done,
            },
        }


def copy_of(path: Path, folder: Path) -> Path:
    """Copy a database with its log; the process that has it open stands still."""
    folder.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        if path.with_name(name).exists():
            shutil.copy(path.with_name(name), folder / name)
    return folder / path.name


@pytest.mark.needs_sqlite_shim
@pytest.mark.soak
def test_a_disk_that_fails_is_told_truly_and_the_store_goes_on(
    start_program: StartProgram,
    groupings: list[Options],
    loop: Loop,
    report: Report,
    tmp_path: Path,
) -> None:
    count, random = loop(len(FAILURES), 300)
    program = start_program("io_errors")
    assert program.stdin is not None
    assert program.stdout is not None
    fired: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for number, case in enumerate(cases(count, random, groupings)):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "app.db"
        config: Any = case["config"]
        config["path"] = str(path)
        program.stdin.write(f"{json.dumps(case)}\n")
        program.stdin.flush()
        assert program.stdout.readline() == "written\n", program.communicate()[1]
        image = copy_of(path, tmp_path / f"{number}-killed")
        program.stdin.write("\n")
        program.stdin.flush()
        answer = json.loads(program.stdout.readline())
        ledger = Ledger(**answer["ledger"])

        assert ledger.unexpected == [], case
        assert problems(path, ledger) == [], case
        # As a kill would have left it, with what it wrote in vain in the log.
        assert problems(image, ledger) == [], case
        if case["while"] == "work":
            assert answer["failed"]["after"] == "", case
            # That was committed, and took the place in the log of what was unknown.
            assert not present(path) & set(ledger.unknown), case
        if config.get("group_commit", "off") == "off":
            told = set(ledger.refused.values())
            assert told <= ANSWERS.get(str(case["code"]), set()), case
        for what in ("refused", "unknown", "acknowledged"):
            totals[what] += len(answer["ledger"][what])
        totals["unknown and there"] += len(present(image) & set(ledger.unknown))
        totals["failures"] += answer["failures"]
        totals["shared a COMMIT"] += max(answer["shared"], 0)
        fault: Any = case["fault"]
        fired[fault["operation"]] += answer["failures"] > 0
        shutil.rmtree(folder)
        shutil.rmtree(image.parent)
    program.stdin.close()
    errors = program.stderr.read() if program.stderr else ""

    report(
        f"{count} runs, {sum(fired.values())} met their fault ({dict(fired)}):"
        f" {dict(totals)}; none lost, none half there, none kept that was refused"
    )
    assert (program.wait(), errors) == (0, "")
    assert {"open", "write", "sync", "truncate", "delete"} == set(+fired)
    assert totals["refused"]
    assert totals["unknown"]
    assert (totals["shared a COMMIT"] > 0) == (len(groupings) > 1)


@pytest.mark.needs_small_disk
@pytest.mark.soak
def test_a_small_disk_that_is_full_keeps_what_was_acknowledged_and_may_grow(
    apart: tuple[str, ...],
    grouping: Options,
    loop: Loop,
    report: Report,
    tmp_path: Path,
) -> None:
    count, random = loop(1, 20)
    totals: Counter[str] = Counter()
    for _ in range(count):
        config = {"driver": "sqlite", "path": str(tmp_path / "app.db"), **grouping}
        task = {
            "config": config,
            "seed": random.random(),
            "kilobytes": random.randint(600, 3000),
        }
        code = (
            f"import sys; sys.path.insert(0, {str(FAULTS)!r})\n"
            "from sqlite_faults.full_disk import main; main()"
        )
        done = subprocess.run(
            [*apart, sys.executable, "-c", code, json.dumps(task)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.stderr == ""
        answer = json.loads(done.stdout)
        ledger = Ledger(**answer["ledger"])

        assert ledger.unexpected == []
        assert answer["problems"] == []
        assert answer["after"] == ""
        assert answer["files"] == ["app.db", "app.db-mooring.lock"]
        told = set(ledger.refused.values())
        assert "StorageFullError" in told
        # A block whose group was lost to that of another is told to begin again.
        blocks = (
            {"SerializationError"} if grouping.get("group_commit") == "all" else set()
        )
        assert told - {"StorageFullError"} <= blocks
        assert len(ledger.acknowledged) > answer["while full"] > 0
        totals["acknowledged"] += answer["while full"]
        totals["refused"] += len(ledger.refused)
    report(f"{count} full disks: {dict(totals)}, none lost, each store went on")
