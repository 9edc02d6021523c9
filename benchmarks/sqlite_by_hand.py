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


def connect(path: str) -> sqlite3.Connection:
    """Open a migrated database, with the settings that mooring makes."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = 1")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cell_size_check = 1")
    return connection


class SqliteByHand:
    """One connection, for one thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def read(self, keys: Sequence[str]) -> Any:
        """Read the workflow of each key, and return the last."""
        connection = self._connection
        row = None
        for key in keys:
            row = connection.execute(READ, (key,)).fetchone()
        return row

    def snapshot(self, keys: Sequence[str]) -> Any:
        """Read each workflow in a transaction of its own, and return the last."""
        row = None
        connection = self._connection
        for key in keys:
            connection.execute("BEGIN")
            row = connection.execute(READ, (key,)).fetchone()
            connection.execute("ROLLBACK")
        return row

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
