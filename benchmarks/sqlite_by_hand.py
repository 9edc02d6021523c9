"""What a person would write against plain ``sqlite3``: the floor of its suite."""

import sqlite3
from collections.abc import Sequence
from typing import Any

READ = "SELECT * FROM workflow_states WHERE workflow_exec_id = ?"
INSERT = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, input)"
    " VALUES (?, ?, ?, ?)"
)
WORKFLOW = ("greeting", "created", '{"name": "world"}')


def connect(path: str, *, shared: bool = False) -> sqlite3.Connection:
    """Open a migrated database, with the settings that mooring makes.

    Args:
        path: The file.
        shared: Whether threads may hand it to each other.
    """
    connection = sqlite3.connect(
        path, timeout=5.0, isolation_level=None, check_same_thread=not shared
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = 1")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cell_size_check = 1")
    return connection


class SqliteByHand:
    """One connection, for one thread at a time.

    Args:
        connection: The connection.
        read: The query that reads a row by its key.
    """

    def __init__(self, connection: sqlite3.Connection, read: str = READ) -> None:
        self._connection = connection
        self._read = read

    def read(self, keys: Sequence[str]) -> Any:
        """Read the row of each key, and return the last."""
        connection, sql = self._connection, self._read
        row = None
        for key in keys:
            row = connection.execute(sql, (key,)).fetchone()
        return row

    def snapshot(self, keys: Sequence[str]) -> Any:
        """Read each row in a transaction of its own, and return the last."""
        row = None
        connection, sql = self._connection, self._read
        for key in keys:
            connection.execute("BEGIN")
            row = connection.execute(sql, (key,)).fetchone()
            connection.execute("ROLLBACK")
        return row

    def further(self, keys: Sequence[str]) -> Any:
        """Read the row of each key, all in one transaction; return the last."""
        connection = self._connection
        connection.execute("BEGIN")
        row = self.read(keys)
        connection.execute("ROLLBACK")
        return row

    def nothing(self, keys: Sequence[str]) -> None:
        """Begin a transaction for each key, and end it."""
        connection = self._connection
        for _ in keys:
            connection.execute("BEGIN")
            connection.execute("ROLLBACK")

    def insert(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key by a single statement."""
        for key in keys:
            self._connection.execute(INSERT, (key, *WORKFLOW))

    def transaction(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key in a transaction of its own."""
        connection = self._connection
        for key in keys:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(INSERT, (key, *WORKFLOW))
            connection.execute("COMMIT")
