"""A statement whose time is up was stopped, or is done: never both."""

import sqlite3
from contextlib import closing

import pytest
from mooring_sqlite import _deadline

FILL = """
    CREATE TABLE t(a);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 30)
    INSERT INTO t SELECT i FROM n;
"""
WRITES = [
    "INSERT INTO t SELECT a + 100 FROM t",
    "INSERT INTO t SELECT a + 100 FROM t RETURNING a",
    "UPDATE t SET a = a + 100",
    "DELETE FROM t WHERE a % 2",
]


@pytest.mark.parametrize("write", WRITES)
def test_what_is_done_is_not_told_as_stopped(
    write: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite looks once more when a statement is committed."""
    seen = set()
    for instructions in range(20, 400):
        # Few between two looks, so that some are the one behind the COMMIT.
        monkeypatch.setattr(_deadline, "_TICK", instructions)
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.executescript(FILL)
            before = connection.execute("SELECT a FROM t").fetchall()
            deadline = _deadline.Deadline(connection, limit=1e-9)
            deadline.watch()
            try:
                connection.execute(write).fetchall()
            except sqlite3.OperationalError:
                told = "stopped"
            else:
                told = "done"
            deadline.unwatch()
            after = connection.execute("SELECT a FROM t").fetchall()
        assert told == ("stopped" if after == before else "done"), instructions
        seen.add(told)

    assert seen == {"stopped", "done"}
