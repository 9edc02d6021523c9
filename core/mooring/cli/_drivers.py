"""``mooring drivers``."""

import click

from mooring.cli._output import json_option, say, say_json, table


@click.command()
@click.option("--load", is_flag=True, help="Import each one, to see whether it works.")
@json_option
def command(*, load: bool, as_json: bool) -> None:
    """List every driver: its name, who brings it, and whether it can be used.

    Nothing is imported, unless --load asks for it: a broken driver shows as available
    until it is tried.
    """
    import attrs

    from mooring import core

    registry = core.default_registry()
    entries = registry.drivers()
    if load:
        for entry in entries:
            try:
                registry.info(entry.name)
            except core.DriverError:
                continue  # its entry says why
        entries = registry.drivers()
    if as_json:
        say_json(drivers=[attrs.asdict(entry) for entry in entries])
        return
    if not entries:
        say("no driver is installed", err=True)
        say(
            "hint: install one, such as mooring[sqlite], from where mooring came",
            err=True,
        )
        return
    rows = [("NAME", "DISTRIBUTION", "VERSION", "STATE", "REASON")]
    rows += [(e.name, e.distribution, e.version, e.state, e.reason) for e in entries]
    for line in table(rows, indent=""):
        say(line)
