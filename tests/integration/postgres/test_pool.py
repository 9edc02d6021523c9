"""The pool on a real server: who waits, who has the connections, and what is left."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import Proxy

Open = Callable[..., PostgresStore]
Spawn = Callable[..., "Future[Any]"]
Within = Callable[[float], AbstractContextManager[None]]

PATIENCE = 20.0
COUNT = "SELECT count(*) FROM users"


def until(true: Callable[[], object]) -> None:
    deadline = monotonic() + PATIENCE
    while not true():
        assert monotonic() < deadline
        sleep(0.005)


def test_an_exhausted_pool_says_who_holds_the_figures_and_how_long(
    open_postgres: Open, spawn: Spawn, within: Within
) -> None:
    store = open_postgres(max_open_conns=2, pool_timeout=0.2)
    done = Event()

    def hold() -> None:
        with store.read():
            done.wait(PATIENCE)

    held = [spawn(hold, name=f"holder-{number}") for number in range(2)]
    until(lambda: store.pool.stats.lent == 2)
    with within(0.2), pytest.raises(core.PoolTimeoutError) as caught:
        store.execute(COUNT)
    done.set()
    for future in held:
        future.result(PATIENCE)

    for told in ("2 of 2 connections", "holder-0", "holder-1", "0.2 s"):
        assert told in caught.value.message
    assert "pool_timeout" in (caught.value.hint or "")
    assert caught.value.retryable
    assert store.execute(COUNT).scalar() == 0


def test_who_waits_while_connecting_fails_is_told_the_last_error(
    open_postgres: Open, proxy: Proxy, spawn: Spawn
) -> None:
    store = open_postgres(
        host=proxy.host, port=proxy.port, max_open_conns=1, pool_timeout=5
    )
    proxy.refuse()
    proxy.cut("rst")
    with pytest.raises(core.OpenError, match="no server listens there"):
        store.execute(COUNT)
    proxy.forward()
    proxy.swallow()
    opening = spawn(store.execute, COUNT)
    until(lambda: proxy.connections)
    with pytest.raises(core.PoolTimeoutError) as caught:
        store.pool.acquire(0.2)
    proxy.cut("rst")
    with pytest.raises(core.OpenError):
        opening.result(PATIENCE)

    assert "last connection error: " in caught.value.message
    assert "no server listens there" in caught.value.message
    proxy.forward()
    assert store.execute(COUNT).scalar() == 0


def test_a_place_that_could_not_be_filled_is_free_for_who_waits(
    open_postgres: Open, proxy: Proxy, spawn: Spawn
) -> None:
    store = open_postgres(host=proxy.host, port=proxy.port, max_open_conns=1)
    proxy.cut("rst")
    proxy.swallow()
    first = spawn(store.execute, COUNT)
    until(lambda: proxy.connections)
    second = spawn(store.execute, COUNT)
    until(lambda: store.pool.stats.waiting)
    proxy.forward()
    proxy.cut("rst")  # the one that was swallowed stays silent, and ends

    with pytest.raises(core.OpenError):
        first.result(PATIENCE)
    assert second.result(PATIENCE).scalar() == 0


def test_who_waits_longest_is_served_first(open_postgres: Open, spawn: Spawn) -> None:
    store = open_postgres(max_open_conns=1)
    served: list[int] = []
    waiting = []

    def wait(number: int) -> None:
        with store.transaction():
            served.append(number)

    with store.transaction():
        for number in range(8):
            waiting.append(spawn(wait, number))
            until(lambda: store.pool.stats.waiting == len(waiting))
    for future in waiting:
        future.result(PATIENCE)

    assert served == list(range(8))


def test_closing_while_a_statement_runs_waits_for_it(
    open_postgres: Open, spawn: Spawn, no_session_stays: Callable[[], None]
) -> None:
    store = open_postgres()
    running = spawn(store.execute, "SELECT 7 FROM pg_sleep(0.3)")
    until(lambda: store.pool.stats.lent)
    store.close()

    assert running.result(PATIENCE).scalar() == 7
    with pytest.raises(core.StoreClosedError):
        store.execute(COUNT)
    no_session_stays()


def test_closing_while_a_connection_is_opened_closes_it_too(
    open_postgres: Open,
    proxy: Proxy,
    spawn: Spawn,
    no_session_stays: Callable[[], None],
) -> None:
    store = open_postgres(host=proxy.host, port=proxy.port, max_idle_conns=0)
    proxy.delay(0.05)
    running = spawn(store.execute, COUNT)
    until(lambda: store.pool.stats.open)
    store.close()

    assert running.result(PATIENCE).scalar() == 0
    no_session_stays()


@pytest.mark.parametrize("use", ["lone", "block"])
def test_a_thousand_uses_leave_as_much_as_one(
    open_postgres: Open,
    descriptors: Callable[[], int],
    sessions: Callable[[], list[int]],
    spawn: Spawn,
    use: str,
) -> None:
    store = open_postgres(max_open_conns=4, max_idle_conns=4)
    files, threads = descriptors(), threading.active_count()

    def work() -> None:
        for number in range(250):
            if use == "lone":
                store.execute("SELECT :n", {"n": number})
            else:
                with store.read() as snapshot:
                    snapshot.execute("SELECT :n", {"n": number})

    for future in [spawn(work) for _ in range(4)]:
        future.result(60)

    assert len(sessions()) <= 4
    assert descriptors() <= files + 3
    until(lambda: threading.active_count() == threads)


def test_a_parent_s_connections_outlive_a_forked_child(
    open_postgres: Open, sessions: Callable[[], list[int]]
) -> None:
    store = open_postgres(max_open_conns=2)
    with store.transaction() as tx:
        pid = tx.execute("SELECT pg_backend_pid()").scalar()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                store.execute(COUNT)
            except core.StoreClosedError:
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        again = tx.execute("SELECT pg_backend_pid()").scalar()

    assert os.waitstatus_to_exitcode(status) == 0
    assert again == pid
    assert pid in sessions()
