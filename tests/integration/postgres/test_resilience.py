# ruff: noqa: PT012 - blocks that raise are what is tested
"""What a restart, a killed session or a cut connection does to those who use a store.

A connection that broke while nobody had it is replaced without an error; one that
broke under a statement is told as what it means.
"""

import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import PostgresServer, Proxy

Open = Callable[..., PostgresStore]
Spawn = Callable[..., "Future[Any]"]

PATIENCE = 20.0
ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
COUNT = "SELECT count(*) FROM users"
SLEEP = "SELECT pg_sleep(20)"


@pytest.fixture
def filled(open_postgres: Open) -> PostgresStore:
    """A store with eight idle connections, which are looked at as they are lent."""
    store = open_postgres(max_open_conns=8, max_idle_conns=8)
    fill(store)
    return store


@pytest.fixture
def behind(open_postgres: Open, proxy: Proxy) -> PostgresStore:
    """A store of one connection, through the proxy."""
    return open_postgres(host=proxy.host, port=proxy.port, max_open_conns=1)


def fill(store: PostgresStore) -> None:
    """Open as many connections as the store may have, and leave them idle."""
    pool = store.pool
    with ExitStack() as stack:
        for _ in range(pool.stats.max_open):
            stack.callback(pool.release, pool.acquire())

    assert pool.stats.idle == pool.stats.max_open


@pytest.fixture
def during(spawn: Spawn) -> Callable[..., "Future[Any]"]:
    """Call *fault* when the store's session runs a statement."""

    def run(store: PostgresStore, fault: Callable[[], object]) -> "Future[Any]":
        def wait_and_fail() -> object:
            deadline = monotonic() + PATIENCE
            while store.pool.stats.lent == 0 and monotonic() < deadline:
                sleep(0.01)
            sleep(0.1)  # until what it was lent for has reached the server
            return fault()

        return spawn(wait_and_fail)

    return run


def uses(store: PostgresStore) -> list[Callable[[], object]]:
    """Return each way to use a store for the first time."""

    def transaction() -> None:
        with store.transaction() as tx:
            tx.execute(ADD, {"id": "tx"})

    def read() -> None:
        with store.read() as snapshot:
            snapshot.execute(COUNT)

    return [
        lambda: store.execute(COUNT),
        lambda: store.execute(ADD, {"id": "lone"}),
        transaction,
        read,
        lambda: store.run(lambda tx: tx.execute(ADD, {"id": "run"})),
    ]


# -- while nobody has the connection ------------------------------------------


@pytest.mark.parametrize("how", range(5))
def test_when_all_idle_sessions_are_killed_the_next_use_works(
    filled: PostgresStore, terminate: Callable[[], int], how: int
) -> None:
    assert terminate() == 8
    uses(filled)[how]()

    assert filled.pool.stats.open == 1


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_when_all_idle_connections_are_cut_the_next_use_works(
    open_postgres: Open, proxy: Proxy, how: Any
) -> None:
    store = open_postgres(host=proxy.host, port=proxy.port, max_idle_conns=8)
    with ExitStack() as stack:
        for _ in range(8):
            stack.callback(store.pool.release, store.pool.acquire())
    proxy.cut(how)
    store.execute(ADD, {"id": "u1"})

    assert store.execute(COUNT).scalar() == 1
    assert store.pool.stats.open == 1


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_of_the_server_is_not_noticed_by_who_comes_later(
    open_postgres: Open, own_server: PostgresServer, mode: Any
) -> None:
    store = open_postgres(**own_server.params(), max_open_conns=5)
    fill(store)
    own_server.restart(mode)
    for use in uses(store):
        use()

    assert store.execute(COUNT).scalar() == 3
    assert core.health_check(store).ok


