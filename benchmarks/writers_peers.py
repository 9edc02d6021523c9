"""The same transactions with the peers, each as its manual has it for many threads.

All of them begin with ``BEGIN IMMEDIATE``, since a transaction that reads first and
writes later fails at once beside another one, and wait for 5 s as mooring does. All
have the settings of `sqlite_by_hand.connect`.
"""

import ctypes
from contextlib import closing
from typing import Any

from benchmarks.tasks import (
    INPUT,
    INSERT,
    INSERT_BY_POSITION,
    UPDATE,
    UPDATE_BY_POSITION,
    Write,
)

_BUSY_SECONDS = 5.0
_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA foreign_keys = 1",
    "PRAGMA synchronous = FULL",
    "PRAGMA cell_size_check = 1",
)


class SqlAlchemy:
    """One engine with a connection for each thread, and SQL as text.

    Its events are those of "Enabling Non-Legacy SQLite Transactional Modes" in its
    manual.
    """

    def __init__(self, path: str, threads: int) -> None:
        import sqlalchemy
        from sqlalchemy import event

        self._engine = sqlalchemy.create_engine(
            f"sqlite:///{path}",
            connect_args={"timeout": _BUSY_SECONDS},
            pool_size=threads,
        )

        @event.listens_for(self._engine, "connect")
        def connect(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            for setting in _SETTINGS:
                connection.execute(setting)

        @event.listens_for(self._engine, "begin")
        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        self._insert = sqlalchemy.text(INSERT)
        self._update = sqlalchemy.text(UPDATE)
        self.close = self._engine.dispose

    def writer(self, _number: int) -> Write:
        """Return what a thread calls."""
        return self._write

    def _write(self, key: str, above: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                self._insert, {"key": key, "parent": above, "input": INPUT}
            )
            connection.execute(self._update, {"output": INPUT, "parent": above})


class Peewee:
    """One database object, which keeps a connection for each thread."""

    def __init__(self, path: str, _threads: int) -> None:
        from peewee import SqliteDatabase

        pragmas = [
            tuple(setting.removeprefix("PRAGMA ").split(" = ")) for setting in _SETTINGS
        ]
        # Half of its methods are annotated.
        self._database: Any = SqliteDatabase(
            path, pragmas=pragmas, timeout=_BUSY_SECONDS
        )

    def writer(self, _number: int) -> Write:
        """Return what a thread calls; its connection is opened at the first call."""
        return self._write

    def _write(self, key: str, above: str) -> None:
        database = self._database
        with database.atomic("IMMEDIATE"):
            database.execute_sql(INSERT_BY_POSITION, (key, above, INPUT))
            database.execute_sql(UPDATE_BY_POSITION, (INPUT, above))

    def leave(self) -> None:
        """Close the connection of the thread that calls."""
        self._database.close()

    def close(self) -> None:
        """Close what is left."""
        self._database.close()


class AioSqlite:
    """A connection for each task of one event loop, each with a thread of its own."""

    def __init__(self, path: str, _threads: int) -> None:
        self._path = path

    async def connect(self) -> Any:
        """Return what a task calls, and what it closes in the end."""
        import aiosqlite

        connection = await aiosqlite.connect(
            self._path, isolation_level=None, timeout=_BUSY_SECONDS
        )
        for setting in _SETTINGS:
            await connection.execute(setting)

        async def write(key: str, above: str) -> None:
            await connection.execute("BEGIN IMMEDIATE")
            try:
                await connection.execute(INSERT_BY_POSITION, (key, above, INPUT))
                await connection.execute(UPDATE_BY_POSITION, (INPUT, above))
                await connection.execute("COMMIT")
            except BaseException:
                await connection.rollback()
                raise

        return write, connection.close

    def close(self) -> None:
        """Nothing is left: each task closes its connection."""


class Apsw:
    """A connection for each thread of APSW, which brings a SQLite of its own."""

    def __init__(self, path: str, threads: int) -> None:
        import apsw

        self._connections = [apsw.Connection(path) for _ in range(threads)]
        for connection in self._connections:
            connection.set_busy_timeout(int(_BUSY_SECONDS * 1000))
            for setting in _SETTINGS:
                connection.execute(setting)

    @staticmethod
    def file_layer() -> int:
        """Return the address of its SQLite's default file layer."""
        import apsw

        address = ctypes.c_void_p()
        with closing(apsw.Connection(":memory:")) as connection:
            connection.file_control(
                "main", apsw.SQLITE_FCNTL_VFS_POINTER, ctypes.addressof(address)
            )
        if not address.value:
            raise SystemExit("APSW does not say where its file layer is")
        return address.value

    def writer(self, number: int) -> Write:
        """Return what a thread calls."""
        connection = self._connections[number]

        def write(key: str, above: str) -> None:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute(INSERT_BY_POSITION, (key, above, INPUT))
                connection.execute(UPDATE_BY_POSITION, (INPUT, above))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

        return write

    def close(self) -> None:
        """Close all of them."""
        for connection in self._connections:
            connection.close()
