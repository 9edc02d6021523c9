"""Giving up a snapshot that has outlived its deadline, also from another thread.

Its own thread may sit idle for as long as it likes, and holds the write-ahead log by
that. A statement that runs is never disturbed: what stops it is its own deadline.
"""

import sqlite3
from time import monotonic
from typing import TYPE_CHECKING

from mooring.core import SnapshotExpiredError

if TYPE_CHECKING:
    from mooring_sqlite._session import SqliteSession


def is_overdue(session: "SqliteSession") -> bool:
    """Return whether the snapshot that is open in *session* is past its deadline."""
    ends = session.ends
    return ends is not None and monotonic() >= ends


def give_up_overdue(session: "SqliteSession") -> bool:
    """End a snapshot past its deadline, from any thread; return whether one was."""
    if not is_overdue(session):
        return False
    with session.gate:
        # Said first and then looked: who has it sets `busy` and then looks here, or at
        # the clock, so that one of the two sees the other.
        session.given_up = True
        try:
            # Since it was looked at it may have ended, or be the next one's.
            if not is_overdue(session) or session.busy or not session.in_transaction:
                return False
            _give_up(session)
            return not session.in_transaction
        finally:
            session.given_up = False


def expired(session: "SqliteSession") -> SnapshotExpiredError:
    """Let go of a snapshot, in its own thread, and return the error that says so."""
    with session.gate:
        _give_up(session)
    session.busy = False
    return SnapshotExpiredError(
        f"this read() block was open for more than {session.read_deadline:g} s"
        " (read_deadline); its snapshot was given up",
        hint="read in shorter blocks, or raise read_deadline: a snapshot keeps the"
        " write-ahead log from being emptied",
    )


def _give_up(session: "SqliteSession") -> None:
    """Let go of the snapshot; this thread has the gate.

    A query that was not read to its end would hold it past the ROLLBACK
    (sqlite.org/lang_transaction.html).
    """
    while (cursor := _any_of(session.streams)) is not None:
        cursor.close()
    try:
        if session.in_transaction:
            session.connection.execute("ROLLBACK")
    except sqlite3.Error:
        pass  # nothing is read from it any more, and leaving the block closes it


def _any_of(streams: set[sqlite3.Cursor]) -> sqlite3.Cursor | None:
    """Take any cursor out; None where there is none left."""
    try:
        return streams.pop()
    except KeyError:
        return None
