"""What ``health_check`` looks at, without writing and within its time."""

from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import TYPE_CHECKING, Final

from mooring.core import Check, CheckProgress, Health, PoolTimeoutError, StoreError

from mooring_postgres._connection import LEAST

if TYPE_CHECKING:
    from mooring_postgres._session import PostgresSession
    from mooring_postgres._store import PostgresStore

_LONG: Final = 60.0

Look = Callable[["PostgresSession"], Iterable[Check]]


def check(
    store: "PostgresStore",
    *,
    deep: bool,
    timeout: float,
    integrity: bool,
    progress: CheckProgress,
) -> Health:
    """Return how *store* is, within *timeout* seconds."""
    started = monotonic()
    if store.closed:
        closed = Check(
            name="ping",
            status="failed",
            detail="the store is closed",
            fix="open it again with core.open()",
        )
        return Health.of((closed,), latency=monotonic() - started)
    looks: list[tuple[str, Look]] = []
    if deep:
        from mooring_postgres._privileges import privilege_checks
        from mooring_postgres._server import server_checks

        looks += server_checks(store)
        looks += privilege_checks(store, deadline=started + timeout)
    if integrity:
        from mooring_postgres._integrity import integrity_checks

        looks += integrity_checks(progress)
    checks = [*_asked(store, timeout, looks), _pool(store)]
    return Health.of(tuple(checks), latency=monotonic() - started)


def _asked(
    store: "PostgresStore", timeout: float, looks: Iterable[tuple[str, Look]]
) -> Iterator[Check]:
    """Ask the server, on a connection that comes free in time."""
    pool = store.pool
    deadline = monotonic() + timeout
    try:
        lease = pool.acquire(timeout)
    except PoolTimeoutError as error:
        yield Check(
            name="ping", status="unknown", detail=error.message, fix=error.hint or ""
        )
        return
    except StoreError as error:
        yield _no_answer(error, timeout, late=monotonic() >= deadline)
        return
    session = lease.connection
    try:
        with session.limited(max(deadline - monotonic(), LEAST)):
            yield _ping(session)
        for name, look in looks:
            yield from _looked(session, name, look, deadline)
    except StoreError as error:
        yield _no_answer(error, timeout, late=monotonic() >= deadline)
    finally:
        pool.release(lease, discard=not session.reset())


def _ping(session: "PostgresSession") -> Check:
    session.query("SELECT 1")
    encrypted = "encrypted" if session.connection.pgconn.ssl_in_use else "not encrypted"
    return Check(name="ping", status="ok", detail=f"answered, {encrypted}")


def _looked(
    session: "PostgresSession", name: str, look: Look, deadline: float
) -> Iterator[Check]:
    """Yield what *look* finds; what the server refuses to show it is unknown."""
    left = deadline - monotonic()
    if left <= 0:
        yield _late(name)
        return
    try:
        with session.limited(max(left, LEAST)):
            yield from look(session)
    except StoreError as error:
        if not session.reset():
            yield _late(name) if monotonic() >= deadline else _unknown(name, error)
            raise
        yield _unknown(name, error)


def _late(name: str) -> Check:
    return Check(
        name=name,
        status="unknown",
        detail="not reached in time",
        fix="ask again, with a longer timeout",
    )


def _unknown(name: str, error: StoreError) -> Check:
    return Check(
        name=name,
        status="unknown",
        detail=error.message,
        fix="let the role see it, or ask as another",
    )


def _no_answer(error: StoreError, timeout: float, *, late: bool) -> Check:
    """Return what is known of a server that could not be asked."""
    if late:
        return Check(
            name="ping",
            status="unknown",
            detail=f"the server did not answer within {timeout:g} s",
            fix="ask again, with a longer timeout; look at the server and the network",
        )
    return Check(
        name="ping",
        status="failed",
        detail=error.message,
        fix=error.hint or "look at the server's log",
    )


def _pool(store: "PostgresStore") -> Check:
    stats = store.pool.stats
    detail = (
        f"{stats.lent} lent, {stats.idle} idle, {stats.waiting} waiting, of at most"
        f" {stats.max_open}"
    )
    now = monotonic()
    held = [
        lease.holder()
        for lease in store.pool.leases()[1]
        if lease.lent and now - lease.since > _LONG
    ]
    if held:
        return Check(
            name="pool",
            status="warning",
            detail=f"{detail}; held by {', '.join(held)}",
            fix="leave transaction() and read() blocks soon; read long results in"
            " pieces",
        )
    return Check(name="pool", status="ok", detail=detail)