def test_while_the_server_is_down_each_use_says_so_and_afterwards_it_works(
    open_postgres: Open, own_server: PostgresServer
) -> None:
    store = open_postgres(**own_server.params())
    own_server.stop()
    try:
        for use in uses(store):
            with pytest.raises(core.OpenError, match="no server listens there"):
                use()
        health = core.health_check(store)
    finally:
        own_server.start()

    assert health.status == "failed"
    assert "no server listens there" in health.checks[0].detail
    assert store.execute(COUNT).scalar() == 0
    assert core.health_check(store).ok


# -- under a statement --------------------------------------------------------


@pytest.mark.parametrize("fault", ["fin", "rst", "terminate", "fast", "immediate"])
def test_a_read_that_is_cut_off_may_be_run_again(
    open_postgres: Open,
    own_server: PostgresServer,
    during: Callable[..., "Future[Any]"],
    terminate: Callable[..., int],
    fault: Any,
) -> None:
    with Proxy(own_server) as proxy:
        store = open_postgres(**proxy.server.params(), max_open_conns=1)
        faults: dict[str, Callable[[], object]] = {
            "terminate": lambda: terminate(own_server),
            "fast": lambda: own_server.restart("fast"),
            "immediate": lambda: own_server.restart("immediate"),
        }
        failing = during(store, faults.get(fault, lambda: proxy.cut(fault)))
        with pytest.raises(core.ConnectionLostError) as caught:
            store.execute(SLEEP)
        failing.result(PATIENCE)
        terminate(own_server)  # who works does not notice that the client is gone

        assert caught.value.retryable
        assert "run it again" in (caught.value.hint or "")
        assert store.execute(COUNT).scalar() == 0
        store.close()


@pytest.mark.parametrize("fault", ["fin", "rst", "terminate"])
@pytest.mark.parametrize("block", ["transaction", "run"])
def test_a_transaction_that_is_cut_off_keeps_nothing(
    behind: PostgresStore,
    proxy: Proxy,
    during: Callable[..., "Future[Any]"],
    terminate: Callable[[], int],
    fault: Any,
    block: str,
) -> None:
    calls = []

    def work(tx: core.Transaction) -> None:
        calls.append(tx)
        tx.execute(ADD, {"id": "u1"})
        tx.execute(SLEEP)

    failing = during(
        behind, terminate if fault == "terminate" else lambda: proxy.cut(fault)
    )
    with pytest.raises(core.ConnectionLostError) as caught:
        if block == "run":
            behind.run(work)
        else:
            with behind.transaction() as tx:
                work(tx)
    failing.result(PATIENCE)
    terminate()  # a server that works does not notice that its client is gone

    assert caught.value.retryable
    assert len(calls) == 1
    assert behind.execute(COUNT).scalar() == 0


def test_a_write_in_a_transaction_that_is_cut_off_keeps_nothing(
    behind: PostgresStore, proxy: Proxy
) -> None:
    proxy.cut_before_answer(b"INSERT INTO users")
    with pytest.raises(core.ConnectionLostError), behind.transaction() as tx:
        tx.execute(ADD, {"id": "u1"})

    assert proxy.cuts == 1
    assert behind.execute(COUNT).scalar() == 0


def test_a_stream_that_is_cut_off_says_so_and_the_next_borrower_works(
    behind: PostgresStore, proxy: Proxy
) -> None:
    seen = []
    with (
        pytest.raises(core.ConnectionLostError),
        behind.read() as snapshot,
    ):
        for row in snapshot.stream("SELECT generate_series(1, 1000) AS n", size=10):
            seen.append(row["n"])
            if row["n"] == 55:
                proxy.cut("rst")

    assert seen == list(range(1, 61))
    assert behind.execute(COUNT).scalar() == 0


# -- where libpq has not noticed ----------------------------------------------


