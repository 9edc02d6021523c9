"""What ``health_check`` looks at, without writing and without waiting."""

import os
from time import monotonic
from typing import TYPE_CHECKING, Final

from mooring.core import Check, Health, MooringError, StatementTimeoutError

if TYPE_CHECKING:
    from mooring_duckdb._store import DuckdbStore

_MIB: Final = 1024 * 1024
# Below this a checkpoint of the write-ahead log may not fit any more.
_LEAST_FREE: Final = 16 * _MIB
_LOOK: Final = "look at the file with the duckdb command; restore a backup if need be"


def check(store: "DuckdbStore", *, deep: bool, timeout: float) -> Health:
    """Return how *store* is, within *timeout* seconds; *deep* looks at every table."""
    started = monotonic()
    deadline = started + timeout
    if store.closed:
        closed = Check(
            name="ping",
            status="failed",
            detail="the store is closed",
            fix="open it again with core.open()",
        )
        return Health.of((closed,), latency=monotonic() - started)
    checks = [_ping(store, deadline)]
    if not store.database.in_memory:
        checks.append(_disk(store))
    if deep:
        tables = "SELECT count(*) || ' tables' FROM duckdb_tables()"
        checks.append(_ask(store, "tables", tables, deadline))
    return Health.of(tuple(checks), latency=monotonic() - started)


def _ping(store: "DuckdbStore", deadline: float) -> Check:
    if not store.database.has_same_file():
        return Check(
            name="ping",
            status="failed",
            detail=f"{store.database.path} was removed or replaced",
            fix="close the store and open it again",
        )
    return _ask(store, "ping", "SELECT 'answered'", deadline)


def _ask(store: "DuckdbStore", name: str, sql: str, deadline: float) -> Check:
    """Run one query on a connection that comes free in time."""
    try:
        lease = store.pool.acquire(max(deadline - monotonic(), 0))
    except MooringError as error:
        return Check(name=name, status="unknown", detail=error.message)
    session = lease.connection
    fit = True
    try:
        with session.limited(max(deadline - monotonic(), 0.001)):
            ((answer,),) = session.query(sql)
    except StatementTimeoutError:
        return Check(name=name, status="unknown", detail="did not finish in time")
    except MooringError as error:
        fit = session.reset()
        return Check(
            name=name, status="failed", detail=error.message, fix=error.hint or _LOOK
        )
    finally:
        store.pool.release(lease, discard=not fit)
    return Check(name=name, status="ok", detail=str(answer))


def _disk(store: "DuckdbStore") -> Check:
    found = os.statvfs(os.path.dirname(store.database.path))
    free = found.f_bavail * found.f_frsize
    detail = f"{free // _MIB} MiB free"
    if free >= _LEAST_FREE:
        return Check(name="disk", status="ok", detail=detail)
    return Check(name="disk", status="failed", detail=detail, fix="make room")
