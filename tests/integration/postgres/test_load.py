"""Many threads, and a server that goes away and comes back under them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from random import Random
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import PostgresServer

Open = Callable[..., PostgresStore]
Spawn = Callable[..., "Future[Any]"]
Loop = Callable[[int, int], tuple[int, Random]]

PATIENCE = 30.0
WRITERS, READERS = 12, 4
MOST = 8
ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
COUNT = "SELECT count(*) FROM users"


@pytest.fixture
def durable_server() -> Iterator[PostgresServer]:
    """A server that keeps what it acknowledged, however it ends."""
    with PostgresServer(durable=True) as server:
        yield server


class Load:
    """What the threads did, and what they were told.

    Attributes:
        acknowledged: Rows that were acknowledged.
        unknown: Rows of which it was not told if they are there.
        last: When a write was acknowledged last.
        reads: Reads that were answered.
        refused: Uses that failed and could be repeated.
    """

    def __init__(self, store: PostgresStore, done: Event) -> None:
        self._store = store
        self._done = done
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self.last = 0.0
        self.reads = 0
        self.refused = 0

    def write(self, worker: int, random: Random) -> None:
        """Add rows in single statements, transactions and `run`."""
        number = 0
        while not self._done.is_set():
            number += 1
            names = [
                f"{worker}-{number}-{part}" for part in range(random.randint(1, 3))
            ]
            way = random.choice([self._transaction, self._run])
            add = self._lone if len(names) == 1 else way
            self._insist(add, names)

    def _lone(self, names: list[str]) -> None:
        self._store.execute(ADD, {"id": names[0]})

    def _transaction(self, names: list[str]) -> None:
        with self._store.transaction() as tx:
            for name in names:
                tx.execute(ADD, {"id": name})

    def _run(self, names: list[str]) -> None:
        def add(tx: core.Transaction) -> None:
            for name in names:
                tx.execute(ADD, {"id": name})

        self._store.run(add)

    def _insist(self, add: Callable[[list[str]], None], names: list[str]) -> None:
        """Try again for as long as it is certain that nothing was done."""
        while not self._done.is_set():
            try:
                add(names)
            except core.OutcomeUnknownError:
                self.unknown += names
                return
            except core.StoreError as error:
                self._forgive(error)
            else:
                self.acknowledged += names
                self.last = monotonic()
                return

    def _forgive(self, error: core.StoreError) -> None:
        if not error.retryable:
            raise error
        self.refused += 1
        sleep(0.02)

    def read(self) -> None:
        """Look that a snapshot does not move, and that no row goes away."""
        seen = 0
        while not self._done.is_set():
            try:
                with self._store.read() as snapshot:
                    count = snapshot.execute(COUNT).scalar()
                    again = snapshot.execute(COUNT).scalar()
                later = self._store.execute(COUNT).scalar()
            except core.StoreError as error:
                self._forgive(error)
                continue
            if not seen <= count == again <= later:
                raise AssertionError(f"{seen} rows, then {count}, {again}, {later}")
            seen = later
            self.reads += 2


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_under_load_restarts_lose_nothing_and_are_over_soon(
    durable_server: PostgresServer,
    open_postgres: Open,
    spawn: Spawn,
    sessions: Callable[..., list[int]],
    no_session_stays: Callable[..., None],
    descriptors: Callable[[], int],
    loop: Loop,
    report: Callable[[str], None],
) -> None:
    seconds, random = loop(5, 60)
    files, threads = descriptors(), threading.active_count()
    store = open_postgres(**durable_server.params(), max_open_conns=MOST)
    done = Event()
    load = Load(store, done)
    seeds = [Random(random.random()) for _ in range(WRITERS)]  # noqa: S311 - to be repeated
    workers = [spawn(load.write, number, seed) for number, seed in enumerate(seeds)]
    workers += [spawn(load.read) for _ in range(READERS)]
    gaps = []
    end = monotonic() + seconds
    for restart in range(max(2, seconds // 12)):
        sleep(max(0.5, seconds / 6))
        if restart % 3 == 2:
            durable_server.kill()
            durable_server.start()
        else:
            durable_server.restart(("fast", "immediate")[restart % 3])
        back = monotonic()
        while load.last < back:
            assert monotonic() < back + PATIENCE, workers
            sleep(0.001)
        gaps.append(load.last - back)
    sleep(max(0.0, end - monotonic()))
    done.set()
    for future in workers:
        future.result(PATIENCE)
    most = len(sessions(durable_server))
    found = {str(row["id"]) for row in store.execute("SELECT id FROM users")}
    healthy = core.health_check(store, deep=True, timeout=20)
    store.close()
    acknowledged = set(load.acknowledged)
    report(
        f"{WRITERS} + {READERS} threads for {seconds} s, {len(gaps)} restarts:"
        f" {len(acknowledged)} rows acknowledged, {len(acknowledged - found)} lost,"
        f" {len(load.unknown)} unknown, {load.reads} reads,"
        f" {load.refused} uses repeated; written again after"
        f" {', '.join(f'{gap:.3f}' for gap in gaps)} s"
    )

    assert acknowledged <= found
    assert found <= acknowledged | set(load.unknown)
    assert healthy.ok, healthy
    assert most <= MOST
    assert max(gaps) < 5
    no_session_stays(durable_server)
    assert not [future for future in workers if not future.done()]
    assert threading.active_count() <= threads + len(workers)
    assert descriptors() == files
