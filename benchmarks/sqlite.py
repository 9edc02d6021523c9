"""SQLite, one thread: reads and small transactions."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

from mooring import core

from benchmarks import sqlite_by_hand, sqlite_peers, tasks
from benchmarks.measure import PER_SECOND, Against, Case, Group, measure
from benchmarks.peers import AIOSQLITE, APSW, PEEWEE, SQLALCHEMY, not_measured
from benchmarks.sqlite_by_hand import SqliteByHand
from benchmarks.workload import (
    EXECUTE_READ,
    FIRST,
    FURTHER,
    HAND_READ,
    HAND_SNAPSHOT,
    HAND_TRANSACTION,
    KEYS,
    TRANSACTION,
    WRITING,
    Mooring,
    Work,
    compare_sides,
    fill,
    read_cases,
    reads,
    write_cases,
    writes,
)

# Repetitions of a case in one round.
READS, WRITES = 2_000, 100

_PEERS: Mapping[str, Callable[[str], Any]] = {
    SQLALCHEMY: sqlite_peers.SqlAlchemyCore,
    PEEWEE: sqlite_peers.Peewee,
    AIOSQLITE: sqlite_peers.AioSqlite,
    APSW: sqlite_peers.Apsw,
}

HAND_SMALL = "by hand: BEGIN IMMEDIATE .. COMMIT"
SMALL = "with store.transaction()"
SMALL_RUN = "store.run()"
SYNCHRONOUS = ("full", "normal", "off")

# The bars are those of the project's goals; a comparison without one is for context.
_READING = (
    Against(EXECUTE_READ, HAND_READ, 1.2),
    Against(FIRST, HAND_READ, 1.5),
    Against(FIRST, HAND_SNAPSHOT),
    Against(FURTHER, HAND_READ, 1.1),
    *(Against(peer, HAND_READ) for peer in _PEERS),
)
_WRITING = (Against(TRANSACTION, HAND_TRANSACTION, 1.2), *WRITING)
_SMALL = (Against(SMALL, HAND_SMALL, 0.95), Against(SMALL_RUN, HAND_SMALL))


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield reads and writes, measured in *folder*.

    Each side has a file of its own with the same contents, so that neither waits for
    the other's locks or caches what the other wrote.

    Raises:
        SystemExit: Two sides do not do the same work.
    """
    yield _point_reads(folder, rounds)
    yield _inserts(folder, max(rounds * 3 // 4, 1))
    yield _small_transactions(folder, max(rounds * 3 // 4, 1))
    yield _synchronous(folder, max(rounds // 2, 1))


def _point_reads(folder: str, rounds: int) -> Group:
    absent = not_measured(*_PEERS)
    with ExitStack() as stack:

        def file(name: str) -> str:
            path = os.path.join(folder, f"read {name}.db")
            with core.open({"driver": "sqlite", "path": path}) as store:
                tasks.fill(store, parents=1, tasks=len(KEYS))
            return path

        connection = stack.enter_context(
            closing(sqlite_by_hand.connect(file("by hand")))
        )
        hand = SqliteByHand(connection, tasks.READ_BY_POSITION)
        store = stack.enter_context(
            core.open({"driver": "sqlite", "path": file("with mooring")})
        )
        ours = Mooring(store, tasks.READ)
        peers: dict[str, Work] = {
            name: stack.enter_context(closing(make(file(name)))).read
            for name, make in _PEERS.items()
            if name not in absent
        }
        _compare([hand.read, hand.snapshot, ours.read, ours.snapshot, ours.further])
        _compare([hand.read, *peers.values()])
        cases = read_cases([hand], [ours], READS)
        cases |= {
            name: reads([read], READS // (10 if name == AIOSQLITE else 1))
            for name, read in peers.items()
        }
        return measure(
            "sqlite-read",
            "sqlite: point read of a task by primary key",
            cases,
            _READING,
            rounds,
            not_measured=absent,
        )


def _compare(works: Sequence[Work]) -> None:
    """Make sure that all read the same row; its times differ between files."""
    found = [list(work(KEYS[:3]))[:15] for work in works]
    if found[0][2] != KEYS[2] or any(row != found[0] for row in found):
        raise SystemExit(f"they do not read the same: {found}")


def _inserts(folder: str, rounds: int) -> Group:
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
        return measure(
            "sqlite-insert",
            "sqlite: one insert, synchronous FULL",
            write_cases([hand], [ours], WRITES),
            _WRITING,
            rounds,
        )


def _small_transactions(folder: str, rounds: int) -> Group:
    """Measure as often a second: each case on a file of its own."""
    with ExitStack() as stack:
        connection = stack.enter_context(
            closing(sqlite_by_hand.connect(_task_file(folder, "small by hand")))
        )
        stores = [
            stack.enter_context(
                core.open({"driver": "sqlite", "path": _task_file(folder, name)})
            )
            for name in ("small transaction", "small run")
        ]
        works = {
            HAND_SMALL: partial(_by_hand, connection),
            SMALL: partial(_in_transactions, stores[0]),
            SMALL_RUN: partial(_in_runs, stores[1]),
        }
        return measure(
            "sqlite-small",
            "sqlite: one small transaction, synchronous FULL",
            {name: _a_second(work) for name, work in works.items()},
            _SMALL,
            rounds,
            unit=PER_SECOND,
        )


def _synchronous(folder: str, rounds: int) -> Group:
    """Measure the same transaction under each setting of ``synchronous``."""
    with ExitStack() as stack:
        cases = {}
        for name in SYNCHRONOUS:
            path = _task_file(folder, name)
            config = {"driver": "sqlite", "path": path, "synchronous": name}
            store = stack.enter_context(core.open(config))
            cases[name] = _a_second(partial(_in_transactions, store))
        return measure(
            "sqlite-synchronous",
            "sqlite: one small transaction, by synchronous",
            cases,
            [Against(name, SYNCHRONOUS[0]) for name in SYNCHRONOUS[1:]],
            rounds,
            unit=PER_SECOND,
        )


def _task_file(folder: str, name: str) -> str:
    path = os.path.join(folder, f"{name}.db")
    with core.open({"driver": "sqlite", "path": path}) as store:
        tasks.fill(store, parents=1)
    return path


def _a_second(work: Work) -> Case:
    seconds = writes([work], WRITES)
    return lambda number: 1 / seconds(number)


def _by_hand(connection: sqlite3.Connection, keys: Sequence[str]) -> Any:
    above = tasks.parent(0)
    for key in keys:
        tasks.write_by_hand(connection, key, above)


def _in_transactions(store: "core.SqlStore", keys: Sequence[str]) -> Any:
    above = tasks.parent(0)
    for key in keys:
        with store.transaction() as tx:
            tasks.write(tx, key, above)


def _in_runs(store: "core.SqlStore", keys: Sequence[str]) -> Any:
    above = tasks.parent(0)
    for key in keys:
        store.run(partial(tasks.write, key=key, above=above))
