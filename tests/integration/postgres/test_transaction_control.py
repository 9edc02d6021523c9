# ruff: noqa: PT012 - blocks that raise are what is tested
"""How a transaction ends, psycopg and the server agree on what is prepared."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from mooring import core

INSERT = "INSERT INTO made (id) VALUES (:id)"
PID = "SELECT pg_backend_pid()"


class UndoneError(Exception):
    """Leaves a block so that its work is undone."""


@pytest.fixture
def store(postgres_config: dict[str, Any]) -> Iterator[core.SqlStore]:
    with core.open(postgres_config | {"max_open_conns": 1}, migrate="skip") as store:
        yield store


def make_and_fill(tx: Any) -> None:
    tx.execute("CREATE TABLE made (id integer)")
    for number in range(8):  # more than prepare_threshold
        tx.execute(INSERT, {"id": str(number)})
    raise UndoneError


def undo_transaction(store: core.SqlStore) -> None:
    with suppress(UndoneError), store.transaction() as tx:
        make_and_fill(tx)


def undo_savepoint(store: core.SqlStore) -> None:
    with store.transaction() as tx, suppress(UndoneError), tx.savepoint():
        make_and_fill(tx)


@pytest.mark.parametrize("undo", [undo_transaction, undo_savepoint])
def test_what_was_prepared_in_work_that_was_undone_is_prepared_anew(
    store: core.SqlStore, undo: Any
) -> None:
    undo(store)
    # Whoever still has the plan takes the value for an integer.
    store.execute("CREATE TABLE made (id text)")

    store.execute(INSERT, {"id": "one"})
    with store.transaction() as tx:
        tx.execute(INSERT, {"id": "two"})
    assert store.execute("SELECT count(*) FROM made").scalar() == 2


def test_a_commit_that_the_server_turns_into_a_rollback_is_an_error(
    store: core.SqlStore,
) -> None:
    before = store.execute(PID).scalar()
    with (
        pytest.raises(core.TransactionAbortedError, match="instead of committing"),
        store.transaction() as tx,
    ):
        tx.execute("CREATE TABLE made (id integer)")
        # Behind the back of the scope, as a failure that nobody reports.
        session: Any = tx._session  # type: ignore[attr-defined]  # no user sees it
        with pytest.raises(psycopg.errors.DivisionByZero):
            session.connection.execute("SELECT 1 / 0")

    # psycopg may believe in plans of what is gone: that connection is not used again.
    assert store.execute(PID).scalar() != before
    assert store.execute("SELECT to_regclass('made')").scalar() is None


ROUTINE = "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'"


def test_a_statement_behind_a_routine_does_not_end_the_transaction(
    store: core.SqlStore,
) -> None:
    store.execute("CREATE TABLE made (id integer)")
    with (
        pytest.raises(core.StatementError, match="multiple commands"),
        store.transaction() as tx,
    ):
        tx.execute("INSERT INTO made VALUES (1)")
        tx.execute(f"{ROUTINE}; COMMIT")

    assert store.execute("SELECT count(*) FROM made").scalar() == 0


def test_a_statement_behind_a_routine_does_not_reach_the_next_borrower(
    store: core.SqlStore,
) -> None:
    with pytest.raises(core.StatementError, match="multiple commands"):
        store.execute(f"{ROUTINE}; SET application_name = 'another'")

    assert store.execute("SHOW application_name").scalar() != "another"


def test_an_error_that_speaks_of_another_connection_does_not_end_this_one(
    store: core.SqlStore,
) -> None:
    before = store.execute(PID).scalar()
    # As dblink and postgres_fdw raise it, in a function that had an effect.
    failing = "DO $$ BEGIN RAISE 'no server' USING ERRCODE = '08001'; END $$"
    with pytest.raises(core.StatementError, match="no server"):
        store.execute(failing)
    with store.transaction() as tx:
        with pytest.raises(core.StatementError, match="no server"), tx.savepoint():
            tx.execute(failing)
        tx.execute("CREATE TABLE made (id integer)")

    assert store.execute("SELECT count(*) FROM made").scalar() == 0
    assert store.execute(PID).scalar() == before


@pytest.mark.parametrize(
    "sql",
    [
        "SET LOCAL transaction_read_only = off",
        "SET LOCAL \"transaction_isolation\" = 'read committed'",
        "SET LOCAL TRANSACTION READ WRITE",
    ],
)
def test_a_snapshot_cannot_be_made_to_write(store: core.SqlStore, sql: str) -> None:
    refused = pytest.raises(core.StatementNotAllowedError, match="how a transaction")
    with store.read() as snapshot, refused:
        snapshot.execute(sql)


def test_a_snapshot_keeps_nothing_not_even_a_notice(
    store: core.SqlStore, plain: Any
) -> None:
    plain.execute("LISTEN news")
    with suppress(UndoneError), store.read() as snapshot:
        snapshot.execute("NOTIFY news, 'undone'")
        raise UndoneError
    store.execute("NOTIFY news, 'kept'")

    assert next(plain.notifies(timeout=20)).payload == "kept"
