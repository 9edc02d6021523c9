"""Point reads of a SQLite file with the peers, each as its manual has it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from benchmarks import tasks


class SqlAlchemyCore:
    """An engine whose pool keeps the connection, and SQL as text."""

    def __init__(self, path: str) -> None:
        import sqlalchemy

        self._engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        self._read = sqlalchemy.text(tasks.READ)
        self.close = self._engine.dispose

    def read(self, keys: Sequence[str]) -> Any:
        """Read the row of each key, and return the last."""
        row = None
        for key in keys:
            with self._engine.connect() as connection:
                row = connection.execute(self._read, {"key": key}).one()
        return row


class Peewee:
    """A database object, and SQL as text."""

    def __init__(self, path: str) -> None:
        from peewee import SqliteDatabase

        # Half of its methods are annotated.
        self._database: Any = SqliteDatabase(path)
        self.close = self._database.close

    def read(self, keys: Sequence[str]) -> Any:
        """Read the row of each key, and return the last."""
        row = None
        for key in keys:
            found = self._database.execute_sql(tasks.READ_BY_POSITION, (key,))
            row = found.fetchone()
        return row


class AioSqlite:
    """A connection, whose thread the event loop talks to."""

    def __init__(self, path: str) -> None:
        import aiosqlite

        self._loop = asyncio.new_event_loop()

        async def connect() -> Any:
            return await aiosqlite.connect(path)

        self._connection = self._loop.run_until_complete(connect())

    def read(self, keys: Sequence[str]) -> Any:
        """Read the row of each key, and return the last."""
        return self._loop.run_until_complete(self._read_all(keys))

    async def _read_all(self, keys: Sequence[str]) -> Any:
        row = None
        for key in keys:
            sql = tasks.READ_BY_POSITION
            async with self._connection.execute(sql, (key,)) as cursor:
                row = await cursor.fetchone()
        return row

    def close(self) -> None:
        """Close the connection, and the loop."""
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()


class Apsw:
    """A connection of APSW, which brings a SQLite of its own.

    Nobody else may have its file open in this process: one copy of SQLite would drop
    the locks of the other.
    """

    def __init__(self, path: str) -> None:
        import apsw

        self._connection = apsw.Connection(path)
        self.close = self._connection.close

    def read(self, keys: Sequence[str]) -> Any:
        """Read the row of each key, and return the last."""
        row = None
        for key in keys:
            row = self._connection.execute(tasks.READ_BY_POSITION, (key,)).fetchone()
        return row
