"""What is done with ``workflow_states``, the same on each engine; mooring's side of it.

Its SQL is portable, so the suites of the engines differ in the other side only.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Barrier
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.measure import Against, Case

if TYPE_CHECKING:
    from mooring.core import SqlStore, Transaction

READ = "SELECT * FROM workflow_states WHERE workflow_exec_id = :key"
INSERT = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, input)"
    " VALUES (:key, :workflow, :status, :input)"
)
# The columns that no clock fills come first.
_COMPARED = 7

HAND_READ = "by hand: SELECT"
HAND_SNAPSHOT = "by hand: SELECT in a transaction"
EXECUTE_READ = "store.execute(SELECT).one()"
FIRST = "with store.read(): one SELECT"
FURTHER = "with store.read(): each further SELECT"

HAND_INSERT = "by hand: INSERT"
HAND_TRANSACTION = "by hand: INSERT in a transaction"
TRANSACTION = "with store.transaction(): INSERT"
EXECUTE_INSERT = "store.execute(INSERT)"
RUN = "store.run(INSERT)"

# Comparisons for context: no goal of the project is about them.
READING = (Against(FIRST, HAND_SNAPSHOT), Against(FURTHER, HAND_READ))
WRITING = (Against(RUN, HAND_TRANSACTION), Against(EXECUTE_INSERT, HAND_INSERT))

# Does the same with each of the keys; a read returns the last row.
Work = Callable[[Sequence[str]], Any]

KEYS = tuple(f"row {number}" for number in range(1_000))
_numbers = count()


class Contender(Protocol):
    """A way to reach the table, as one thread uses it."""

    def read(self, keys: Sequence[str]) -> Any:
        """Read the workflow of each key, and return the last."""
        ...

    def snapshot(self, keys: Sequence[str]) -> Any:
        """Read each workflow in a transaction of its own, and return the last."""
        ...

    def insert(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key by a single statement."""
        ...

    def transaction(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key in a transaction of its own."""
        ...


class Mooring:
    """Through a store, which any number of threads may share.

    Args:
        store: The store.
        read: The query that reads a row by its ``:key``.
    """

    def __init__(self, store: "SqlStore", read: str = READ) -> None:
        self._store = store
        self._read = read

    def read(self, keys: Sequence[str]) -> Any:
        """Read the row of each key, and return the last."""
        row, sql = None, self._read
        for key in keys:
            row = self._store.execute(sql, {"key": key}).one()
        return row

    def snapshot(self, keys: Sequence[str]) -> Any:
        """Read each row in a transaction of its own, and return the last."""
        row, sql = None, self._read
        for key in keys:
            with self._store.read() as snapshot:
                row = snapshot.execute(sql, {"key": key}).one()
        return row

    def further(self, keys: Sequence[str]) -> Any:
        """Read the row of each key, all in one transaction; return the last."""
        row, sql = None, self._read
        with self._store.read() as snapshot:
            for key in keys:
                row = snapshot.execute(sql, {"key": key}).one()
        return row

    def insert(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key by a single statement."""
        for key in keys:
            self._store.execute(INSERT, workflow(key))

    def transaction(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key in a transaction of its own."""
        for key in keys:
            with self._store.transaction() as tx:
                tx.execute(INSERT, workflow(key))

    def run(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key in a serializable transaction."""
        for key in keys:
            self._store.run(partial(_insert, key=key))


def _insert(tx: "Transaction", key: str) -> None:
    tx.execute(INSERT, workflow(key))


def workflow(key: str) -> dict[str, object]:
    """Return the values of `INSERT`."""
    return {
        "key": key,
        "workflow": "greeting",
        "status": "created",
        "input": '{"name": "world"}',
    }


def fill(store: "SqlStore") -> None:
    """Insert the workflows that are read."""
    with store.transaction() as tx:
        for key in KEYS:
            _insert(tx, key)


def new_keys(number: int) -> list[str]:
    """Return keys that nobody used: in order, and as long for each contender."""
    return [f"new {next(_numbers):09}" for _ in range(number)]


# -- cases ---------------------------------------------------------------------


def read_cases(
    hands: Sequence[Contender], ours: Sequence[Mooring], repetitions: int
) -> dict[str, Case]:
    """Return the reads by hand and with mooring; one contender for each thread."""
    return {
        HAND_READ: reads([hand.read for hand in hands], repetitions),
        EXECUTE_READ: reads([our.read for our in ours], repetitions),
        HAND_SNAPSHOT: reads([hand.snapshot for hand in hands], repetitions),
        FIRST: reads([our.snapshot for our in ours], repetitions),
        FURTHER: reads([our.further for our in ours], repetitions),
    }


def write_cases(
    hands: Sequence[Contender], ours: Sequence[Mooring], repetitions: int
) -> dict[str, Case]:
    """Return the writes by hand and with mooring; one contender for each thread."""
    return {
        HAND_TRANSACTION: writes([hand.transaction for hand in hands], repetitions),
        TRANSACTION: writes([our.transaction for our in ours], repetitions),
        RUN: writes([our.run for our in ours], repetitions),
        HAND_INSERT: writes([hand.insert for hand in hands], repetitions),
        EXECUTE_INSERT: writes([our.insert for our in ours], repetitions),
    }


def reads(works: Sequence[Work], repetitions: int) -> Case:
    """Return a case in which each work reads so many rows."""
    keys = [KEYS[number % len(KEYS)] for number in range(repetitions)]
    return lambda _: _seconds(works, [keys] * len(works))


def writes(works: Sequence[Work], repetitions: int) -> Case:
    """Return a case in which each work inserts so many rows."""
    return lambda _: _seconds(works, [new_keys(repetitions) for _ in works])


def _seconds(works: Sequence[Work], shares: Sequence[Sequence[str]]) -> float:
    """Return the seconds for one key, where each work has a thread of its own."""
    start = Barrier(len(works))

    def timed(work: Work, keys: Sequence[str]) -> tuple[float, float]:
        start.wait()
        started = perf_counter()
        work(keys)
        return started, perf_counter()

    if len(works) == 1:
        spans = [timed(works[0], shares[0])]
    else:
        with ThreadPoolExecutor(len(works)) as threads:
            spans = list(threads.map(timed, works, shares))
    begun, ended = zip(*spans, strict=True)
    elapsed: float = max(ended) - min(begun)
    return elapsed / sum(map(len, shares))


# -- before anything is timed --------------------------------------------------


def compare(reading: Sequence[Work], writing: Sequence[Work]) -> None:
    """Make sure that each reads and leaves what all should; the first reads it again.

    Raises:
        SystemExit: One does not.
    """
    for read in reading:
        _compare(read, read, KEYS[:3])
    for write in writing:
        keys = new_keys(3)
        write(keys)
        _compare(write, reading[0], keys)


def compare_sides(hand: Contender, ours: Mooring) -> None:
    """Make sure that mooring does what is done by hand.

    Raises:
        SystemExit: It does not.
    """
    compare([hand.read, hand.snapshot], [hand.insert, hand.transaction])
    compare(
        [ours.read, ours.snapshot, ours.further],
        [ours.insert, ours.transaction, ours.run],
    )


def _compare(work: Work, read: Work, keys: Sequence[str]) -> None:
    for key in keys:
        found = _plain(read([key]))
        if found != (key, "greeting", "created", None, {"name": "world"}, None, None):
            name = getattr(work, "__qualname__", work)
            raise SystemExit(f"{name} does not do the same work as the others: {found}")


def _plain(row: Iterable[object] | None) -> tuple[object, ...]:
    """Return what is compared of a row, JSON read whoever reads it."""
    values = list(row or ())[:_COMPARED]
    return tuple(
        json.loads(value) if isinstance(value, str) and value[:1] == "{" else value
        for value in values
    )
