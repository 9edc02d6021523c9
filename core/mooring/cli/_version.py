"""``mooring version``."""

import platform

import click

from mooring import __version__
from mooring.cli._output import json_option, say, say_json, table


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """Say which versions of mooring, Python and the drivers are installed."""
    from mooring import core

    entries = core.drivers()
    if as_json:
        say_json(
            mooring=__version__,
            api=core.API_VERSION,
            python=platform.python_version(),
            drivers=[{"name": e.name, "version": e.version} for e in entries],
        )
        return
    rows = [("mooring", __version__), ("Python", platform.python_version())]
    rows += [(f"driver {e.name}", e.version) for e in entries]
    for line in table(rows, indent=""):
        say(line)
