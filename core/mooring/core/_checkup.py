"""Asking a store how it is: its driver, its migrations, and the clock."""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from mooring.core._health import Check, CheckProgress, Health
from mooring.core._open import migrator_for, opened_with
from mooring.core._store import Store
from mooring.core._verify import ask, broken_hook
from mooring.core.errors import MooringError

if TYPE_CHECKING:
    from mooring.migrate import Source

# What to do about migrations in a state, the worst first.
_FIXES: Final = {
    "ahead": "start the newer release that applied them, or undo them with it:"
    " `mooring migrate down`",
    "missing": "bring the files back as they were applied, or start the release that"
    " has them",
    "changed": "restore the files as they were applied, and put the change into a new"
    " migration",
    "pending": "run `mooring migrate up` on this store, or open it with"
    ' migrate="apply"',
}


def health_check(
    store: Store,
    *,
    deep: bool = False,
    integrity: bool = False,
    timeout: float | None = None,
    progress: CheckProgress | None = None,
) -> Health:
    """Return how *store* is. It never writes, and may be called beside open scopes.

    Args:
        store: Any store that `open` returned, closed ones too.
        deep: Also ask what takes longer or needs more rights, as ``mooring doctor``.
        integrity: Also read all of the data, which takes as long as that is large;
            *deep* comes with it.
        timeout: Seconds, > 0; ``health_check_timeout`` by default. The answer comes
            within it: what could not be found out in time is ``unknown``.
        progress: With *integrity*: called with what is looked at, how many parts of it
            are done and how many there are, in the same thread.

    Raises:
        DriverProtocolError: The store's driver returned no `Health`.
    """
    opened = opened_with(store)
    if timeout is None:
        timeout = store.config.health_check_timeout
    deep = deep or integrity
    started = monotonic()
    try:
        health = ask(
            opened.registry,
            "health_check",
            store.config,
            store=store,
            deep=deep,
            timeout=timeout,
            integrity=integrity,
            progress=progress or _unseen,
        )
    except MooringError as error:
        failed = Check(
            name="health_check",
            status="failed",
            detail=error.message,
            fix=error.hint or "report this to the authors of the driver",
        )
        return Health.of((failed,), latency=monotonic() - started)
    if not isinstance(health, Health):
        raise broken_hook(store.driver, "health_check", health, "a Health")
    checks = [*health.checks]
    if integrity and not any(check.name == "integrity" for check in checks):
        checks.append(_no_integrity(store.driver))
    checks += _checks_of_core(store, opened.sources, started + timeout, deep=deep)
    return Health.of(tuple(checks), latency=monotonic() - started)


def _checks_of_core(
    store: Any, sources: "Sequence[Source]", deadline: float, *, deep: bool
) -> Iterator[Check]:
    newest = ""
    if sources:
        check, newest = _migrations_check(store, sources, deadline, deep=deep)
        yield check
    if deep:
        from mooring.core._clock import clock_check, time_zone_check

        yield clock_check(newest)
        yield time_zone_check()


def _migrations_check(
    store: Any, sources: "Sequence[Source]", deadline: float, *, deep: bool
) -> tuple[Check, str]:
    """Look whether all that is known is applied, and say when one was applied last.

    Files are opened only if *deep*, to see whether they are what was applied.
    """
    name = "migrations"
    states: dict[str, int] = {}
    at_head, newest = [], ""
    for source in sources:
        left = max(deadline - monotonic(), 0)
        try:
            known = migrator_for(store, source).status(content=deep, timeout=left)
        except MooringError as error:
            unknown = Check(
                name=name,
                status="unknown",
                detail=error.message,
                fix=error.hint or "",
            )
            return unknown, newest
        for one in known:
            states[one.state] = states.get(one.state, 0) + 1
        newest = max(newest, *(one.applied_at for one in known), "")
        applied = [one.version for one in known if one.state == "applied"]
        if applied:
            at_head.append(f"at {max(applied)} ({len(applied)}/{len(known)})")
    wrong = [state for state in _FIXES if state in states]
    if not wrong:
        detail = ", ".join(at_head) or "none"
        return Check(name=name, status="ok", detail=detail), newest
    return (
        Check(
            name=name,
            status="failed",
            detail=", ".join(f"{states[state]} {state}" for state in wrong),
            fix=_FIXES[wrong[0]],
        ),
        newest,
    )


def _no_integrity(driver: str) -> Check:
    return Check(
        name="integrity",
        status="unknown",
        detail=f"the driver {driver} does not look at all of the data",
        fix="look with the engine's own tools",
    )


def _unseen(what: str, done: int, total: int) -> None:
    """Nobody watches."""
