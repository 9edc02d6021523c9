"""How often each use of a store waits for the server: counted, whatever the speed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from mooring import core
from mooring_postgres.testing import Proxy

READ = "SELECT * FROM workflow_states WHERE workflow_exec_id = :key"
INSERT = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status)"
    " VALUES (:key, 'greeting', 'created')"
)
TAKEN = {"key": "taken"}
# The same as psycopg takes them.
PLAIN_READ, PLAIN_INSERT = (
    sql.replace(":key", "%(key)s").encode() for sql in (READ, INSERT)
)

Use = Callable[[], object]
Count = Callable[[Use], int]


def connect(config: dict[str, Any]) -> psycopg.Connection[Any]:
    """Connect to the same with psycopg alone."""
    params: dict[str, Any] = dict(config)
    del params["driver"]
    params["options"] = f"-c search_path={params.pop('schema')}"
    return psycopg.connect(autocommit=True, **params)


@pytest.fixture
def far_config(proxy: Proxy, postgres_config: dict[str, Any]) -> dict[str, Any]:
    """A migrated schema, which is reached through the proxy."""
    with core.open(postgres_config) as store:
        store.execute(INSERT, TAKEN)
    return postgres_config | {"host": proxy.host, "port": proxy.port}


@pytest.fixture
def store(far_config: dict[str, Any]) -> Iterator[core.SqlStore]:
    with core.open(far_config) as store:
        yield store


@pytest.fixture
def plain(far_config: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    with connect(far_config) as connection:
        yield connection


@pytest.fixture
def count(proxy: Proxy) -> Count:
    """Count the round trips of one call."""

    def count(use: Use) -> int:
        before = proxy.round_trips
        use()
        return proxy.round_trips - before

    return count


def test_a_single_read_is_one_round_trip(store: core.SqlStore, count: Count) -> None:
    assert count(lambda: store.execute(READ, TAKEN).one()) == 1


def test_a_single_write_is_one_round_trip(store: core.SqlStore, count: Count) -> None:
    assert count(lambda: store.execute(INSERT, {"key": "new"})) == 1


def test_a_repeated_statement_is_prepared_in_one_more_as_psycopg_does_it(
    store: core.SqlStore, plain: psycopg.Connection[Any], count: Count
) -> None:
    ours = [count(lambda: store.execute(READ, TAKEN)) for _ in range(8)]
    theirs = [count(lambda: plain.execute(PLAIN_READ, TAKEN)) for _ in range(8)]

    assert ours == theirs
    assert sorted(ours) == [1, 1, 1, 1, 1, 1, 1, 2]


def test_a_transaction_has_no_round_trip_that_psycopg_has_not(
    store: core.SqlStore, plain: psycopg.Connection[Any], count: Count
) -> None:
    def ours() -> None:
        with store.transaction() as tx:
            tx.execute(INSERT, {"key": "ours"})

    def theirs() -> None:
        with plain.transaction():
            plain.execute(PLAIN_INSERT, {"key": "theirs"})

    assert count(ours) == count(theirs) == 3


def test_a_serializable_run_is_a_transaction(
    store: core.SqlStore, count: Count
) -> None:
    assert count(lambda: store.run(lambda tx: tx.execute(INSERT, {"key": "run"}))) == 3


def test_a_snapshot_adds_its_begin_and_its_end(
    store: core.SqlStore, count: Count
) -> None:
    def use() -> None:
        with store.read() as snapshot:
            snapshot.execute(READ, TAKEN).one()
            snapshot.execute(READ, TAKEN).one()

    assert count(use) == 2 + 2


def test_what_was_read_in_a_snapshot_stays_prepared(
    store: core.SqlStore, count: Count
) -> None:
    def use() -> None:
        with store.read() as snapshot:
            snapshot.execute(READ, TAKEN).one()

    for _ in range(6):
        use()

    assert count(use) == 3


@pytest.mark.parametrize("fails", [False, True], ids=["kept", "undone"])
def test_a_savepoint_adds_its_begin_and_its_end(
    store: core.SqlStore, count: Count, fails: bool
) -> None:
    def use() -> None:
        with store.transaction() as tx:
            try:
                with tx.savepoint():
                    tx.execute(INSERT, TAKEN if fails else {"key": "new"})
            except core.UniqueViolation:
                assert fails

    assert count(use) == 3 + 2


def test_a_failed_transaction_is_undone_in_one_round_trip(
    store: core.SqlStore, count: Count
) -> None:
    def use() -> None:
        with pytest.raises(core.UniqueViolation), store.transaction() as tx:
            tx.execute(INSERT, TAKEN)

    assert count(use) == 3


def test_opening_a_migrated_store_adds_four_round_trips_to_connecting(
    far_config: dict[str, Any], count: Count
) -> None:
    with ExitStack() as stack:
        opened = count(lambda: stack.enter_context(core.open(far_config)))
        connected = count(lambda: stack.enter_context(connect(far_config)))

    # Its settings read back, its schema, which of the tables there are, the versions.
    assert opened == connected + 4
