"""A Ctrl-C at every point, alone and among others; then many real ones."""

import json
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from random import Random
from subprocess import Popen
from typing import Any

import pytest
from interrupt_points import WRITES, Interrupt, block, run, through_all_points
from mooring.core import _group
from mooring_sqlite import SqliteStore

OpenSqlite = Callable[..., SqliteStore]
Spawn = Callable[..., "Future[Any]"]
StartProgram = Callable[..., "Popen[str]"]

NAMED = "SELECT count(*) FROM t WHERE name = :name"
PATIENCE = 3.0  # seconds, where all that there is to wait for takes a few milliseconds

pytestmark = pytest.mark.timeout(120)


def until(done: Callable[[], bool]) -> None:
    """Wait for something that takes no time."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.0002)


def read(store: SqliteStore, name: str) -> None:
    with store.read() as snapshot:
        assert snapshot.execute(NAMED, {"name": name}).scalar() == 0
        assert list(snapshot.stream(NAMED, {"name": name}, size=1))


def look(store: SqliteStore, name: str) -> None:
    assert store.execute(NAMED, {"name": name}).scalar() == 0


READS = {way.__name__: way for way in (read, look)}


@pytest.fixture(autouse=True)
def long_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no pause of a busy machine split a group."""
    monkeypatch.setattr(_group, "_LONGEST", 30.0)


@pytest.fixture(params=["app.db", ":memory:"])
def store(request: pytest.FixtureRequest, open_sqlite: OpenSqlite) -> SqliteStore:
    """Return a store with a table ``t``, whose transactions share COMMITs in a file."""
    path = request.param
    group_commit = "off" if path == ":memory:" else "all"
    store = open_sqlite(path, group_commit=group_commit, synchronous="off")
    store.execute("CREATE TABLE t (name TEXT)")
    return store


class Rows:
    """Which rows are there for sure, and of which nobody knows."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._kept: set[str] = set()
        self._unknown: set[str] = set()

    def write(self, way: Callable[..., None], name: str) -> None:
        """Write one that is kept, unless it raises."""
        way(self._store, name)
        self._kept.add(name)

    def write_interrupted(
        self, way: Callable[..., None], name: str, interrupt: Interrupt
    ) -> None:
        """Write one during an interrupt."""
        try:
            with interrupt.armed():
                way(self._store, name)
        except KeyboardInterrupt:
            self._unknown.add(name)
        else:
            self._kept.add(name)

    def check(self) -> None:
        """Assert that those are there, and no others."""
        found = {row["name"] for row in self._store.execute("SELECT name FROM t")}
        assert self._kept <= found <= self._kept | self._unknown


@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize(
    ("before", "behind"), [(0, 0), (0, 2), (1, 1), (2, 0)], ids=str
)
def test_nobody_who_writes_beside_it_learns_of_it(
    store: SqliteStore, spawn: Spawn, before: int, behind: int, way: str
) -> None:
    rows = Rows(store)
    others = [run, block] * 2

    def round_(number: int, interrupt: Interrupt) -> None:
        futures: list[Future[None]] = []
        with store.transaction(alone=True):
            for place in range(before + behind + 1):
                name = f"{number}-{place}"
                if place == before:
                    futures.append(
                        spawn(rows.write_interrupted, WRITES[way], name, interrupt)
                    )
                else:
                    futures.append(spawn(rows.write, others[place], name))
                # One that is interrupted before does not wait.
                until(
                    lambda: (
                        store._writers.stats.waiting
                        == sum(not future.done() for future in futures)
                    )
                )
        for future in futures:
            future.result(PATIENCE)
        rows.write(run, f"{number} after")
        rows.check()

    assert through_all_points(round_, patience=PATIENCE) > 30
    assert store._writers.stats.lent == 0


@pytest.mark.parametrize("way", READS)
def test_a_read_that_is_interrupted_leaves_a_store_that_works(
    store: SqliteStore, spawn: Spawn, way: str
) -> None:
    rows = Rows(store)

    def read_interrupted(interrupt: Interrupt) -> None:
        with suppress(KeyboardInterrupt), interrupt.armed():
            READS[way](store, "nobody")

    def round_(number: int, interrupt: Interrupt) -> None:
        spawn(read_interrupted, interrupt).result(PATIENCE)
        rows.write(run, f"{number} after")
        rows.check()

    assert through_all_points(round_, patience=PATIENCE) > 10
    assert store._writers.stats.lent == store._readers.stats.lent == 0


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_writers_beside_many_interrupts_lose_nothing_and_go_on(
    start_program: StartProgram,
    tmp_path: Path,
    grouping: dict[str, object],
    loop: Callable[[int, int], tuple[int, Random]],
    report: Callable[[str], None],
) -> None:
    count, random = loop(200, 20_000)
    config = {"driver": "sqlite", "path": str(tmp_path / "a.db"), **grouping}
    task = {"config": config, "count": count, "seed": random.getrandbits(32)}

    output, errors = start_program("interrupted", task).communicate()
    assert output, errors
    told = json.loads(output)
    good = {"lost": [], "not asked for": [], "hang": 0, "failures": []}
    assert {word: told[word] for word in good} == good, errors
    # Two that come before the first is looked at count as one.
    assert 0.5 * count < told["caught"] <= count
    assert told["acknowledged"] > count
    report(
        f"{told['caught']} interrupts, {told['acknowledged']} rows acknowledged,"
        " none lost, no other thread failed"
    )
