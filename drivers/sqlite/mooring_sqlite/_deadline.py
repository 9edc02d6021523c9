"""Stopping statements that run too long, with SQLite's progress handler."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from time import monotonic
from typing import Final

# Virtual machine instructions between two looks at the clock: some 100 microseconds.
_TICK: Final = 10_000
# For a COMMIT, which is not stopped: SQLite looks once more when it is done, and would
# tell it as interrupted then.
UNSTOPPED: Final = float("inf")


class Deadline:
    """A limit for each statement of a connection.

    Its clock starts at a statement's first look at it, so that short ones pay nothing
    (sqlite.org/c3ref/progress_handler.html).

    Args:
        connection: The connection to watch.
        limit: Seconds that a statement may run, > 0; may be changed between two.
    """

    __slots__ = ("_connection", "_raised", "end", "limit", "until")

    def __init__(self, connection: sqlite3.Connection, limit: float) -> None:
        self._connection = connection
        self.limit = limit
        # When the statement that runs is to be stopped; None: not looked at yet.
        # That of a COMMIT is UNSTOPPED, this very object.
        self.until: float | None = None
        # When all of them are to be stopped: the end of a snapshot.
        self.end = float("inf")
        self._raised: BaseException | None = None

    def watch(self) -> None:
        """Begin to watch the connection's statements."""
        ticks = self._ticks()
        next(ticks)
        self._connection.set_progress_handler(ticks.__next__, _TICK)

    def unwatch(self) -> None:
        """Let statements run as long as they take."""
        self._connection.set_progress_handler(None, 0)

    def reraise(self) -> None:
        """Raise what a signal raised while a statement ran, such as a Ctrl-C.

        To be called behind a statement that failed, and behind a COMMIT.
        """
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised

    def _ticks(self) -> Generator[bool, None, None]:
        """Yield at each look whether to stop.

        A signal's exception is raised in here, since this is where Python runs while
        SQLite does, and ``sqlite3`` would drop it. A generator is inside of its ``try``
        from the first instruction on; a function is not. The inner loop's jump back,
        where signals are looked at too, is inside of it as well.
        """
        stop = False
        changed: int | None = None
        while True:
            try:
                while True:
                    yield stop
                    now = monotonic()
                    if self.until is None:
                        self.until = min(now + self.limit, self.end)
                        changed = self._connection.total_changes
                    stop = now > self.until
                    if stop and changed is not None:
                        # What is counted is done, and committed if it is alone: this is
                        # SQLite's last look. A trigger's steps are counted earlier, so
                        # the next look stops it.
                        stop = changed == self._connection.total_changes
                        changed = None
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 - told by reraise()
                self._raised = error
                stop = self.until is not UNSTOPPED
