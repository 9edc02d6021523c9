"""What is done behind a commit, now and then: the log kept short, statistics fresh.

It runs in the thread that committed, which still has the turn to write, and costs the
others a wait; so it is seldom, and bounded.
"""

import sqlite3
from time import monotonic
from typing import TYPE_CHECKING, Final

from mooring_sqlite._config import MIB
from mooring_sqlite._wal import held_by, log_size

if TYPE_CHECKING:
    from mooring_sqlite._session import SqliteSession
    from mooring_sqlite._store import SqliteStore

# Seconds between two looks, and between two warnings.
_PERIOD: Final = 1.0
_WARNING_PERIOD: Final = 60.0
# Seconds that writers wait at most for readers to leave the log; where that was in
# vain, seconds until the next attempt, which double up to an hour.
_GAP: Final = 1.0
# Milliseconds that SQLite waits for one of the places of readers. While it does, those
# who came meanwhile may take that place and pass it on among them; the next try sees
# that they do not matter (seen with 3.40: one wait in ten was in vain).
_TRY: Final = 50
_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 3600.0


class Upkeep:
    """Looks after the log of one store.

    Args:
        store: The store; its database is a file.
    """

    def __init__(self, store: "SqliteStore") -> None:
        self._store = store
        self._look_at = self._warn_at = self._gap_at = 0.0
        self._pause = _PAUSE

    def look(self, session: "SqliteSession") -> None:
        """Free the log of what keeps it, or say who does.

        Args:
            session: The one that writes; it has no transaction open.

        Raises:
            OSError: The log cannot be looked at.
            StoreError: SQLite refused.
        """
        now = monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _PERIOD
        # SQLite's own checkpoint, in one of the next commits, goes as far as it can.
        freed = self._give_up_overdue()
        limit = self._store.config.wal_limit
        size = log_size(self._store)
        if not limit or size <= limit:
            self._gap_at, self._pause = 0.0, _PAUSE
            return
        if freed or now >= self._gap_at:
            if self._begin_anew(session):
                return
            self._gap_at = monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if now >= self._warn_at:
            self._warn_at = now + _WARNING_PERIOD
            self._warn(size, limit)

    def _give_up_overdue(self) -> bool:
        """End snapshots past their deadline, whose threads sit idle."""
        given_up = 0
        for lease in self._store.read_leases():
            given_up += lease.connection.give_up_overdue()
        return bool(given_up)

    def _begin_anew(self, session: "SqliteSession") -> bool:
        """Move the log into the file and begin it anew; return whether that worked.

        Readers that overlap keep SQLite's own checkpoint from ever being complete. This
        one waits for those of the moment; who begins later reads the file
        (sqlite.org/wal.html, "Avoiding Excessively Large WAL Files").
        """
        now = monotonic()
        stuck = any(lease.since < now - _GAP for lease in self._store.read_leases())
        until = now if stuck else now + min(_GAP, self._store.config.busy_timeout)
        session.query(f"PRAGMA busy_timeout = {0 if stuck else _TRY}")
        try:
            while True:
                ((busy, *_),) = session.query("PRAGMA wal_checkpoint(RESTART)")
                if not busy or monotonic() >= until:
                    return not busy
        finally:
            session.query(f"PRAGMA busy_timeout = {session.settings['busy_timeout']}")

    def _warn(self, size: int, limit: int) -> None:
        # Not above: a store whose log stays small needs none of it.
        import logging

        store = self._store
        holders = held_by(store)
        extra = {
            "event_name": "wal.over_limit",
            "driver": store.driver,
            "target": store.target,
            "bytes": size,
            "limit": limit,
            "held_by": ", ".join(holders),
        }
        logging.getLogger("mooring.sqlite").warning(
            "the write-ahead log of %s has %.0f MiB, more than wal_limit (%.0f MiB),"
            " and cannot be emptied: read by %s",
            store.target,
            size / MIB,
            limit / MIB,
            ", ".join(holders) or "nobody that is known",
            extra=extra,
        )


def optimize(session: "SqliteSession") -> None:
    """Let SQLite bring the planner's statistics up to date, as far as they are old.

    As sqlite.org/pragma.html advises ("PRAGMA optimize"), but for all tables: most
    queries run on other connections than the one that may write. Usually it does
    nothing; it waits for no lock.

    Raises:
        StoreError: SQLite refused, as where another process writes.
    """
    session.query("PRAGMA busy_timeout = 0")
    try:
        if sqlite3.sqlite_version_info < (3, 46):
            session.query("PRAGMA analysis_limit = 400")
            _use_each_index(session)
        session.query(f"PRAGMA optimize = {0x10012}")
    finally:
        session.query(f"PRAGMA busy_timeout = {session.settings['busy_timeout']}")


def _use_each_index(session: "SqliteSession") -> None:
    """Have the planner look at each index.

    Before 3.46 SQLite optimizes only tables whose statistics this connection has asked
    for.
    """
    found = session.query(
        "SELECT m.name, c.name FROM sqlite_master AS m, pragma_index_list(m.name) AS i,"
        " pragma_index_info(i.name) AS c WHERE m.type = 'table' AND c.seqno = 0"
        " AND c.name IS NOT NULL"
    )
    for names in found:
        table, column = (name.replace('"', '""') for name in names)
        session.query(f'EXPLAIN SELECT 1 FROM "{table}" WHERE "{column}" = 1')
