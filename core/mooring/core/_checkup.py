"""Asking a store how it is: its driver, and its migrations."""

from collections.abc import Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any

from mooring.core._dispatch import ask, broken_hook
from mooring.core._health import Check, Health
from mooring.core._open import opened_with
from mooring.core._store import Store
from mooring.core.errors import MooringError

if TYPE_CHECKING:
    from mooring.migrate import Source


def health_check(
    store: Store, *, deep: bool = False, timeout: float | None = None
) -> Health:
    """Return how *store* is. It never writes, and may be called beside open scopes.

    Args:
        store: Any store that `open` returned, closed ones too.
        deep: Also ask what takes longer or needs more rights.
        timeout: Seconds, > 0; ``health_check_timeout`` by default. The answer comes
            within it: what could not be found out in time is ``unknown``.

    Raises:
        DriverProtocolError: The store's driver returned no `Health`.
    """
    opened = opened_with(store)
    if timeout is None:
        timeout = store.config.health_check_timeout
    started = monotonic()
    try:
        health = ask(
            opened.registry,
            "health_check",
            store.config,
            store=store,
            deep=deep,
            timeout=timeout,
        )
    except MooringError as error:
        failed = Check(name="health_check", status="failed", detail=error.message)
        return Health.of((failed,), latency=monotonic() - started)
    if not isinstance(health, Health):
        raise broken_hook(store.driver, "health_check", health, "a Health")
    if not opened.sources:
        return health
    check = _migrations_check(store, opened.sources, started + timeout)
    return Health.of((*health.checks, check), latency=monotonic() - started)


def _migrations_check(
    store: Any, sources: "Iterable[Source]", deadline: float
) -> Check:
    """Look whether all that is known is applied; until *deadline*, no file opened."""
    name = "migrations"
    found = []
    for source in sources:
        try:
            rows = store.migration_versions(
                source.table, timeout=max(deadline - monotonic(), 0)
            )
            known = set(source.files())
        except MooringError as error:
            return Check(name=name, status="unknown", detail=error.message)
        applied = {row.version for row in rows or ()}
        if applied != known:
            detail = f"{len(known - applied)} pending, {len(applied - known)} unknown"
            return Check(name=name, status="failed", detail=detail)
        if applied:
            found.append(f"at {max(applied)} ({len(applied)}/{len(known)})")
    return Check(name=name, status="ok", detail=", ".join(found) or "none")
