"""SQLite, one thread: reads and small transactions."""

import os
from collections.abc import Iterator
from contextlib import closing

from mooring import core

from benchmarks import sqlite_by_hand
from benchmarks.measure import Against, Group, measure
from benchmarks.sqlite_by_hand import SqliteByHand
from benchmarks.workload import (
    EXECUTE_READ,
    HAND_READ,
    HAND_TRANSACTION,
    READING,
    TRANSACTION,
    WRITING,
    Mooring,
    compare_sides,
    fill,
    read_cases,
    write_cases,
)

# Repetitions of a case in one round.
READS, WRITES = 2_000, 100

# The bars are those of the project's goals.
_READING = (Against(EXECUTE_READ, HAND_READ, 1.4), *READING)
_WRITING = (Against(TRANSACTION, HAND_TRANSACTION, 1.2), *WRITING)


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield reads and writes, measured in *folder*.

    Each side has a file of its own with the same contents, so that neither waits for
    the other's locks or caches what the other wrote.

    Raises:
        SystemExit: The two sides do not do the same work.
    """
    by_hand, with_mooring = (
        os.path.join(folder, name) for name in ("by_hand.db", "with_mooring.db")
    )
    for path in (by_hand, with_mooring):
        with core.open({"driver": "sqlite", "path": path}) as store:
            fill(store)
    with (
        closing(sqlite_by_hand.connect(by_hand)) as connection,
        core.open({"driver": "sqlite", "path": with_mooring}) as store,
    ):
        hand, ours = SqliteByHand(connection), Mooring(store)
        compare_sides(hand, ours)
        cases = read_cases([hand], [ours], READS)
        yield measure("sqlite: point read by primary key", cases, _READING, rounds)
        cases = write_cases([hand], [ours], WRITES)
        name = "sqlite: one insert, synchronous FULL"
        yield measure(name, cases, _WRITING, max(rounds * 3 // 4, 1))
