"""A Ctrl-C at every point of what is done with a store on PostgreSQL."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from interrupt_points import ADD, WRITES, Interrupt, run, through_all_points
from mooring_postgres import PostgresStore

Open = Callable[..., PostgresStore]
Spawn = Callable[..., "Future[Any]"]

COUNT = "SELECT count(*) FROM t"
PATIENCE = 10.0  # seconds, where all that there is to wait for takes some milliseconds

pytestmark = pytest.mark.timeout(120)


def read(store: PostgresStore, name: str) -> None:
    with store.read() as snapshot:
        snapshot.execute(COUNT)
        assert list(snapshot.stream(COUNT, size=1))


# One that is interrupted while psycopg opens it is closed as it is dropped.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function BaseConnection.__del__"
    ":pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize("way", [*WRITES.values(), read])
@pytest.mark.parametrize(("max_open_conns", "ready"), [(1, 1), (2, 0), (2, 2)])
def test_the_store_goes_on_and_what_was_acknowledged_is_there(
    open_postgres: Open,
    spawn: Spawn,
    way: Callable[[PostgresStore, str], None],
    max_open_conns: int,
    ready: int,
) -> None:
    store = open_postgres(max_open_conns=max_open_conns, pool_timeout=PATIENCE)
    store.execute("CREATE TABLE t (name text PRIMARY KEY)")
    kept = {"before"}
    store.execute(ADD, {"name": "before"})
    unknown = set()

    def interrupted(name: str, interrupt: Interrupt) -> None:
        unknown.add(name)
        with suppress(KeyboardInterrupt):
            with interrupt.armed():
                way(store, name)
            if way is not read:
                kept.add(name)

    def round_(number: int, interrupt: Interrupt) -> None:
        with ExitStack() as stack:  # of which some are idle then
            for _ in range(ready):
                stack.callback(store.pool.release, store.pool.acquire())
        other = spawn(run, store, f"{number} beside")
        spawn(interrupted, f"{number}", interrupt).result(PATIENCE)
        other.result(PATIENCE)
        run(store, f"{number} after")
        kept.update((f"{number} beside", f"{number} after"))
        found = {row["name"] for row in store.execute("SELECT name FROM t")}
        assert kept <= found <= kept | unknown
        assert store.pool.stats.lent == 0

    assert through_all_points(round_, patience=PATIENCE) > 20
