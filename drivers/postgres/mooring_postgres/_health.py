"""What ``health_check`` looks at, without writing and within its time."""

from time import monotonic
from typing import TYPE_CHECKING, Final

from mooring.core import Check, Health, PoolTimeoutError, StoreError

from mooring_postgres._connection import LEAST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mooring_postgres._session import PostgresSession
    from mooring_postgres._store import PostgresStore

# Pending transactions that hold back the cleaning of all tables.
_LONG_TRANSACTION: Final = 3600.0
_SERVER: Final = """
SELECT current_setting('server_version'), pg_is_in_recovery(),
    current_setting('server_encoding'), current_setting('max_connections')::int,
    (SELECT count(*) FROM pg_catalog.pg_stat_activity
        WHERE backend_type = 'client backend'),
    (SELECT coalesce(extract(epoch FROM max(now() - xact_start)), 0)::float8
        FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')
"""


def check(store: "PostgresStore", *, deep: bool, timeout: float) -> Health:
    """Return how *store* is, within *timeout* seconds."""
    started = monotonic()
    if store.closed:
        closed = Check(name="ping", status="failed", detail="the store is closed")
        return Health.of((closed,), latency=monotonic() - started)
    checks = [*_server(store, timeout, deep=deep), _pool(store)]
    return Health.of(tuple(checks), latency=monotonic() - started)


def _server(store: "PostgresStore", timeout: float, *, deep: bool) -> "Iterator[Check]":
    """Ask the server, on a connection that comes free in time."""
    pool = store.pool
    deadline = monotonic() + timeout
    try:
        lease = pool.acquire(timeout)
    except PoolTimeoutError as error:
        yield Check(name="ping", status="unknown", detail=error.message)
        return
    except StoreError as error:
        yield _no_answer(error, timeout, late=monotonic() >= deadline)
        return
    session = lease.connection
    try:
        with session.limited(max(deadline - monotonic(), LEAST)):
            yield from _answers(session, deep=deep)
    except StoreError as error:
        yield _no_answer(error, timeout, late=monotonic() >= deadline)
    finally:
        pool.release(lease, discard=not session.reset())


def _no_answer(error: StoreError, timeout: float, *, late: bool) -> Check:
    """Return what is known of a server that could not be asked."""
    if late:
        detail = f"the server did not answer within {timeout:g} s"
        return Check(name="ping", status="unknown", detail=detail)
    return Check(name="ping", status="failed", detail=error.message)


def _answers(session: "PostgresSession", *, deep: bool) -> "Iterator[Check]":
    session.query("SELECT 1")
    encrypted = "encrypted" if session.connection.pgconn.ssl_in_use else "not encrypted"
    yield Check(name="ping", status="ok", detail=f"answered, {encrypted}")
    if not deep:
        return
    version, standby, encoding, most, open_, oldest = session.query(_SERVER)[0]
    kind = "standby, read-only" if standby else "primary"
    yield Check(name="server", status="ok", detail=f"PostgreSQL {version}, {kind}")
    yield Check(
        name="encoding",
        status="ok" if encoding == "UTF8" else "failed",
        detail=encoding if encoding == "UTF8" else f"{encoding} cannot hold all text",
    )
    yield Check(
        name="max_connections", status="ok", detail=f"{open_} of {most} are in use"
    )
    yield Check(
        name="transactions",
        status="ok" if oldest < _LONG_TRANSACTION else "failed",
        detail=f"the oldest is {oldest:.0f} s old",
    )


def _pool(store: "PostgresStore") -> Check:
    stats = store.pool.stats
    return Check(
        name="pool",
        status="ok",
        detail=f"{stats.lent} lent, {stats.idle} idle, {stats.waiting} waiting,"
        f" of at most {stats.max_open}",
    )
