"""The same work with the peers, each as its manual has it.

Their pools keep a connection for each thread, as mooring's does here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import sqlalchemy
from psycopg_pool import ConnectionPool

from benchmarks import workload
from benchmarks.measure import Case
from benchmarks.postgres_by_hand import INSERT, READ, WORKFLOW
from benchmarks.workload import KEYS, new_keys, workflow


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


class Asyncpg:
    """A pool of asyncpg's, which the tasks of one event loop share.

    Args:
        params: What `psycopg.connect` takes.
        size: How many connections it keeps.
    """

    def __init__(self, params: Mapping[str, Any], size: int) -> None:
        import asyncpg

        given = dict(params)
        given["database"] = given.pop("dbname")
        self._loop = asyncio.new_event_loop()

        async def connect() -> Any:
            return await asyncpg.create_pool(**given, min_size=size, max_size=size)

        self._pool = self._loop.run_until_complete(connect())
        self._read = READ.replace("%s", "$1")
        parts = INSERT.split("%s")
        numbered = [f"{part}${number}" for number, part in enumerate(parts[:-1], 1)]
        self._insert = "".join(numbered) + parts[-1]

    def close(self) -> None:
        """Close the pool, and the loop."""
        self._loop.run_until_complete(self._pool.close())
        self._loop.close()

    def read(self, keys: Sequence[str]) -> Any:
        """Read the workflow of each key, and return the last."""
        return self._loop.run_until_complete(self._read_all(keys))

    def transaction(self, keys: Sequence[str]) -> None:
        """Insert a workflow for each key in a transaction of its own."""
        self._loop.run_until_complete(self._insert_all(keys))

    def reads(self, tasks: int, repetitions: int) -> Case:
        """Return a case in which so many tasks read so many rows each."""
        keys = [KEYS[number % len(KEYS)] for number in range(repetitions)]
        return lambda _: self._seconds(self._read_all, [keys] * tasks)

    def transactions(self, tasks: int, repetitions: int) -> Case:
        """Return a case in which so many tasks insert so many rows each."""
        return lambda _: self._seconds(
            self._insert_all, [new_keys(repetitions) for _ in range(tasks)]
        )

    def _seconds(self, work: Any, shares: Sequence[Sequence[str]]) -> float:
        """Return the seconds for one key, where each share has a task of its own."""

        async def together() -> float:
            started = perf_counter()
            await asyncio.gather(*(work(share) for share in shares))
            return perf_counter() - started

        elapsed = self._loop.run_until_complete(together())
        return elapsed / sum(map(len, shares))

    async def _read_all(self, keys: Sequence[str]) -> Any:
        row = None
        for key in keys:
            async with self._pool.acquire() as connection:
                row = await connection.fetchrow(self._read, key)
        return row

    async def _insert_all(self, keys: Sequence[str]) -> None:
        for key in keys:
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(self._insert, key, *WORKFLOW)