def let_next_wait_fail(store: PostgresStore, proxy: Proxy) -> None:
    """Let the kernel report an error on the socket, and nothing that could be read.

    As it does for a moment where a server is killed. Here it is the time stamp of the
    next packet, in the socket's queue of errors (Linux, networking/timestamping.rst).
    """
    idle, lent = store.pool.leases()
    (lease,) = [*idle, *lent]
    so_timestamping, tx_software, software = 37, 1 << 1, 1 << 4
    with socket.socket(fileno=os.dup(lease.connection.connection.fileno())) as end:
        end.setsockopt(socket.SOL_SOCKET, so_timestamping, tx_software | software)
    proxy.swallow()


@pytest.mark.parametrize("how", range(5))
def test_an_error_that_only_the_socket_knows_of_is_a_lost_connection(
    behind: PostgresStore, proxy: Proxy, how: int
) -> None:
    use = uses(behind)[how]
    behind.execute(COUNT)
    let_next_wait_fail(behind, proxy)
    with pytest.raises(core.StoreError) as caught:
        use()
    proxy.forward()

    # A write of its own may have been done before the connection broke.
    lone_write = how == 1
    told = core.OutcomeUnknownError if lone_write else core.ConnectionLostError
    assert type(caught.value) is told
    assert "broke" in str(caught.value)  # and not: was given up, at its deadline
    assert caught.value.retryable is not lone_write
    assert behind.execute(COUNT).scalar() <= lone_write
    assert behind.pool.stats.open == 1


@pytest.mark.parametrize("fault", ["statement", "commit"])
def test_an_error_that_only_the_socket_knows_of_in_a_transaction(
    behind: PostgresStore, proxy: Proxy, fault: str
) -> None:
    with pytest.raises(core.StoreError) as caught, behind.transaction() as tx:
        tx.execute(ADD, {"id": "u1"})
        let_next_wait_fail(behind, proxy)
        if fault == "statement":
            tx.execute(ADD, {"id": "u2"})
    proxy.forward()

    at_commit = fault == "commit"
    told = core.OutcomeUnknownError if at_commit else core.ConnectionLostError
    assert type(caught.value) is told
    assert "broke" in str(caught.value)
    assert behind.execute(COUNT).scalar() <= at_commit


def test_what_cannot_be_sent_is_no_lost_connection(open_postgres: Open) -> None:
    store = open_postgres(max_open_conns=1)
    lease = store.pool.acquire()
    many = 65_536  # one more than the protocol can count
    with pytest.raises(core.StatementError, match="number of parameters"):
        lease.connection.query(f"SELECT {', '.join(['%s'] * many)}", [1] * many)

    assert lease.connection.query("SELECT 1") == [(1,)]
    store.pool.release(lease)


# -- between statements of a transaction --------------------------------------


def test_a_session_that_is_killed_between_statements_ends_its_transaction(
    behind: PostgresStore, terminate: Callable[[], int]
) -> None:
    with (
        pytest.raises(core.ConnectionLostError, match="ended by the server"),
        behind.transaction() as tx,
    ):
        tx.execute(ADD, {"id": "u1"})
        terminate()
        tx.execute(ADD, {"id": "u2"})

    assert behind.execute(COUNT).scalar() == 0


def test_a_transaction_that_waits_too_long_is_ended_by_the_server(
    open_postgres: Open,
) -> None:
    store = open_postgres(idle_in_transaction_timeout=0.1, max_open_conns=1)
    with (
        pytest.raises(core.ConnectionLostError, match="idle_in_transaction_timeout"),
        store.transaction() as tx,
    ):
        tx.execute(ADD, {"id": "u1"})
        sleep(0.5)
        tx.execute(ADD, {"id": "u2"})

    assert store.execute(COUNT).scalar() == 0


def test_a_user_s_own_error_is_not_hidden_by_a_connection_that_is_gone(
    behind: PostgresStore, proxy: Proxy
) -> None:
    with pytest.raises(LookupError, match="mine"), behind.transaction() as tx:
        tx.execute(ADD, {"id": "u1"})
        proxy.cut("rst")
        raise LookupError("mine")

    assert behind.execute(COUNT).scalar() == 0
