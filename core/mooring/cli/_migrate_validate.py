"""``mooring migrate validate``."""

import click

from mooring.cli._output import json_option, plural, say, say_json


@click.command()
@click.argument("folder")
@click.option("--strict", is_flag=True, help="Exit 1 for a warning, too.")
@json_option
def validate(*, folder: str, strict: bool, as_json: bool) -> int:
    """Check the migration files in FOLDER, both directions; no database is opened."""
    from mooring.migrate import Source
    from mooring.migrate import validate as findings_of

    found = findings_of(Source(folder))
    if as_json:
        say_json(folder=folder, findings=[one._asdict() for one in found])
    else:
        for one in found:
            say(f"{one.severity}: {one.message}")
            if one.hint:
                say(f"  hint: {one.hint}")
        errors = sum(one.severity == "error" for one in found)
        warnings = plural(len(found) - errors, "warning")
        say(f"{plural(errors, 'error')}, {warnings}", err=True)
    return int(any(strict or one.severity == "error" for one in found))
