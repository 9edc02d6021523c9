"""``mooring health``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mooring.cli._output import json_option, milliseconds, say, say_json, table
from mooring.cli._target import Seconds, resolve, target_arguments

if TYPE_CHECKING:
    from mooring.core import Check, Health


@click.command()
@target_arguments
@click.option("--deep", is_flag=True, help="Also look at what takes longer.")
@click.option(
    "--timeout", type=Seconds(), help="How long it may take; health_check_timeout."
)
@json_option
def command(
    *,
    target: str | None,
    options: tuple[str, ...],
    deep: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Check the store TARGET, such as sqlite:app.db; exit 1 unless all is well.

    It neither migrates nor makes a store: one that does not exist is an error.
    """
    from mooring import core

    config = resolve(target, options, create=False).config
    with core.open(config, migrate="skip") as store:
        name = getattr(store, "target", "")
        health = core.health_check(store, deep=deep, timeout=timeout)
    if as_json:
        say_json(driver=config.driver, target=name, **document(health))
    else:
        took = milliseconds(health.latency)
        say(f"{config.driver}  {name}   {health.status}   {took:.1f} ms")
        for line in table((c.name, c.status, c.detail) for c in health.checks):
            say(line)
    return 0 if health.ok else 1


def document(health: "Health") -> dict[str, object]:
    """Return a health for JSON."""
    return {
        "status": health.status,
        "ms": milliseconds(health.latency),
        "checks": documents(health.checks),
    }


def documents(checks: "Sequence[Check]") -> list[dict[str, str]]:
    """Return checks for JSON."""
    return [{"name": c.name, "status": c.status, "detail": c.detail} for c in checks]
