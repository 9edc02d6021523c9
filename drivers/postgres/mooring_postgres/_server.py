"""Deep checks of the server, and of what stands between it and us."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import psycopg
from mooring.core import Check

from mooring_postgres._indexes import invalid_indexes
from mooring_postgres._target import addresses, is_local, target

if TYPE_CHECKING:
    from mooring_postgres._health import Look
    from mooring_postgres._session import PostgresSession
    from mooring_postgres._store import PostgresStore

# The last day of each major version (postgresql.org/support/versioning).
_ENDS: Final = {
    13: date(2025, 11, 13),
    14: date(2026, 11, 12),
    15: date(2027, 11, 11),
    16: date(2028, 11, 9),
    17: date(2029, 11, 8),
    18: date(2030, 11, 14),
}
# Transactions that hold back the cleaning of all tables, in seconds.
_LONG: Final = 3600.0
# More than this between two clocks, and times that both write do not compare.
_LEEWAY: Final = 5.0

_VERSION: Final = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int,
    pg_is_in_recovery()
"""
_CONNECTIONS: Final = """
SELECT current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int,
    (SELECT count(*) FROM pg_catalog.pg_stat_activity
        WHERE backend_type = 'client backend'),
    (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user),
    (SELECT datconnlimit FROM pg_catalog.pg_database
        WHERE datname = current_database())
"""
_OLDEST: Final = """
SELECT extract(epoch FROM clock_timestamp() - xact_start)::float8, pid, state
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend' AND xact_start IS NOT NULL
    AND pid <> pg_backend_pid()
ORDER BY xact_start LIMIT 1
"""


def server_checks(store: "PostgresStore") -> "list[tuple[str, Look]]":
    """Return the checks, each with its name."""
    return [
        ("client", _client),
        ("server", _server),
        ("tls", lambda session: _tls(store, session)),
        ("pooler", lambda session: _pooler(store, session)),
        ("encoding", _encoding),
        ("server_clock", _clock),
        ("server_time_zone", _time_zone),
        ("max_connections", lambda session: _connections(store, session)),
        ("transactions", _transactions),
        ("indexes", _indexes),
    ]


def _client(_: "PostgresSession") -> Iterator[Check]:
    kind = psycopg.pq.__impl__
    yield _check(
        "client",
        f"psycopg {psycopg.__version__} ({kind}), libpq {_libpq()}",
        "reading rows takes a multiple of the time" if kind == "python" else "",
        "install mooring-postgres[binary], or psycopg[c]",
    )


def _libpq() -> str:
    version = psycopg.pq.version()
    return f"{version // 10000}.{version % 10000}"


