# ruff: noqa: PT012 - blocks that raise are what is tested
"""A server that hangs, and packets that vanish, end no later than they have to.

``statement_timeout`` of the server cannot help here: it is the client that counts.
"""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from time import sleep
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import PostgresServer, Proxy

Open = Callable[..., PostgresStore]
Within = Callable[[float], AbstractContextManager[None]]

ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
COUNT = "SELECT count(*) FROM users"
SLEEP = "SELECT pg_sleep(20)"
# The client's deadline comes half a second after that of the server.
LIMIT = 0.2


@pytest.fixture
def freeze(sessions: Callable[[], list[int]]) -> Iterator[Callable[[], None]]:
    """Stop the processes of the sessions that the test's stores have."""
    frozen: set[int] = set()
    with ExitStack() as stack:

        def run() -> None:
            # One that was given up is listed as long as it is stopped. To let it go on
            # twice would meet its end now and then.
            for pid in set(sessions()) - frozen:
                os.kill(pid, signal.SIGSTOP)
                stack.callback(os.kill, pid, signal.SIGCONT)
                frozen.add(pid)

        yield run


@pytest.fixture
def open_behind(open_postgres: Open, proxy: Proxy) -> Open:
    """Open stores of one connection through the proxy, which do not wait long."""

    def run(**options: Any) -> PostgresStore:
        hasty = {
            "max_open_conns": 1,
            "statement_timeout": LIMIT,
            "connect_timeout": 0.5,
            "ping_timeout": 0.3,
        }
        return open_postgres(host=proxy.host, port=proxy.port, **{**hasty, **options})

    return run


def works(store: PostgresStore) -> bool:
    return bool(store.execute("SELECT 1").scalar() == 1)


@pytest.mark.parametrize(
    ("sql", "error"),
    [(COUNT, core.ConnectionLostError), (ADD, core.OutcomeUnknownError)],
)
def test_a_statement_that_hangs_is_given_up(
    open_behind: Open, proxy: Proxy, within: Within, sql: str, error: type[Exception]
) -> None:
    store = open_behind()
    proxy.swallow()
    values = {"id": "u1"} if sql is ADD else None
    with within(LIMIT), pytest.raises(error, match=r"did not answer within 0\.7 s"):
        store.execute(sql, values)
    assert store.pool.stats.open == 0
    proxy.forward()

    assert works(store)


@pytest.mark.parametrize("step", ["statement", "savepoint", "commit"])
def test_a_transaction_that_hangs_is_given_up(
    open_behind: Open, proxy: Proxy, within: Within, step: str
) -> None:
    store = open_behind()
    unknown = step == "commit"
    wanted = core.OutcomeUnknownError if unknown else core.ConnectionLostError
    with within(LIMIT), pytest.raises(wanted) as caught, store.transaction() as tx:
        tx.execute(ADD, {"id": "u1"})
        proxy.swallow()
        if step == "statement":
            tx.execute(COUNT)
        elif step == "savepoint":
            tx.savepoint().__enter__()
    proxy.forward()

    assert "statement_timeout" in caught.value.message
    assert works(store)


def test_a_begin_that_hangs_is_given_up(
    open_behind: Open, proxy: Proxy, within: Within
) -> None:
    store = open_behind()
    proxy.swallow()
    with within(LIMIT), pytest.raises(core.ConnectionLostError):
        store.transaction().__enter__()
    proxy.forward()

    assert works(store)


@pytest.mark.parametrize("block", ["transaction", "read"])
def test_a_rollback_that_hangs_does_not_hide_the_user_s_error(
    open_behind: Open, proxy: Proxy, within: Within, block: str
) -> None:
    store = open_behind()
    with (
        within(LIMIT),
        pytest.raises(LookupError, match="mine"),
        getattr(store, block)() as scope,
    ):
        scope.execute(COUNT)
        proxy.swallow()
        raise LookupError("mine")
    proxy.forward()

    assert works(store)


def test_a_connection_given_up_in_a_rollback_is_not_lent_with_a_used_descriptor(
    open_behind: Open, proxy: Proxy
) -> None:
    store = open_behind()
    with pytest.raises(LookupError), store.transaction() as tx:
        number = store.pool.leases()[1][0].connection.connection.fileno()
        tx.execute(COUNT)
        proxy.swallow()
        raise LookupError
    proxy.forward()
    with ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(50)]
        ends = [stack.enter_context(end) for pair in pairs for end in pair]
        store.execute(ADD, {"id": "u1"})

        assert number in [end.fileno() for end in ends]


def test_a_stream_that_hangs_is_given_up(
    open_behind: Open, proxy: Proxy, within: Within
) -> None:
    store = open_behind()
    with (
        within(LIMIT),
        pytest.raises(core.ConnectionLostError),
        store.read() as snapshot,
    ):
        rows = snapshot.stream("SELECT generate_series(1, 50) AS n", size=10)
        next(rows)
        proxy.swallow()
        list(rows)
    proxy.forward()

    assert works(store)


