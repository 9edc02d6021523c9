# ruff: noqa: PT012 - blocks that raise are what is tested
"""Nothing waits or runs without end, and what ended says which setting to change."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from time import monotonic, sleep

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import OpenStore, Spawn
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import COUNT, ENDLESS, add

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
ENDLESS_WRITE = (
    NUMBERS.replace("SELECT i + 1 FROM n", "SELECT i FROM n")
    + "INSERT INTO users (id, email, role)"
    " SELECT 'u', 'e', 'user' FROM n WHERE i < 0"
)
# Where the holder has the only connection, that is what the others wait for.
BUSY = (core.StoreBusyError, core.PoolTimeoutError)


@contextmanager
def bounded() -> Iterator[None]:
    started = monotonic()
    yield

    assert monotonic() - started < PATIENCE


@contextmanager
def holding(store: core.SqlStore, spawn: Spawn, name: str) -> Iterator[None]:
    """Let another thread have changed a row, and stay in its transaction."""
    entered, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.transaction() as tx:
            tx.execute("UPDATE users SET role = 'admin' WHERE id = 'u1'")
            entered.set()
            done.wait(PATIENCE)

    held = spawn(hold, name=name)
    try:
        assert entered.wait(PATIENCE)
        yield
    finally:
        done.set()
        held.result(PATIENCE)


WAITS: dict[str, Callable[[core.SqlStore], object]] = {
    "execute": lambda store: store.execute(COUNT),
    "transaction": lambda store: store.transaction().__enter__(),
    "read": lambda store: store.read().__enter__(),
}


def count_users(tx: core.Transaction) -> object:
    return tx.execute(COUNT).scalar()


def ends_with_who_has_it(
    store: core.SqlStore, spawn: Spawn, use: Callable[[core.SqlStore], object]
) -> None:
    add(store, "u1")
    with (
        holding(store, spawn, "holder-1"),
        bounded(),
        pytest.raises(BUSY) as caught,
    ):
        use(store)

    assert "holder-1" in caught.value.message
    assert "_timeout" in str(caught.value)
    assert caught.value.retryable
    assert store.execute(COUNT).scalar() == 1


class DeadlinesContract:
    """Nothing waits or runs without end, and it says which setting to change."""

    @pytest.mark.parametrize("sql", [ENDLESS, ENDLESS_WRITE], ids=["read", "write"])
    def test_a_statement_past_its_deadline_is_stopped_and_changes_nothing(
        self, open_store: OpenStore, sql: str
    ) -> None:
        store = open_store(statement_timeout=0.2, max_open_conns=1)
        for _ in range(2):
            with bounded(), pytest.raises(core.StatementTimeoutError) as caught:
                store.execute(sql)

        assert caught.value.__cause__ is not None
        assert "statement_timeout" in str(caught.value)
        assert store.execute(COUNT).scalar() == 0
        add(store, "u1")
        assert store.execute(COUNT).scalar() == 1

    @pytest.mark.parametrize("sql", [ENDLESS, ENDLESS_WRITE], ids=["read", "write"])
    def test_a_deadline_inside_a_transaction_fails_it(
        self, open_store: OpenStore, sql: str
    ) -> None:
        store = open_store(statement_timeout=0.2, max_open_conns=1)
        with (
            bounded(),
            pytest.raises(core.TransactionAbortedError),
            store.transaction() as tx,
        ):
            add(tx, "u1")
            with pytest.raises(core.StatementTimeoutError):
                tx.execute(sql)
            add(tx, "u2")

        assert store.execute(COUNT).scalar() == 0

    @requires(Capability.SAVEPOINTS)
    def test_a_deadline_inside_a_savepoint_restores_its_parent(
        self,
        open_store: OpenStore,
    ) -> None:
        store = open_store(statement_timeout=0.2)
        with bounded(), store.transaction() as tx:
            add(tx, "u1")
            with pytest.raises(core.StatementTimeoutError), tx.savepoint():
                add(tx, "u2")
                tx.execute(ENDLESS)
            add(tx, "u3")

        assert store.execute(COUNT).scalar() == 2

    def test_a_snapshot_and_its_streams_have_the_deadline_too(
        self,
        open_store: OpenStore,
    ) -> None:
        store = open_store(statement_timeout=0.2, max_open_conns=1)
        with (
            bounded(),
            pytest.raises(core.StatementTimeoutError),
            store.read() as snapshot,
        ):
            snapshot.execute(ENDLESS)
        with (
            bounded(),
            pytest.raises(core.StatementTimeoutError),
            store.read() as snapshot,
        ):
            list(snapshot.stream(ENDLESS))

        assert store.execute(COUNT).scalar() == 0

    def test_what_its_reader_does_between_rows_does_not_count(
        self,
        open_store: OpenStore,
    ) -> None:
        store = open_store(statement_timeout=0.2)
        found = []
        with store.read() as snapshot:
            for row in snapshot.stream(NUMBERS + "SELECT i FROM n LIMIT 6", size=2):
                sleep(0.06)
                found.append(row["i"])

        assert found == [1, 2, 3, 4, 5, 6]

    def test_no_deadline_is_possible(self, open_store: OpenStore) -> None:
        store = open_store(statement_timeout=0)
        sql = NUMBERS.replace("FROM n)", "FROM n WHERE i < 300000)") + (
            "SELECT count(*) FROM n"
        )

        assert store.execute(sql).scalar() == 300_000

    def test_waiting_for_a_row_that_another_changes_ends(
        self, open_hasty: OpenStore, spawn: Spawn
    ) -> None:
        """Or does not begin, where conflicts are told at once."""
        refused = (*BUSY, core.SerializationError)
        store = open_hasty()
        add(store, "u1")
        with holding(store, spawn, "holder-1"), bounded():
            with pytest.raises(refused) as caught, store.transaction() as tx:
                tx.execute("UPDATE users SET role = 'user' WHERE id = 'u1'")
            with pytest.raises(refused):
                store.execute("UPDATE users SET role = 'user'")

        assert caught.value.retryable
        assert caught.value.hint is not None
        assert store.execute("SELECT role FROM users").scalar() == "admin"

    @pytest.mark.parametrize("use", WAITS.values(), ids=WAITS)
    def test_waiting_for_a_connection_ends_with_who_has_it_and_how_long(
        self,
        open_hasty: OpenStore,
        spawn: Spawn,
        use: Callable[[core.SqlStore], object],
    ) -> None:
        ends_with_who_has_it(open_hasty(max_open_conns=1), spawn, use)

    @requires(Capability.SERIALIZABLE)
    def test_run_waits_for_a_connection_like_a_transaction(
        self, open_hasty: OpenStore, spawn: Spawn
    ) -> None:
        store = open_hasty(max_open_conns=1)
        ends_with_who_has_it(store, spawn, lambda store: store.run(count_users))

    @requires(Capability.CONCURRENT_SNAPSHOTS)
    def test_an_exhausted_pool_says_its_numbers_and_who_holds(
        self,
        open_hasty: OpenStore,
    ) -> None:
        most = 4
        store = open_hasty(max_open_conns=most)
        held = []
        with bounded():
            with pytest.raises(core.PoolTimeoutError) as caught:
                for _ in range(most + 1):
                    block = store.read()
                    # Each in a context of its own, as if in a thread of its own.
                    Context().run(block.__enter__)
                    held.append(block)
            for block in held:
                block.__exit__(None, None, None)

        assert 0 < len(held) <= most
        assert f"{len(held)} of {len(held)}" in caught.value.message
        assert "MainThread" in caught.value.message
        assert caught.value.hint is not None
        assert "max_open_conns" in caught.value.hint
        assert store.execute(COUNT).scalar() == 0

    def test_who_waits_is_served_when_the_holder_leaves(
        self, store: core.SqlStore, spawn: Spawn
    ) -> None:
        add(store, "u1")
        with holding(store, spawn, "holder-1"):
            waiting = [spawn(add, store, f"v{number}") for number in range(5)]
            sleep(0.1)
        for future in waiting:
            future.result(PATIENCE)

        assert store.execute(COUNT).scalar() == 6
