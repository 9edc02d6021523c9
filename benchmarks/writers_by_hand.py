"""Who writes without a library, and with mooring: `writers` compares them.

Each is made anew for a window of time, on a file of its own. `writer(number)` returns
what the thread of that number calls for each transaction.
"""

import sqlite3
from collections import deque
from functools import partial
from threading import Lock
from types import TracebackType
from typing import Any

from mooring import core

from benchmarks import tasks
from benchmarks.sqlite_by_hand import connect
from benchmarks.tasks import Write, write_by_hand


class ConnectionEach:
    """A connection for each thread; SQLite lets them wait for each other."""

    def __init__(self, path: str, threads: int) -> None:
        self._connections = [connect(path, shared=True) for _ in range(threads)]

    def writer(self, number: int) -> Write:
        """Return what a thread calls."""
        return partial(write_by_hand, self._connections[number])

    def close(self) -> None:
        """Close all of them."""
        for connection in self._connections:
            connection.close()


class FifoLock:
    """A lock that is had in the order in which it was asked for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[Lock] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._held:
                self._held = True
                return
            turn = Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class OneConnection:
    """One connection for all threads, behind a lock that serves them in order."""

    def __init__(self, path: str, _threads: int) -> None:
        self._connection = connect(path, shared=True)
        self._lock = FifoLock()

    def writer(self, _number: int) -> Write:
        """Return what a thread calls."""
        return self._write

    def _write(self, key: str, above: str) -> None:
        with self._lock:
            write_by_hand(self._connection, key, above)

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class InMemory:
    """One connection to a database in memory, behind the plainest of locks."""

    def __init__(self, template: str) -> None:
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        source = connect(template)
        source.backup(self._connection)
        source.close()
        self._connection.execute("PRAGMA foreign_keys = 1")
        self._lock = Lock()

    def writer(self, _number: int) -> Write:
        """Return what a thread calls."""
        return self._write

    def _write(self, key: str, above: str) -> None:
        with self._lock:
            write_by_hand(self._connection, key, above)

    def counts(self) -> tuple[int, int]:
        """Return what was written; see `tasks.counts`."""
        return tasks.counts(self._connection)

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class Mooring:
    """One store for all threads.

    Args:
        path: The database.
        by: "transaction", a block; or "run", a function that may be run again.
        options: Further options of the configuration.
    """

    def __init__(self, path: str, by: str, options: dict[str, Any]) -> None:
        self._store = core.open({"driver": "sqlite", "path": path, **options})
        self._by = self._transaction if by == "transaction" else self._run

    @classmethod
    def in_memory(cls, by: str) -> "Mooring":
        """Return one with a database in memory, filled as the template is."""
        made = cls(":memory:", by, {})
        tasks.fill(made._store)
        return made

    def writer(self, _number: int) -> Write:
        """Return what a thread calls."""
        return self._by

    def _transaction(self, key: str, above: str) -> None:
        with self._store.transaction() as tx:
            tasks.write(tx, key, above)

    def _run(self, key: str, above: str) -> None:
        self._store.run(lambda tx: tasks.write(tx, key, above))

    def counts(self) -> tuple[int, int]:
        """Return what was written; see `tasks.counts`."""
        one = "SELECT count(*) FROM task_states WHERE parent_state_id IS"
        written = self._store.execute(f"{one} NOT NULL").scalar()
        updated = self._store.execute(f"{one} NULL AND output IS NOT NULL").scalar()
        return written, updated

    def close(self) -> None:
        """Close the store."""
        self._store.close()
