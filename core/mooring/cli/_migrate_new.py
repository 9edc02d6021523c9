"""``mooring migrate new``."""

import os
import re
import unicodedata
from datetime import UTC, datetime

import click

from mooring.cli._output import json_option, say, say_json

_SQL = "-- +goose Up\n\n-- +goose Down\n"
_PYTHON = '''\
"""What it is for."""


def up(tx):
    """Go forward: tx.execute("UPDATE ... WHERE id = :id", {"id": 1})."""


def down(tx):
    """Go back."""
'''


@click.command()
@click.argument("name")
@click.option(
    "-d",
    "--dir",
    "folders",
    multiple=True,
    default=["migrations"],
    show_default=True,
    help="A folder for the file; one for each dialect, repeatable.",
)
@click.option("--python", is_flag=True, help="Begin a file in Python, not in SQL.")
@json_option
def new(*, name: str, folders: tuple[str, ...], python: bool, as_json: bool) -> int:
    """Begin a migration called NAME: one file in each folder, with one version.

    Nothing is overwritten; a folder that does not exist is an error.
    """
    words = _cleaned(name)
    if not words:
        raise click.UsageError(f"{name!r} holds no letter or digit to call a file by")
    for folder in folders:
        if not os.path.isdir(folder):
            raise click.UsageError(
                f"there is no folder {folder!r}; create it, or name another with --dir"
            )
    suffix, text = ("py", _PYTHON) if python else ("sql", _SQL)
    file = f"{datetime.now(UTC):%Y%m%d%H%M%S}_{words}.{suffix}"
    paths = [os.path.join(folder, file) for folder in dict.fromkeys(folders)]
    written: list[str] = []
    try:
        for path in paths:
            with open(path, "x", encoding="utf-8", newline="\n") as stream:
                written.append(path)
                stream.write(text)
    except OSError as error:
        for path in written:
            os.unlink(path)
        raise click.UsageError(
            f"{error.filename or file} cannot be written: {error.strerror};"
            " no file was left"
        ) from error
    if as_json:
        say_json(files=paths)
    else:
        for path in paths:
            say(path)
    return 0


def _cleaned(name: str) -> str:
    """Return *name* in snake case: ASCII letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:100]
