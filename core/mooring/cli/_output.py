"""Writing results and talk: lines for people, one JSON object for programs."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

import click

# Of the JSON objects; raised when a field changes its meaning or goes.
SCHEMA = 1


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON object to stdout."
)


def say(text: str = "", *, err: bool = False) -> None:
    """Write a line to stdout, or to stderr.

    A reader that has gone (``| head``) does not change what the command does, nor its
    exit code: what it would have read is dropped.

    Raises:
        click.ClickException: It cannot be written for another reason.
    """
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        _drop(sys.stderr if err else sys.stdout)
    except OSError as cause:
        _drop(sys.stderr if err else sys.stdout)
        raise click.ClickException(
            f"the output cannot be written: {cause.strerror}"
        ) from cause


def say_json(**document: object) -> None:
    """Write the one JSON object of a command; "schema" comes first."""
    import json

    say(json.dumps({"schema": SCHEMA, **document}, indent=2))


def table(rows: Iterable[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """Return rows as lines with aligned columns; the last one is never padded."""
    rows = list(rows)
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def milliseconds(seconds: float | None) -> float | None:
    """Return seconds as milliseconds, for the JSON of a command."""
    return None if seconds is None else round(seconds * 1000, 3)


def plural(count: int, noun: str) -> str:
    """Return "1 migration", "2 migrations"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _drop(stream: "IO[Any] | None") -> None:
    """Send what is written to *stream* from now on, and what it holds, nowhere."""
    if stream is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
