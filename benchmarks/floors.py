"""Statements by hand: what a person would write against plain ``sqlite3``."""

import sqlite3
from collections.abc import Sequence

READ = "SELECT * FROM workflow_states WHERE workflow_exec_id = ?"
INSERT = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, input)"
    " VALUES (?, ?, ?, ?)"
)
WORKFLOW, STATUS, INPUT = "greeting", "created", '{"name": "world"}'


def connect(path: str) -> sqlite3.Connection:
    """Open a migrated database, with the settings that mooring makes."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = 1")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cell_size_check = 1")
    return connection


def read(connection: sqlite3.Connection, keys: Sequence[str]) -> None:
    """Read a workflow by its primary key, for each of the *keys*."""
    for key in keys:
        connection.execute(READ, (key,)).fetchone()


def snapshot(connection: sqlite3.Connection, keys: Sequence[str]) -> None:
    """Read each in a transaction of its own."""
    for key in keys:
        connection.execute("BEGIN")
        connection.execute(READ, (key,)).fetchone()
        connection.execute("ROLLBACK")


def insert(connection: sqlite3.Connection, keys: Sequence[str]) -> None:
    """Insert each workflow; SQLite commits each statement."""
    for key in keys:
        connection.execute(INSERT, (key, WORKFLOW, STATUS, INPUT))


def transaction(connection: sqlite3.Connection, keys: Sequence[str]) -> None:
    """Insert each workflow in a transaction of its own."""
    for key in keys:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(INSERT, (key, WORKFLOW, STATUS, INPUT))
        connection.execute("COMMIT")
