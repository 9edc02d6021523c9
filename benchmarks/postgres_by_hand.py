"""What a person would write against plain psycopg: the floor of its suite."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

READ = "SELECT * FROM workflow_states WHERE workflow_exec_id = %s"
INSERT = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, input)"
    " VALUES (%s, %s, %s, %s)"
)
WORKFLOW = ("greeting", "created", '{"name": "world"}')


class PsycopgByHand:
    """One connection in autocommit, for one thread at a time; and one for snapshots.

    Args:
        params: What `psycopg.connect` takes.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._connection = psycopg.connect(autocommit=True, **params)
        self._reader = psycopg.connect(autocommit=True, **params)
        self._reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._reader.read_only = True

    def close(self) -> None:
        """Close both connections."""
        self._connection.close()
        self._reader.close()

    def read(self, keys: Sequence[str]) -> Any:
        """Read the workflow of each key, and return the last."""
        connection = self._connection
        row = None
        for key in keys:
            row = connection.execute(READ, (key,)).fetchone()
        return row

    def read_by_one_cursor(self, keys: Sequence[str]) -> Any:
        """Read the workflow of each key, and return the last."""
        row = None
        with self._connection.cursor() as cursor:
            for key in keys:
                row = cursor.execute(READ, (key,)).fetchone()
        return row

    def snapshot(self, keys: Sequence[str]) -> Any:
        """Read each workflow in a transaction of its own, and return the last."""
        row = None
        for key in keys:
            with self._reader.transaction():
                row = self._reader.execute(READ, (key,)).fetchone()
        return row

    def insert(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key by a single statement."""
        for key in keys:
            self._connection.execute(INSERT, (key, *WORKFLOW))

    def transaction(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key in a transaction of its own."""
        connection = self._connection
        for key in keys:
            with connection.transaction():
                connection.execute(INSERT, (key, *WORKFLOW))
