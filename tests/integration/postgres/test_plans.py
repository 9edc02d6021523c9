"""Statements that the server keeps prepared, when the tables under them change."""

from collections.abc import Callable

import pytest
from mooring import core
from mooring_postgres import PostgresStore

Open = Callable[..., PostgresStore]

ALL = "SELECT * FROM things"
PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%things'"


@pytest.fixture
def store(open_postgres: Open) -> PostgresStore:
    """A store of one connection that has `ALL` prepared."""
    store = open_postgres(max_open_conns=1, prepare_threshold=1)
    store.execute("CREATE TABLE things (id int)")
    store.execute("INSERT INTO things VALUES (1)")
    for _ in range(3):
        store.execute(ALL)

    assert store.execute(PREPARED).scalar() == 1
    return store


@pytest.fixture
def change(open_postgres: Open, store: PostgresStore) -> Callable[[], object]:
    """Add a column over another connection."""
    other = open_postgres()
    return lambda: other.execute("ALTER TABLE things ADD COLUMN name text DEFAULT 'x'")


def test_a_plan_that_became_stale_is_made_anew(
    store: PostgresStore, change: Callable[[], object]
) -> None:
    pid = store.execute("SELECT pg_backend_pid()").scalar()
    change()
    row = store.execute(ALL).one()

    for _ in range(3):
        store.execute(ALL)

    assert (row["id"], row["name"]) == (1, "x")
    assert store.execute(PREPARED).scalar() == 1
    assert store.execute("SELECT pg_backend_pid()").scalar() == pid


@pytest.mark.parametrize("block", ["transaction", "read"])
def test_a_plan_that_became_stale_fails_a_scope_so_that_it_can_be_repeated(
    store: PostgresStore, change: Callable[[], object], block: str
) -> None:
    change()
    with (
        pytest.raises(core.SerializationError, match="columns of a table") as caught,
        getattr(store, block)() as scope,
    ):
        scope.execute(ALL)

    assert caught.value.retryable
    with getattr(store, block)() as scope:
        assert scope.execute(ALL).one()["name"] == "x"


def test_run_repeats_what_met_a_stale_plan(
    store: PostgresStore, change: Callable[[], object]
) -> None:
    change()
    calls = []

    def look(tx: core.Transaction) -> object:
        calls.append(tx)
        return tx.execute(ALL).one()["name"]

    assert store.run(look) == "x"
    assert len(calls) == 2


def test_a_savepoint_does_not_hide_that_a_plan_is_stale(
    store: PostgresStore, change: Callable[[], object]
) -> None:
    change()
    with store.transaction() as tx:
        with pytest.raises(core.SerializationError), tx.savepoint():
            tx.execute(ALL)
        tx.execute("INSERT INTO things VALUES (2)")

    assert [row["id"] for row in store.execute(ALL)] == [1, 2]


def test_a_plan_whose_table_is_gone_is_an_error_and_then_works_again(
    open_postgres: Open, store: PostgresStore
) -> None:
    other = open_postgres()
    other.execute("DROP TABLE things")
    with pytest.raises(core.StatementError, match="does not exist"):
        store.execute(ALL)
    other.execute("CREATE TABLE things (name text)")

    assert store.execute(ALL).all() == []


def test_nothing_is_prepared_without_a_threshold(open_postgres: Open) -> None:
    store = open_postgres(max_open_conns=1, prepare_threshold=0)
    store.execute("CREATE TABLE things (id int)")
    for _ in range(10):
        store.execute(ALL)

    assert store.execute(PREPARED).scalar() == 0
