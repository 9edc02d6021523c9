"""``mooring config``."""

import click

from mooring.cli._app import VerbGroup
from mooring.cli._errors import tell
from mooring.cli._output import json_option, say, say_json, table
from mooring.cli._target import explained, target_arguments


@click.group(cls=VerbGroup)
def command() -> None:
    """Look at a configuration; nothing is opened."""


@command.command()
@target_arguments
@click.option("--sources", is_flag=True, help="Also show where each setting is from.")
@json_option
def show(
    *, target: str | None, options: tuple[str, ...], sources: bool, as_json: bool
) -> int:
    """Show every setting; secrets are masked.

    If the configuration is wrong, what was given is shown before the errors; exit 3.
    """
    import attrs

    found = explained(target, options)
    settings = [attrs.asdict(one) for one in found.settings]
    if found.error is not None:
        if not as_json:
            _tell(settings, sources=True)
        return tell(found.error, as_json=as_json)
    if as_json:
        say_json(settings=settings, file=found.file or None, warnings=[*found.warnings])
    else:
        _tell(settings, sources=sources)
    return 0


@command.command()
@target_arguments
@json_option
def check(*, target: str | None, options: tuple[str, ...], as_json: bool) -> int:
    """Say whether the configuration is right, with every problem; exit 3 if not."""
    found = explained(target, options)
    if found.error is not None:
        return tell(found.error, as_json=as_json)
    driver = str(found.settings[0].value)
    if as_json:
        say_json(driver=driver, file=found.file or None, warnings=[*found.warnings])
    else:
        given = sum(one.source != "default" for one in found.settings)
        say(f"{driver}   ok   {given} of {len(found.settings)} settings are given")
    return 0


def _tell(settings: list[dict[str, object]], *, sources: bool) -> None:
    rows = []
    for one in settings:
        row = [str(one["key"]), _written(one["value"]), str(one["unit"])]
        rows.append([*row, str(one["source"])] if sources else row)
    for line in table(rows, indent=""):
        say(line)


def _written(value: object) -> str:
    """Return a value as a configuration file has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.10g}"
    return "" if value is None else str(value)