def _server(session: "PostgresSession") -> Iterator[Check]:
    version, number, standby = session.query(_VERSION)[0]
    kind = "standby, read-only" if standby else "primary"
    end = _ENDS.get(number // 10000)
    over = number // 10000 < min(_ENDS) or (end and end < _today())
    yield _check(
        "server",
        f"PostgreSQL {version}, {kind}",
        "this version gets no fixes any more" if over else "",
        "upgrade the server to a version that is supported",
    )


def _tls(store: "PostgresStore", session: "PostgresSession") -> Iterator[Check]:
    info = session.connection.pgconn
    found = addresses(target(store.config), os.environ)
    local = found is not None and all(map(is_local, found))
    if info.ssl_in_use:
        mode = _parameter(session, "sslmode")
        detail = f"encrypted, sslmode {mode}" if mode else "encrypted"
        weak = mode not in ("verify-full", "") and not local
        problem = "nobody checks who the server is" if weak else ""
    else:
        detail = "not encrypted"
        problem = "" if local else "others on the network can read everything"
        detail += ", on this machine" if local else ""
    yield _check("tls", detail, problem, "set sslmode to verify-full, and sslrootcert")


def _pooler(store: "PostgresStore", session: "PostgresSession") -> Iterator[Check]:
    """Compare the process that the session began with to the one that answers.

    A pooler says a number of its own (protocol, "BackendKeyData").
    """
    told = session.connection.pgconn.backend_pid
    between = session.query("SELECT pg_catalog.pg_backend_pid()")[0][0] != told
    configured = store.config.pooler
    detail = f"{'one' if between else 'none'} in front, pooler is {configured!r}"
    problem = fix = ""
    if between and configured == "none":
        problem = "it may lend another session to each transaction"
        fix = (
            'set pooler to "transaction" if it lends sessions for a transaction; in'
            " session mode there is nothing to do"
        )
    elif not between and configured != "none":
        problem = "no statement is prepared, and no setting is made, without need"
        fix = 'set pooler to "none", or connect through the pooler'
    yield _check("pooler", detail, problem, fix)


def _encoding(session: "PostgresSession") -> Iterator[Check]:
    encoding = session.query("SELECT current_setting('server_encoding')")[0][0]
    if encoding == "UTF8":
        yield _check("encoding", encoding)
        return
    yield Check(
        name="encoding",
        status="failed",
        detail=f"{encoding} cannot hold all text",
        fix="make a database with ENCODING 'UTF8' and move the data there",
    )


def _clock(session: "PostgresSession") -> Iterator[Check]:
    query = "SELECT extract(epoch FROM clock_timestamp())::float8"
    before = _now()
    there = session.query(query)[0][0]
    after = _now()
    apart = max(before - there, there - after, 0.0)
    yield _check(
        "server_clock",
        f"{apart:.1f} s apart from this machine's",
        "times that both write do not compare" if apart > _LEEWAY else "",
        "keep both clocks with NTP",
    )


def _time_zone(session: "PostgresSession") -> Iterator[Check]:
    zone = session.query("SELECT current_setting('TimeZone')")[0][0]
    utc = zone in ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "UCT", "Zulu")
    yield _check(
        "server_time_zone",
        zone,
        "" if utc else "times without a zone are read in it",
        "run ALTER ROLE ... SET TimeZone = 'UTC' for the role that connects, since"
        " nothing can be set through a transaction pooler",
    )


def _connections(store: "PostgresStore", session: "PostgresSession") -> Iterator[Check]:
    most, used, role, database = session.query(_CONNECTIONS)[0]
    limits = [most, *(limit for limit in (role, database) if limit >= 0)]
    allowed, wanted = min(limits), store.config.max_open_conns
    problem = ""
    if wanted > allowed:
        problem = f"max_open_conns is {wanted}, more than the server allows"
    elif used >= most:
        problem = "none is free for the next process"
    yield _check(
        "max_connections",
        f"{used} of {most} in use, {allowed} allowed here, {wanted} wanted by each"
        " process",
        problem,
        "lower max_open_conns, so that it fits as often as there are processes; or"
        " raise max_connections or the limit of the role, or put a pooler in front",
    )


def _transactions(session: "PostgresSession") -> Iterator[Check]:
    rows = session.query(_OLDEST)
    if not rows:
        yield _check("transactions", "no other that this role can see")
        return
    age, pid, state = rows[0]
    long = age >= _LONG
    yield _check(
        "transactions",
        f"the oldest is {max(age, 0):.0f} s old"
        + (f": pid {pid}, {state}" if long else ""),
        "no table is cleaned of what changed since" if long else "",
        f"look what it does, and end it: SELECT pg_terminate_backend({pid})",
    )


def _indexes(session: "PostgresSession") -> Iterator[Check]:
    found = invalid_indexes(session)
    yield _check(
        "indexes",
        f"INVALID: {', '.join(found)}" if found else "all valid",
        "no query uses them, every write pays for them" if found else "",
        "; ".join(f"REINDEX INDEX CONCURRENTLY {name}" for name in found[:3])
        + " - or drop what a failed REINDEX left (_ccnew)",
    )


def _check(name: str, detail: str, problem: str = "", fix: str = "") -> Check:
    """Return a check that warns of *problem*, or is well where there is none."""
    if not problem:
        return Check(name=name, status="ok", detail=detail)
    return Check(name=name, status="warning", detail=f"{detail}: {problem}", fix=fix)


def _parameter(session: "PostgresSession", keyword: str) -> str:
    """Return what libpq connected with."""
    options: Any = session.connection.pgconn.info
    for option in options:
        if option.keyword.decode() == keyword:
            return (option.val or b"").decode()
    return ""


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _today() -> date:
    return datetime.now(UTC).date()
