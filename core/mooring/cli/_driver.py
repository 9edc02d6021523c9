"""``mooring driver``."""

import click

from mooring.cli._app import LazyGroup


class DriverGroup(LazyGroup):
    """The verbs about one driver, imported when they are invoked."""

    verbs = {  # noqa: RUF012 - the type is that of the base
        "new": ("_driver_new", "Write a driver to begin with."),
        "check": ("_driver_check", "Run the contract on a driver."),
    }


@click.group(cls=DriverGroup)
def command() -> None:
    """Begin a driver, or prove one."""