def test_a_session_that_is_frozen_is_given_up_and_another_takes_its_place(
    open_behind: Open, freeze: Callable[[], None], within: Within
) -> None:
    store = open_behind()
    freeze()
    with within(LIMIT), pytest.raises(core.ConnectionLostError):
        store.execute(COUNT)
    with (
        within(LIMIT),
        pytest.raises(core.OutcomeUnknownError),
        store.transaction() as tx,
    ):
        tx.execute(ADD, {"id": "u1"})
        freeze()

    assert works(store)


def test_closing_a_store_whose_connections_hang_does_not_hang(
    open_behind: Open, proxy: Proxy, within: Within
) -> None:
    store = open_behind()
    proxy.swallow()
    with within(0):
        store.close()


def test_an_idle_connection_that_hangs_is_replaced(
    open_behind: Open, postgres_server: PostgresServer, proxy: Proxy, within: Within
) -> None:
    store = open_behind(health_check_period=0, max_open_conns=3)
    with ExitStack() as stack:
        for _ in range(3):
            stack.callback(store.pool.release, store.pool.acquire())
    # What was swallowed once stays silent; new connections are forwarded.
    proxy.swallow()
    with within(2), pytest.raises(core.OpenError, match="did not answer in time"):
        store.execute(COUNT)
    proxy.forward()

    assert works(store)


def test_checks_of_idle_connections_end_with_the_time_to_wait_for_one(
    open_behind: Open, proxy: Proxy, within: Within
) -> None:
    store = open_behind(
        health_check_period=0, max_open_conns=5, ping_timeout=30, pool_timeout=0.5
    )
    with ExitStack() as stack:
        for _ in range(5):
            stack.callback(store.pool.release, store.pool.acquire())
    proxy.swallow()
    with within(0.5), pytest.raises(core.OpenError):
        store.execute(COUNT)


@pytest.mark.parametrize("period", [0, 30], ids=["checked", "trusted"])
def test_health_of_a_server_that_hangs_is_unknown_in_time(
    open_behind: Open, proxy: Proxy, within: Within, period: int
) -> None:
    options = {"connect_timeout": 30, "ping_timeout": 30, "statement_timeout": 30}
    store = open_behind(health_check_period=period, **options)
    proxy.swallow()
    with within(0.3):
        health = core.health_check(store, deep=True, timeout=0.3)

    assert health.status == "unknown"
    assert "did not answer within 0.3 s" in health.checks[0].detail
    assert "statement_timeout" not in str(health)


def test_health_of_a_server_that_does_not_accept_is_unknown_in_time(
    open_postgres: Open, own_server: PostgresServer, within: Within
) -> None:
    store = open_postgres(**own_server.params(), max_idle_conns=0)
    os.kill(own_server.pid, signal.SIGSTOP)
    try:
        with within(0.3):
            health = core.health_check(store, timeout=0.3)
    finally:
        os.kill(own_server.pid, signal.SIGCONT)

    assert health.status == "unknown"
    assert core.health_check(store, timeout=20).ok


def test_the_server_s_own_deadline_spares_the_connection(open_behind: Open) -> None:
    store = open_behind()
    before = store.execute("SELECT pg_backend_pid()").scalar()
    with pytest.raises(core.StatementTimeoutError, match="statement_timeout"):
        store.execute(SLEEP)

    assert store.execute("SELECT pg_backend_pid()").scalar() == before


# -- behind a pooler, where no timeout of the server's runs -------------------


def test_behind_a_pooler_a_statement_is_cancelled_and_the_connection_spared(
    open_behind: Open,
) -> None:
    store = open_behind(pooler="transaction", schema="", migrate="skip")
    before = store.execute("SELECT pg_backend_pid()").scalar()
    for _ in range(2):
        with pytest.raises(core.StatementTimeoutError, match="statement_timeout"):
            store.execute(SLEEP)

    assert store.execute("SELECT pg_backend_pid()").scalar() == before


def test_behind_a_pooler_that_hangs_a_statement_ends(
    open_behind: Open, proxy: Proxy, within: Within
) -> None:
    store = open_behind(pooler="transaction", schema="", migrate="skip")
    proxy.swallow()
    with within(LIMIT + 1), pytest.raises(core.ConnectionLostError):
        store.execute("SELECT 1")
    proxy.forward()

    assert works(store)


def test_behind_a_pooler_that_takes_no_cancel_a_statement_ends(
    open_behind: Open, proxy: Proxy, within: Within
) -> None:
    store = open_behind(pooler="transaction", schema="", migrate="skip")
    proxy.refuse()
    with within(LIMIT), pytest.raises(core.ConnectionLostError) as caught:
        store.execute(SLEEP)
    proxy.forward()

    assert "statement_timeout" in caught.value.message
    assert works(store)


def test_somebody_else_s_cancel_is_no_timeout(
    open_behind: Open, postgres_server: PostgresServer, spawn: Callable[..., Any]
) -> None:
    store = open_behind(statement_timeout=30)
    pid = store.execute("SELECT pg_backend_pid()").scalar()

    def cancel() -> None:
        sleep(0.2)
        with postgres_server.connect() as connection:
            connection.execute("SELECT pg_cancel_backend(%s)", [pid])

    future = spawn(cancel)
    with pytest.raises(core.StatementError, match="cancelled on the server"):
        store.execute(SLEEP)
    future.result(20)

    assert store.execute("SELECT pg_backend_pid()").scalar() == pid
