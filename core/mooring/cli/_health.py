"""``mooring health``."""

from collections.abc import Sequence
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

import click

from mooring.cli._output import json_option, milliseconds, say, say_json, table
from mooring.cli._target import Seconds, resolve, target_arguments

if TYPE_CHECKING:
    from mooring.core import Check, Health, StoreConfig

# Between two looks at a store that is waited for.
_PAUSE: Final = 0.5


@click.command()
@target_arguments
@click.option(
    "--timeout", type=Seconds(), help="How long it may take; health_check_timeout."
)
@click.option(
    "--wait",
    type=Seconds(),
    help="Look again until all is well, for this long, such as 30s.",
)
@json_option
def command(
    *,
    target: str | None,
    options: tuple[str, ...],
    timeout: float | None,
    wait: float | None,
    as_json: bool,
) -> int:
    """Check the store TARGET, such as sqlite:app.db; exit 1 unless all is well.

    It neither migrates nor makes a store: one that does not exist is an error. With
    --wait it is looked for again, until it is there, migrated and well.
    """
    config = resolve(target, options, create=False).config
    until = monotonic() + (wait or 0)
    while True:
        name, found = _look(config, timeout, until)
        if (found is not None and found.ok) or monotonic() >= until:
            break
        sleep(min(_PAUSE, max(until - monotonic(), 0)))
    assert found is not None  # noqa: S101 - at the end its error is raised
    tell(config.driver, name, found, as_json=as_json)
    return 0 if found.ok else 1


def _look(
    config: "StoreConfig", timeout: float | None, until: float
) -> tuple[str, "Health | None"]:
    """Return the store's name and health; None if it may open before *until*."""
    from mooring import core

    try:
        with core.open(config, migrate="skip") as store:
            return name_of(store), core.health_check(store, timeout=timeout)
    except core.StoreError:
        if monotonic() >= until:
            raise
    return "", None


def tell(driver: str, name: str, health: "Health", *, as_json: bool) -> None:
    """Write a health: its checks a line each."""
    if as_json:
        say_json(driver=driver, target=name, **document(health))
        return
    say(heading(driver, name, health))
    for line in table((c.name, c.status, c.detail) for c in health.checks):
        say(line)
    for check in health.checks:
        if check.fix:
            say(f"{check.name}: {check.fix}")


def name_of(store: Any) -> str:
    """Return what an open store calls its place; never a secret."""
    return str(getattr(store, "target", ""))


def heading(driver: str, name: str, health: "Health") -> str:
    """Return the first line about a health."""
    took = milliseconds(health.latency)
    return f"{driver}  {name}   {health.status}   {took:.1f} ms"


def document(health: "Health") -> dict[str, object]:
    """Return a health for JSON."""
    return {
        "status": health.status,
        "ms": milliseconds(health.latency),
        "checks": documents(health.checks),
    }


def documents(checks: "Sequence[Check]") -> list[dict[str, str]]:
    """Return checks for JSON."""
    return [
        {"name": c.name, "status": c.status, "detail": c.detail, "fix": c.fix}
        for c in checks
    ]
