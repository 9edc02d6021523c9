"""What a store asks of SQLite, counted: nothing that a person would not ask by hand.

A round trip costs no network here, but each statement is some microseconds of a point
read that has few. `tests/packaging/test_start_syncs` counts the flushes.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from mooring import core
from mooring_sqlite._store import SqliteStore

READ = "SELECT * FROM users WHERE id = :id"
ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
BEGIN, COMMIT = "BEGIN IMMEDIATE", "COMMIT"

# The most that it takes until the first statement of a user: on a database that is
# migrated, settings, what they read back as, and the schema's version; on a new one the
# four migrations too. Fewer are welcome; more must be worth it to every start.
AT_HEAD, NEW = 22, 72
# The most calls into Python of a point read - `execute`, its text and values, a
# connection that is lent and given back, the statement that is run, and its result -
# and of a transaction with one.
CALLS, CALLS_OF_A_TRANSACTION = 8, 24


def added(key: str) -> str:
    return ADD.replace(":id", f"'{key}'")


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[core.SqlStore]:
    path = str(tmp_path / "app.db") if request.param == "file" else ":memory:"
    with core.open({"driver": "sqlite", "path": path}) as store:
        yield store


@pytest.fixture
def sent(store: core.SqlStore) -> Callable[[], list[str]]:
    """What was sent since it was asked last, on each connection."""
    assert isinstance(store, SqliteStore)
    found: list[str] = []
    store.execute(READ, {"id": "none"})  # a reader is there from now on
    with store.transaction():
        pass
    for pool in store.pools():
        (session,) = pool.inspect(lambda session: session)
        session.connection.set_trace_callback(found.append)

    def take() -> list[str]:
        taken = [" ".join(sql.split()) for sql in found]
        found.clear()
        return taken

    return take


def test_a_single_statement_is_sent_alone(
    store: core.SqlStore, sent: Callable[[], list[str]]
) -> None:
    store.execute(READ, {"id": "u1"}).one_or_none()
    assert sent() == [READ.replace(":id", "'u1'")]


def test_a_statement_that_is_known_to_write_is_sent_once(
    store: core.SqlStore, sent: Callable[[], list[str]]
) -> None:
    store.execute(ADD, {"id": "u1"})
    sent()
    store.execute(ADD, {"id": "u2"})
    assert sent() == [added("u2")]


def test_a_transaction_adds_its_begin_and_its_end(
    store: core.SqlStore, sent: Callable[[], list[str]]
) -> None:
    with store.transaction() as tx:
        tx.execute(ADD, {"id": "u1"})
        tx.execute(ADD, {"id": "u2"})
    assert sent() == [BEGIN, added("u1"), added("u2"), COMMIT]

    store.run(lambda tx: tx.execute(ADD, {"id": "u3"}))
    assert sent() == [BEGIN, added("u3"), COMMIT]


def test_a_savepoint_adds_two_statements(
    store: core.SqlStore, sent: Callable[[], list[str]]
) -> None:
    with store.transaction() as tx, tx.savepoint():
        tx.execute(ADD, {"id": "u1"})
    begin, savepoint, add, release, commit = sent()
    assert (begin, add, commit) == (BEGIN, added("u1"), COMMIT)
    assert savepoint.startswith("SAVEPOINT ")
    assert release.startswith("RELEASE ")


def test_a_snapshot_adds_its_begin_and_its_end(
    store: core.SqlStore, sent: Callable[[], list[str]]
) -> None:
    read = READ.replace(":id", "'u1'")
    with store.read() as snapshot:
        for _ in range(3):
            snapshot.execute(READ, {"id": "u1"})
    found = sent()
    if len(store.capabilities & {core.Capability.CONCURRENT_SNAPSHOTS}) == 0:
        # The one connection must not write meanwhile.
        assert found.pop(0) == "PRAGMA query_only = 1"
        assert found.pop() == "PRAGMA query_only = 0"
    assert found == ["BEGIN", read, read, read, "ROLLBACK"]


@pytest.mark.parametrize("times", [1, 5])
def test_a_connection_is_lent_without_a_question(
    store: core.SqlStore, sent: Callable[[], list[str]], times: int
) -> None:
    for _ in range(times):
        store.execute(READ, {"id": "u1"})
    assert len(sent()) == times


def opened(path: Path) -> list[str]:
    """Return what a process sends until a database is open, and after its close."""
    code = """
        import json, sqlite3, sys
        found, connect = [], sqlite3.connect

        def traced(*args, **options):
            connection = connect(*args, **options)
            if args[0] != ":memory:":  # which asks the library, not the database
                connection.set_trace_callback(found.append)
            return connection

        sqlite3.connect = traced
        from mooring import core
        with core.open({"driver": "sqlite", "path": sys.argv[1]}):
            print(json.dumps(found))
        """
    command = [sys.executable, "-c", dedent(code), str(path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    sent: Any = json.loads(done.stdout)
    return [sql for sql in sent if not sql.startswith("--")]


def test_opening_sends_few_statements(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    new, at_head = opened(path), opened(path)

    assert len(new) <= NEW, new
    assert len(at_head) <= AT_HEAD, at_head
    assert "PRAGMA foreign_keys = 1" in at_head
    assert [sql for sql in at_head if sql.startswith(("BEGIN", "CREATE"))] == []
    # All pending migrations share one transaction.
    assert [sql for sql in new if sql.startswith(("BEGIN", "COMMIT"))] == [
        BEGIN,
        COMMIT,
    ]


def called(work: Callable[[], object]) -> list[str]:
    """Return the functions of ours that *work* calls."""
    calls: list[str] = []

    def profile(frame: Any, event: str, _: object) -> None:
        # Whatever else runs now, such as a hook of the garbage collector, is not ours.
        module = str(frame.f_globals.get("__name__"))
        if event == "call" and module.startswith("mooring"):
            calls.append(frame.f_code.co_qualname)

    work()  # once before: the first time is another one
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_reads_and_transactions_call_few_functions(store: core.SqlStore) -> None:
    """Calls into Python are what their time consists of, beside SQLite's own."""

    def transaction() -> None:
        with store.transaction() as tx:
            tx.execute(READ, {"id": "u1"})

    reads = called(lambda: store.execute(READ, {"id": "u1"}))
    transactions = called(transaction)

    assert 0 < len(reads) <= CALLS, reads
    assert 0 < len(transactions) <= CALLS_OF_A_TRANSACTION, transactions
