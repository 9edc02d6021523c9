"""The same work with psycopg_pool and with SQLAlchemy Core, each as its manual has it.

Their pools keep a connection for each thread, as mooring's does here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy
from psycopg_pool import ConnectionPool

from benchmarks import workload
from benchmarks.postgres_by_hand import INSERT, READ, WORKFLOW
from benchmarks.workload import workflow


class PsycopgPool:
    """Connections in autocommit, which any number of threads may share.

    Args:
        params: What `psycopg.connect` takes.
        size: How many connections it keeps.
    """

    def __init__(self, params: Mapping[str, Any], size: int) -> None:
        self._pool = ConnectionPool(
            kwargs={"autocommit": True, **params}, min_size=size, open=True
        )
        self._pool.wait()
        self.close = self._pool.close

    def read(self, keys: Sequence[str]) -> Any:
        """Read the workflow of each key, and return the last."""
        row = None
        for key in keys:
            with self._pool.connection() as connection:
                row = connection.execute(READ, (key,)).fetchone()
        return row

    def insert(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key by a single statement."""
        for key in keys:
            with self._pool.connection() as connection:
                connection.execute(INSERT, (key, *WORKFLOW))

    def transaction(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key in a transaction of its own."""
        for key in keys:
            with self._pool.connection() as connection, connection.transaction():
                connection.execute(INSERT, (key, *WORKFLOW))


class SqlAlchemy:
    """An engine, which any number of threads may share.

    Args:
        params: What `psycopg.connect` takes.
        size: How many connections its pool keeps.
        options: Further arguments of `sqlalchemy.create_engine`.
    """

    def __init__(self, params: Mapping[str, Any], size: int, **options: Any) -> None:
        self._engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", connect_args=params, pool_size=size, **options
        )
        self.close = self._engine.dispose
        self._read = sqlalchemy.text(workload.READ)
        self._insert = sqlalchemy.text(workload.INSERT)

    def read(self, keys: Sequence[str]) -> Any:
        """Read the workflow of each key, and return the last."""
        row = None
        for key in keys:
            with self._engine.connect() as connection:
                row = connection.execute(self._read, {"key": key}).one()
        return row

    def insert(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key, each in a block that commits."""
        for key in keys:
            with self._engine.begin() as connection:
                connection.execute(self._insert, workflow(key))
