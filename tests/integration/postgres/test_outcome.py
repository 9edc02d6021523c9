# ruff: noqa: PT012 - blocks that raise are what is tested
"""Whether work was committed: yes, no, or not known, and never run twice for it."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from os import getpid, kill
from signal import SIGINT
from threading import Barrier
from time import monotonic, sleep
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import DatabaseServer, PostgresServer, Proxy

Open = Callable[..., PostgresStore]
Spawn = Callable[..., "Future[Any]"]

PATIENCE = 20.0
ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
LONE = "INSERT INTO users (id, email, role) VALUES ('u1', 'u1', 'user')"
COUNT = "SELECT count(*) FROM users"
# With the end of its text: READ COMMITTED is no COMMIT.
COMMIT = b"COMMIT\0"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def behind(open_postgres: Open, proxy: Proxy) -> PostgresStore:
    """A store of one connection, through the proxy."""
    return open_postgres(host=proxy.host, port=proxy.port, max_open_conns=1)


@pytest.fixture
def straight(open_postgres: Open, behind: PostgresStore) -> PostgresStore:
    """A store on the same tables, past the proxy."""
    return open_postgres()


@pytest.fixture(scope="module")
def lonely_server() -> Iterator[PostgresServer]:
    """A server whose commits wait for a synchronous standby that is not there."""
    with PostgresServer(settings={"synchronous_standby_names": "gone"}) as server:
        yield server


@pytest.fixture
def unreplicated(open_postgres: Open, lonely_server: PostgresServer) -> Open:
    """Open a store that is migrated and whose commits wait for the standby."""

    def run(**options: Any) -> PostgresStore:
        url = f"{lonely_server.url()}?options=-c%20synchronous_commit%3Dlocal"
        open_postgres(conn_string=url).close()
        return open_postgres(**lonely_server.params(), **options)

    return run


def count_when_there(store: PostgresStore) -> object:
    """Return how many rows there are, soon after the server went on."""
    deadline = monotonic() + PATIENCE
    while store.execute(COUNT).scalar() == 0 and monotonic() < deadline:
        sleep(0.01)
    return store.execute(COUNT).scalar()


def wait_for_standby(server: DatabaseServer) -> None:
    """Wait until a commit waits for the standby."""
    deadline = monotonic() + PATIENCE
    with server.connect() as connection:
        while connection.execute(WAITS).fetchone() == (0,):
            assert monotonic() < deadline
            sleep(0.01)


def cancel(server: DatabaseServer, how: str) -> None:
    """End the wait for the standby, as an operator would."""
    wait_for_standby(server)
    with server.connect() as connection:
        query = f"SELECT {how}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        connection.execute(query.encode())


# -- the answer is lost -------------------------------------------------------


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("block", ["transaction", "run"])
def test_a_commit_whose_answer_is_lost_is_unknown_and_not_run_again(
    behind: PostgresStore, straight: PostgresStore, proxy: Proxy, how: Any, block: str
) -> None:
    calls = []

    def work(tx: core.Transaction) -> None:
        calls.append(tx)
        tx.execute(ADD, {"id": "u1"})

    proxy.cut_before_answer(COMMIT, how)
    with pytest.raises(core.OutcomeUnknownError) as caught:
        if block == "run":
            behind.run(work)
        else:
            with behind.transaction() as tx:
                work(tx)

    assert proxy.cuts == 1
    assert len(calls) == 1
    assert straight.execute(COUNT).scalar() == 1
    assert not caught.value.retryable
    assert "look at the data" in (caught.value.hint or "")
    assert behind.execute(COUNT).scalar() == 1


def test_a_commit_that_does_not_reach_the_server_is_unknown_too(
    behind: PostgresStore, straight: PostgresStore, proxy: Proxy
) -> None:
    with pytest.raises(core.OutcomeUnknownError), behind.transaction() as tx:
        tx.execute(ADD, {"id": "u1"})
        proxy.cut_after(1, to="server", how="rst")

    assert straight.execute(COUNT).scalar() == 0
    assert behind.execute(COUNT).scalar() == 0


@pytest.mark.parametrize(
    ("sql", "doomed"),
    [
        (LONE, b"INSERT INTO users"),
        (f"WITH n AS ({LONE} RETURNING id) SELECT id FROM n", b"WITH n AS"),
    ],
    ids=["INSERT", "WITH"],
)
def test_a_lone_write_whose_answer_is_lost_is_unknown(
    behind: PostgresStore,
    straight: PostgresStore,
    proxy: Proxy,
    sql: str,
    doomed: bytes,
) -> None:
    proxy.cut_before_answer(doomed)
    with pytest.raises(core.OutcomeUnknownError) as caught:
        behind.execute(sql)

    assert straight.execute(COUNT).scalar() == 1
    assert not caught.value.retryable


def test_a_lone_read_whose_answer_is_lost_is_not(
    behind: PostgresStore, proxy: Proxy
) -> None:
    proxy.cut_before_answer(b"SELECT count")
    with pytest.raises(core.ConnectionLostError):
        behind.execute(COUNT)


def test_the_end_of_a_snapshot_commits_nothing_that_could_be_unknown(
    behind: PostgresStore, proxy: Proxy
) -> None:
    with behind.read() as snapshot:
        found = snapshot.execute(COUNT).scalar()
        proxy.cut_before_answer(b"ROLLBACK\0")

    assert found == 0
    assert proxy.cuts == 1
    assert behind.execute(COUNT).scalar() == 0


# -- the server says no -------------------------------------------------------


def test_a_commit_that_the_server_answers_by_rolling_back_is_an_error(
    behind: PostgresStore, straight: PostgresStore
) -> None:
    with pytest.raises(core.TransactionAbortedError), behind.transaction() as tx:
        tx.execute(ADD, {"id": "u1"})
        # What a driver that hid an error from its caller would do.
        session = behind.pool.leases()[1][0].connection
        with pytest.raises(core.StatementError):
            session.query("SELECT no_such_column")

    assert straight.execute(COUNT).scalar() == 0


def test_a_constraint_that_is_checked_at_commit_refuses_it(
    behind: PostgresStore, straight: PostgresStore
) -> None:
    behind.execute(
        "CREATE TABLE pairs (a int PRIMARY KEY,"
        " b int REFERENCES pairs DEFERRABLE INITIALLY DEFERRED)"
    )
    with pytest.raises(core.ForeignKeyViolation), behind.transaction() as tx:
        tx.execute(ADD, {"id": "u1"})
        tx.execute("INSERT INTO pairs VALUES (1, 2)")
    with pytest.raises(core.IntegrityError):
        behind.execute("INSERT INTO pairs VALUES (1, 2)")

    assert straight.execute(COUNT).scalar() == 0
    assert straight.execute("SELECT count(*) FROM pairs").scalar() == 0


@pytest.mark.parametrize("wait", [False, True], ids=["conflict", "deadlock"])
def test_run_repeats_what_the_server_rolled_back_for_another(
    open_postgres: Open, spawn: Spawn, wait: bool
) -> None:
    store = open_postgres()
    store.execute("CREATE TABLE counters (id int PRIMARY KEY, n int)")
    store.execute("INSERT INTO counters VALUES (1, 0), (2, 0)")
    both = Barrier(2)
    calls = [0, 0]

    def work(worker: int) -> None:
        def add(tx: core.Transaction) -> None:
            calls[worker] += 1
            first, second = (1, 2) if worker else (2, 1)
            if wait:
                tx.execute(
                    "UPDATE counters SET n = n + 1 WHERE id = :id", {"id": first}
                )
            else:
                tx.execute("SELECT sum(n) FROM counters")
            if calls[worker] == 1:
                both.wait(PATIENCE)
            tx.execute("UPDATE counters SET n = n + 1 WHERE id = :id", {"id": second})

        store.run(add)

    for future in [spawn(work, 0), spawn(work, 1)]:
        future.result(PATIENCE)

    assert sum(calls) == 3
    assert store.execute("SELECT sum(n) FROM counters").scalar() == (4 if wait else 2)


# -- on this server, and not on its standby -----------------------------------


@pytest.mark.parametrize("how", ["pg_cancel_backend", "pg_terminate_backend"])
@pytest.mark.parametrize("lone", [True, False], ids=["statement", "transaction"])
def test_a_commit_that_no_longer_waits_for_the_standby_is_unknown(
    unreplicated: Open,
    lonely_server: PostgresServer,
    spawn: Spawn,
    how: str,
    lone: bool,
) -> None:
    store = unreplicated()

    def write() -> None:
        if lone:
            store.execute(ADD, {"id": "u1"})
        else:
            with store.transaction() as tx:
                tx.execute(ADD, {"id": "u1"})

    future = spawn(write)
    cancel(lonely_server, how)
    with pytest.raises(core.OutcomeUnknownError) as caught:
        future.result(PATIENCE)

    assert not caught.value.retryable
    assert count_when_there(store) == 1


@pytest.mark.parametrize("lone", [True, False], ids=["statement", "transaction"])
def test_a_commit_that_waits_for_the_standby_past_the_deadline_is_unknown(
    unreplicated: Open, lonely_server: PostgresServer, lone: bool
) -> None:
    store = unreplicated(statement_timeout=0.2)
    with pytest.raises(core.OutcomeUnknownError, match="statement_timeout"):
        if lone:
            store.execute(ADD, {"id": "u1"})
        else:
            with store.transaction() as tx:
                tx.execute(ADD, {"id": "u1"})
    # Nobody sees the row until the server has given up to wait, which it does not do
    # by itself, and then it is there.
    assert store.execute(COUNT).scalar() == 0
    cancel(lonely_server, "pg_cancel_backend")

    assert count_when_there(store) == 1


def test_what_was_unknown_once_is_not_told_of_the_next_statement(
    unreplicated: Open, lonely_server: PostgresServer, spawn: Spawn
) -> None:
    store = unreplicated(max_open_conns=1)
    lease = store.pool.acquire()
    try:
        # As the schema of the configuration is made.
        future = spawn(lease.connection.control, "CREATE SCHEMA made_by_us")
        cancel(lonely_server, "pg_cancel_backend")
        with pytest.raises(core.OutcomeUnknownError):
            future.result(PATIENCE)
    finally:
        store.pool.release(lease)

    assert store.execute(COUNT).scalar() == 0


def test_what_ctrl_c_left_unknown_is_not_told_of_the_next_statement(
    unreplicated: Open, lonely_server: PostgresServer, spawn: Spawn
) -> None:
    store = unreplicated(max_open_conns=1)

    def interrupt() -> None:
        wait_for_standby(lonely_server)
        kill(getpid(), SIGINT)

    future = spawn(interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.execute(ADD, {"id": "u1"})
        sleep(PATIENCE)
    future.result(PATIENCE)

    assert store.execute(COUNT).scalar() == 1
