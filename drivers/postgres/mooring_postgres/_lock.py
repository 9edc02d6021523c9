"""The migration lock: one holder per database, over all programs that migrate it.

A session's advisory lock (PostgreSQL, section 13.3.5) with the number of goose's, so
that its library and mooring wait for each other. The server frees it when the session
ends, however its process dies.
"""

from random import uniform
from time import monotonic, sleep
from typing import Final

from mooring.core import MigrationLockError, StoreError

from mooring_postgres._session import PostgresSession, Rows

# CRC-32 of "goose", as goose's own session locker takes it.
LOCK_ID: Final = 4_097_083_626
# Seconds between two tries; longer each time.
_FIRST_POLL: Final = 0.01
_LONGEST_POLL: Final = 0.5

# Of a session of another role only the pid is told to everybody.
_HOLDER: Final = """
SELECT a.pid, a.application_name, coalesce(host(a.client_addr), 'the same machine'),
    to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (
        SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()
    )
    AND (l.classid::bigint << 32) + l.objid::bigint = %s
"""


def acquire(session: PostgresSession, timeout: float, *, deadline: float) -> None:
    """Take the lock, or raise MigrationLockError.

    It is asked for again and again, each time in a transaction of its own: a waiting
    call would hold a snapshot, for which CREATE INDEX CONCURRENTLY waits in turn.

    Args:
        session: A session of its own.
        timeout: Seconds that whoever migrates is ready to wait, for the message.
        deadline: When they are over, on the monotonic clock.
    """
    pause = _FIRST_POLL
    while not _try(session):
        if monotonic() >= deadline:
            raise MigrationLockError(
                f"waited {timeout:g} s for the migration lock of {session.target};"
                f" {_holder(session)} has it, nothing was changed",
                hint="wait for that migration, or raise migration_timeout",
            )
        sleep(min(uniform(0.5, 1.0) * pause, max(deadline - monotonic(), 0.001)))  # noqa: S311 - no secret
        pause = min(2 * pause, _LONGEST_POLL)


def require(session: PostgresSession) -> None:
    """Raise StoreError unless the session that answers now is the one with the lock."""
    found = _asked(
        session, f"SELECT pg_backend_pid() IN (SELECT pid FROM ({_HOLDER}) AS h)"
    )
    if found != [(True,)]:
        raise StoreError(
            "the migration lock is not held by the session that is to migrate",
            hint="remove pg_advisory_unlock_all() from the files; where a pooler lends"
            " another session each time, set migration_conn_string",
        )


def release(session: PostgresSession) -> None:
    """Give the lock back; the end of the session would do so, but later."""
    _asked(session, "SELECT pg_advisory_unlock(%s)")


def _try(session: PostgresSession) -> bool:
    found: bool = _asked(session, "SELECT pg_try_advisory_lock(%s)")[0][0]
    return found


def _holder(session: PostgresSession) -> str:
    found = _asked(session, _HOLDER)
    if not found:
        return "somebody"
    pid, name, host, since = found[0]
    if since is None:
        return f"pid {pid}, of another role,"
    return f"pid {pid} ({name or 'no name'}) on {host}, connected since {since},"


def _asked(session: PostgresSession, query: str) -> Rows:
    """Ask about the lock; a server that does not answer is not waited for longer."""
    with session.limited(session.ping_timeout):
        return session.query(query, (LOCK_ID,))
