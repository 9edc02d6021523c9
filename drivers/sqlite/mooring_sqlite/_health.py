"""What ``health_check`` looks at, without writing and without waiting for locks."""

import os
import sqlite3
import stat
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Final

from mooring.core import Check, Health, MooringError

from mooring_sqlite._connect import Setting, read_settings
from mooring_sqlite._deadline import Deadline

if TYPE_CHECKING:
    from mooring_sqlite._session import SqliteSession
    from mooring_sqlite._store import SqliteStore

_MIB: Final = 1024 * 1024
# Below this a checkpoint of the write-ahead log may not fit any more.
_LEAST_FREE: Final = 16 * _MIB


def check(store: "SqliteStore", *, deep: bool, timeout: float) -> Health:
    """Return how *store* is, within *timeout* seconds."""
    started = monotonic()
    if store.closed:
        closed = Check(name="ping", status="failed", detail="the store is closed")
        return Health.of((closed,), latency=monotonic() - started)
    checks = [_ping(store, started + timeout), *_settings(store, deep=deep)]
    if not store.location.in_memory:
        checks.append(_disk(store))
        if deep:
            checks.append(_file(store))
    if deep:
        checks.append(_integrity(store, started + timeout))
    return Health.of(tuple(checks), latency=monotonic() - started)


def _ping(store: "SqliteStore", deadline: float) -> Check:
    if not store.has_same_file():
        gone = f"{store.location.path} was removed or replaced"
        return Check(name="ping", status="failed", detail=gone)
    return _ask(store, "ping", "SELECT count(*) FROM sqlite_master", deadline)


def _integrity(store: "SqliteStore", deadline: float) -> Check:
    return _ask(store, "integrity", "PRAGMA quick_check(1)", deadline)


def _ask(store: "SqliteStore", name: str, sql: str, deadline: float) -> Check:
    """Run one query on a connection that comes free in time."""
    pool = store.pools()[-1]
    try:
        lease = pool.acquire(max(deadline - monotonic(), 0))
    except MooringError as error:
        return Check(name=name, status="unknown", detail=error.message)
    session = lease.connection
    limit = Deadline(session.connection, max(deadline - monotonic(), 0))
    try:
        limit.watch()
        (answer,) = session.connection.execute(sql).fetchone()
    except sqlite3.Error as error:
        limit.reraise()
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            return Check(name=name, status="unknown", detail="did not finish in time")
        return Check(name=name, status="failed", detail=str(error))
    finally:
        session.limited()
        pool.release(lease)
    if name == "integrity" and answer != "ok":
        return Check(name=name, status="failed", detail=str(answer))
    return Check(name=name, status="ok", detail="answered")


def _settings(store: "SqliteStore", *, deep: bool) -> list[Check]:
    """Look at the PRAGMAs of every connection; a lent one's were seen before."""
    seen = lent = 0
    wrong: dict[str, list[str]] = {}
    values: dict[str, list[Setting]] = {}
    for pool in store.pools():
        found = pool.inspect(_expected_and_found)
        in_use = [lease.connection.settings for lease in pool.leases()[1]]
        seen += len(found) + len(in_use)
        lent += len(in_use)
        for expected, now in found + [(settings, settings) for settings in in_use]:
            for name, value in now.items():
                values.setdefault(name, []).append(value)
                if value != expected[name]:
                    wrong.setdefault(name, []).append(f"{value} in {pool.name}")
    where = f"on {seen} connection{'s' * (seen != 1)}"
    if lent:
        where += f", {lent} as last verified, being in use"
    shown = ("foreign_keys", "journal_mode", *(values if deep else wrong))
    checks = []
    for name in dict.fromkeys(shown):
        if name in wrong:
            detail = ", ".join(wrong[name])
            checks.append(Check(name=name, status="failed", detail=detail))
        else:
            detail = f"{_in_words(values.get(name, ()))} {where}"
            checks.append(Check(name=name, status="ok", detail=detail))
    return checks


def _expected_and_found(
    session: "SqliteSession",
) -> tuple[dict[str, Setting], dict[str, Setting]]:
    return session.settings, read_settings(session.connection, session.settings)


def _in_words(values: "Sequence[Setting]") -> str:
    """Return "= 1", or "= 0 and 1" where the connections differ on purpose."""
    return f"= {' and '.join(str(value) for value in dict.fromkeys(values))}"


def _file(store: "SqliteStore") -> Check:
    """Look at who else may write to the file: it could hold anything then."""
    try:
        mode = stat.S_IMODE(os.stat(store.location.path).st_mode)
    except OSError as error:
        return Check(name="file", status="failed", detail=str(error.strerror))
    if mode & stat.S_IWOTH:
        found = f"mode {mode:04o}: everybody on this machine may change it"
        return Check(name="file", status="failed", detail=found)
    return Check(name="file", status="ok", detail=f"mode {mode:04o}")


def _disk(store: "SqliteStore") -> Check:
    found = os.statvfs(os.path.dirname(store.location.path))
    free = found.f_bavail * found.f_frsize
    return Check(
        name="disk",
        status="ok" if free >= _LEAST_FREE else "failed",
        detail=f"{free // _MIB} MiB free",
    )
