"""A primary that dies and its standby that takes over, under a store that goes on."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import count, pairwise
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
WRITERS = 4
ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
IDS = "SELECT id FROM users"
# Otherwise a standby without its primary looks away for five seconds.
SETTINGS = {"wal_retrieve_retry_interval": "100ms"}


@pytest.fixture
def pair() -> Iterator[Callable[[bool], tuple[PostgresServer, PostgresServer]]]:
    """Start a primary and its standby."""
    with ExitStack() as stack:

        def start(synchronous: bool) -> tuple[PostgresServer, PostgresServer]:
            primary = stack.enter_context(PostgresServer(settings=SETTINGS))
            standby = primary.standby(synchronous=synchronous)
            stack.callback(standby.close)
            return primary, standby

        yield start


def both(first: PostgresServer, second: PostgresServer) -> dict[str, Any]:
    """Return options for whichever of the two takes writes."""
    return {
        **first.params(),
        "host": f"{first.host},{second.host}",
        "port": f"{first.port},{second.port}",
        "target_session_attrs": "read-write",
    }


def follow(primary: PostgresServer, standby: PostgresServer) -> None:
    """Wait until the standby shows what the primary has."""
    with primary.connect() as connection:
        written = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
    deadline = monotonic() + PATIENCE
    query = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
    with standby.connect() as connection:
        while connection.execute(query, written).fetchone() != (True,):
            assert monotonic() < deadline
            sleep(0.01)


class Writer:
    """Adds rows until it is told to stop, whatever becomes of the server.

    Attributes:
        acknowledged: The rows that were, in order.
        unknown: Those of which it was never told.
        times: When each row was acknowledged.
    """

    def __init__(self, store: PostgresStore, number: int) -> None:
        self._store = store
        self._number = number
        self.acknowledged: list[str] = []
        self.unknown: set[str] = set()
        self.times: list[float] = []

    def work(self, done: Event) -> None:
        """Write row after row; one that certainly is not there is tried again."""
        names = (f"{self._number}-{row}" for row in count())
        name = next(names)
        while not done.is_set():
            try:
                self._store.execute(ADD, {"id": name})
            except core.OutcomeUnknownError:
                self.unknown.add(name)
            except core.StoreError as error:
                if not error.retryable:
                    raise
                sleep(0.01)
                continue
            else:
                self.acknowledged.append(name)
                self.times.append(monotonic())
            name = next(names)


@pytest.mark.soak
@pytest.mark.parametrize("synchronous", [True, False], ids=["synchronous", "not"])
def test_a_store_of_two_hosts_goes_on_writing_on_the_promoted_standby(
    pair: Callable[[bool], tuple[PostgresServer, PostgresServer]],
    open_postgres: Open,
    spawn: Spawn,
    loop: Loop,
    report: Callable[[str], None],
    synchronous: bool,
) -> None:
    rounds, random = loop(1, 10)
    for _ in range(rounds):
        primary, standby = pair(synchronous)
        store = open_postgres(**both(primary, standby), connect_timeout=4)
        writers = [Writer(store, number) for number in range(WRITERS)]
        done = Event()
        futures = [spawn(writer.work, done) for writer in writers]
        sleep(0.2 + random.random() / 2)
        primary.kill()
        killed = monotonic()
        standby.promote()
        promoted = monotonic()
        while not all(w.times and w.times[-1] > promoted for w in writers):
            assert monotonic() < promoted + PATIENCE
            sleep(0.005)
        done.set()
        for future in futures:
            future.result(PATIENCE)
        found = {row["id"] for row in store.execute(IDS)}
        acknowledged = {name for writer in writers for name in writer.acknowledged}
        unknown = {name for writer in writers for name in writer.unknown}
        times = sorted(time for writer in writers for time in writer.times)
        gap = max(after - before for before, after in pairwise(times))
        lost = acknowledged - found
        report(
            f"{len(acknowledged)} acknowledged, {len(unknown)} unknown,"
            f" {len(lost)} lost; promoted in {promoted - killed:.2f} s,"
            f" longest time without a write {gap:.2f} s"
        )
        store.close()

        if synchronous:
            assert lost == set()
        assert found <= acknowledged | unknown
        assert gap < 10


def test_of_two_hosts_the_one_that_takes_writes_is_taken(
    pair: Callable[[bool], tuple[PostgresServer, PostgresServer]], open_postgres: Open
) -> None:
    primary, standby = pair(False)
    first = open_postgres(**both(primary, standby))
    second = open_postgres(**both(standby, primary), migrate="verify")
    for store, name in ((first, "u1"), (second, "u2")):
        store.execute(ADD, {"id": name})
    follow(primary, standby)

    assert {row["id"] for row in second.execute(IDS)} == {"u1", "u2"}
    alone = open_postgres(**standby.params(), migrate="verify")
    assert {row["id"] for row in alone.execute(IDS)} == {"u1", "u2"}
    with pytest.raises(core.ReadOnlyError) as caught:
        alone.execute(ADD, {"id": "u3"})
    assert "standby" in (caught.value.hint or "")
