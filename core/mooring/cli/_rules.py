"""The options of ``mooring migrate`` that say how files run."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from mooring.cli._target import Seconds

if TYPE_CHECKING:
    from mooring.migrate import Event

transaction_option = click.option(
    "--transaction",
    type=click.Choice(["each", "all"]),
    help="One transaction for each file, or for all: a failure then leaves exactly the"
    " old version. By default all on a new database, else each.",
)

_OPTIONS = (
    click.option(
        "--strict",
        is_flag=True,
        help="Refuse a file that begins or ends its transaction itself.",
    ),
    click.option(
        "--statement-timeout", type=Seconds(), help="How long one statement may run."
    ),
    click.option(
        "--table-lock-timeout",
        type=Seconds(),
        help="How long one may wait for locks of others.",
    ),
    click.option(
        "--lock-retries",
        type=click.IntRange(min=0),
        default=5,
        show_default=True,
        help="How often a file is run again that waited for such a lock in vain.",
    ),
)


def rules_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options, and call the function with ``rules`` made of them."""

    @wraps(function)
    def call(**given: Any) -> Any:
        from mooring.migrate import Rules

        names = ("strict", "statement_timeout", "table_lock_timeout", "lock_retries")
        rules = Rules(**{name: given.pop(name) for name in names})
        return function(rules=rules, **given)

    for option in reversed(_OPTIONS):
        call = option(call)
    return call


def notice(event: "Event") -> str:
    """Return what everybody is told of an event, "" if only who watches."""
    if event.kind == "warning":
        return f"warning: {event.message}"
    return event.message if event.kind == "retry" else ""
