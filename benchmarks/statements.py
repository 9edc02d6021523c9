"""One thread on ``workflow_states``: reads and small transactions."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from mooring import core

from benchmarks import floors
from benchmarks.floors import INPUT, STATUS, WORKFLOW
from benchmarks.measure import Against, Case, Group, measure

if TYPE_CHECKING:
    from sqlite3 import Connection

    from mooring.core import SqlStore, Transaction

READ = "SELECT * FROM workflow_states WHERE workflow_exec_id = :key"
INSERT = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, input)"
    " VALUES (:key, :workflow, :status, :input)"
)
_ROWS = 1_000
# Repetitions of a case in one round.
READS, WRITES = 2_000, 100

HAND_READ = "by hand: SELECT"
HAND_SNAPSHOT = "by hand: BEGIN; SELECT; ROLLBACK"
EXECUTE_READ = "store.execute(SELECT).one()"
FIRST = "with store.read(): one SELECT"
FURTHER = "with store.read(): each further SELECT"

HAND_INSERT = "by hand: INSERT"
HAND_TRANSACTION = "by hand: BEGIN IMMEDIATE; INSERT; COMMIT"
TRANSACTION = "with store.transaction(): INSERT"
EXECUTE_INSERT = "store.execute(INSERT)"
RUN = "store.run(INSERT)"

# The bars are those of the project's goals; a comparison without one is for context.
READING = (
    Against(EXECUTE_READ, HAND_READ, 1.4),
    Against(FIRST, HAND_SNAPSHOT),
    Against(FURTHER, HAND_READ),
)
WRITING = (
    Against(TRANSACTION, HAND_TRANSACTION, 1.2),
    Against(RUN, HAND_TRANSACTION),
    Against(EXECUTE_INSERT, HAND_INSERT),
)


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield reads and writes, measured in *folder*.

    Each side has a file of its own with the same contents, so that neither waits for
    the other's locks or caches what the other wrote.
    """
    hand = os.path.join(folder, "hand.db")
    ours = os.path.join(folder, "ours.db")
    for path in (hand, ours):
        _fill(path)
    with (
        closing(floors.connect(hand)) as connection,
        core.open({"driver": "sqlite", "path": ours}) as store,
    ):
        yield _reads(connection, store, rounds)
        yield _writes(connection, store, max(rounds * 3 // 4, 1))


def _reads(connection: "Connection", store: "SqlStore", n: int) -> Group:
    keys = [f"row {number % _ROWS}" for number in range(READS)]

    def timed(work: Callable[[Sequence[str]], None]) -> Case:
        return lambda _: _seconds(work, keys)

    def further(_: int) -> float:
        with store.read() as snapshot:
            snapshot.execute(READ, {"key": keys[0]}).one()
            started = perf_counter()
            for key in keys:
                snapshot.execute(READ, {"key": key}).one()
            return (perf_counter() - started) / len(keys)

    cases = {
        HAND_READ: timed(partial(floors.read, connection)),
        EXECUTE_READ: timed(partial(_execute_read, store)),
        HAND_SNAPSHOT: timed(partial(floors.snapshot, connection)),
        FIRST: timed(partial(_snapshot, store)),
        FURTHER: further,
    }
    return measure("point read by primary key", cases, READING, n)


def _writes(connection: "Connection", store: "SqlStore", n: int) -> Group:
    def timed(name: str, work: Callable[[Sequence[str]], None]) -> Case:
        return lambda number: _seconds(
            work, [f"{name} {number} {step}" for step in range(WRITES)]
        )

    cases = {
        HAND_TRANSACTION: timed("transaction", partial(floors.transaction, connection)),
        TRANSACTION: timed("transaction", partial(_transaction, store)),
        RUN: timed("run", partial(_run, store)),
        HAND_INSERT: timed("insert", partial(floors.insert, connection)),
        EXECUTE_INSERT: timed("insert", partial(_execute_insert, store)),
    }
    return measure("one insert, synchronous FULL", cases, WRITING, n)


# -- with mooring --------------------------------------------------------------


def _execute_read(store: "SqlStore", keys: Sequence[str]) -> None:
    for key in keys:
        store.execute(READ, {"key": key}).one()


def _snapshot(store: "SqlStore", keys: Sequence[str]) -> None:
    for key in keys:
        with store.read() as snapshot:
            snapshot.execute(READ, {"key": key}).one()


def _execute_insert(store: "SqlStore", keys: Sequence[str]) -> None:
    for key in keys:
        store.execute(INSERT, _row(key))


def _transaction(store: "SqlStore", keys: Sequence[str]) -> None:
    for key in keys:
        with store.transaction() as tx:
            tx.execute(INSERT, _row(key))


def _run(store: "SqlStore", keys: Sequence[str]) -> None:
    for key in keys:
        store.run(partial(_insert, key=key))


def _insert(tx: "Transaction", key: str) -> None:
    tx.execute(INSERT, _row(key))


def _row(key: str) -> dict[str, object]:
    return {"key": key, "workflow": WORKFLOW, "status": STATUS, "input": INPUT}


def _fill(path: str) -> None:
    with (
        core.open({"driver": "sqlite", "path": path}) as store,
        store.transaction() as tx,
    ):
        for number in range(_ROWS):
            tx.execute(INSERT, _row(f"row {number}"))


def _seconds(work: Callable[[Sequence[str]], None], keys: Sequence[str]) -> float:
    """Return the seconds that *work* needs for one of the keys."""
    started = perf_counter()
    work(keys)
    return (perf_counter() - started) / len(keys)
