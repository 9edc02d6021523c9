"""What ``health_check`` looks at, without writing and without waiting for locks."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from mooring.core import Check, CheckProgress, Health, MooringError

from mooring_sqlite._connect import Setting, read_settings
from mooring_sqlite._deadline import Deadline
from mooring_sqlite._errors import ENGINE_ERRORS
from mooring_sqlite._sharing import why_alone
from mooring_sqlite._surroundings import disk, surroundings

if TYPE_CHECKING:
    from mooring_sqlite._session import SqliteSession
    from mooring_sqlite._store import SqliteStore


def check(
    store: "SqliteStore",
    *,
    deep: bool,
    timeout: float,
    integrity: bool,
    progress: CheckProgress,
) -> Health:
    """Return how *store* is, within *timeout* seconds."""
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
    checks = [*_ping(store, deadline), *_settings(store, deep=deep)]
    if not store.location.in_memory:
        checks.append(disk(store))
    if store.group_commit != "off":
        checks += _ask(store, "group_commit", partial(_sharing, store), deadline)
    if deep:
        from mooring_sqlite._library import library_check
        from mooring_sqlite._wal import wal_checks

        checks += _ask(store, "library", lambda c: [library_check(c)], deadline)
        if not store.location.in_memory:
            checks += [*surroundings(store), *wal_checks(store)]
    if integrity:
        from mooring_sqlite._integrity import integrity_checks

        checks += _ask(
            store, "integrity", lambda c: integrity_checks(c, progress), deadline
        )
    return Health.of(tuple(checks), latency=monotonic() - started)


def _ping(store: "SqliteStore", deadline: float) -> list[Check]:
    if not store.has_same_file():
        gone = Check(
            name="ping",
            status="failed",
            detail=f"{store.location.path} was removed or replaced",
            fix="close the store and open it again",
        )
        return [gone]

    def ping(connection: sqlite3.Connection) -> list[Check]:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return [Check(name="ping", status="ok", detail="answered")]

    return _ask(store, "ping", ping, deadline)


def _sharing(store: "SqliteStore", connection: sqlite3.Connection) -> list[Check]:
    reason = why_alone(connection)
    detail = f"off: {reason}" if reason else store.group_commit
    return [Check(name="group_commit", status="ok", detail=detail)]


def _ask(
    store: "SqliteStore",
    name: str,
    look: Callable[[sqlite3.Connection], Iterable[Check]],
    deadline: float,
) -> list[Check]:
    """Return what *look* finds on a connection that comes free in time.

    What it does not come to is a check called *name*.
    """
    found: list[Check] = []
    try:
        lease = store.pools()[-1].acquire(max(deadline - monotonic(), 0))
    except MooringError as error:
        return [_unknown(name, error.message)]
    session = lease.connection
    limit = Deadline(session.connection, max(deadline - monotonic(), 0))
    try:
        limit.watch()
        for check in look(session.connection):
            found.append(check)  # noqa: PERF402 - what is found before an error stays
    except ENGINE_ERRORS as error:
        limit.reraise()
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
            return [*found, _unknown(name, "did not finish in time")]
        broken = Check(
            name=name,
            status="failed",
            detail=str(error),
            fix="look with `mooring doctor --integrity`; restore a backup if the"
            " database is damaged",
        )
        return [*found, broken]
    finally:
        session.limited()
        store.pools()[-1].release(lease)
    return found


def _unknown(name: str, detail: str) -> Check:
    return Check(
        name=name,
        status="unknown",
        detail=detail,
        fix="ask again, with a longer timeout",
    )


def _settings(store: "SqliteStore", *, deep: bool) -> list[Check]:
    """Look at the PRAGMAs of every connection; a lent one's were seen before."""
    lent = 0
    wrong: dict[str, list[str]] = {}
    values: dict[str, list[Setting]] = {}
    for pool in store.pools():
        found = pool.inspect(_expected_and_found)
        in_use = [lease.connection.settings for lease in pool.leases()[1]]
        lent += len(in_use)
        for expected, now in found + [(settings, settings) for settings in in_use]:
            for name, value in now.items():
                values.setdefault(name, []).append(value)
                if value != expected[name]:
                    wrong.setdefault(name, []).append(f"{value} in {pool.name}")
    as_verified = f", {lent} as last verified, being in use" if lent else ""
    shown = ("foreign_keys", "journal_mode", *(values if deep else wrong))
    checks = []
    for name in dict.fromkeys(shown):
        if name in wrong:
            changed = Check(
                name=name,
                status="failed",
                detail=", ".join(wrong[name]),
                fix="open the store again; something in this process changed the"
                " setting of a connection",
            )
            checks.append(changed)
        else:
            found_on = values.get(name, ())
            seen = len(found_on)
            where = f"on {seen} connection{'s' * (seen != 1)}{as_verified}"
            detail = f"{_in_words(found_on)} {where}"
            checks.append(Check(name=name, status="ok", detail=detail))
    return checks


def _expected_and_found(
    session: "SqliteSession",
) -> tuple[dict[str, Setting], dict[str, Setting]]:
    return session.settings, read_settings(session.connection, session.settings)


def _in_words(values: "Sequence[Setting]") -> str:
    """Return "= 1", or "= 0 and 1" where the connections differ on purpose."""
    return f"= {' and '.join(str(value) for value in dict.fromkeys(values))}"
