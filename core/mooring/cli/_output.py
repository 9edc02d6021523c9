"""Writing results and talk: lines for people, one JSON object for programs."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import IO, Any, TypeVar

import click

# Of the JSON objects; raised when a field changes its meaning or goes.
SCHEMA = 1


F = TypeVar("F", bound=Callable[..., Any])

_QUIET = "mooring.quiet"


def json_option(command: F) -> F:
    """Give *command* --json, as ``as_json``, and what every verb has beside."""
    command = click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_log_to_stderr,
        help="Tell what happens; twice tells more.",
    )(command)
    command = click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_be_quiet,
        help="Write nothing but errors, and questions.",
    )(command)
    command = click.option(
        "--no-color",
        is_flag=True,
        expose_value=False,
        callback=_draw_plain,
        help="Draw without colours, as with NO_COLOR.",
    )(command)
    return click.option(
        "--json", "as_json", is_flag=True, help="Write one JSON object to stdout."
    )(command)


def say(text: str = "", *, err: bool = False) -> None:
    """Write a line to stdout, or to stderr; with --quiet only to stderr.

    A reader that has gone (``| head``) does not change what the command does, nor its
    exit code: what it would have read is dropped.

    Raises:
        click.ClickException: It cannot be written for another reason.
    """
    if err or not is_quiet():
        _write(text, err=err)


def is_quiet() -> bool:
    """Return whether the command was called with --quiet."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_QUIET))


def say_json(**document: object) -> None:
    """Write the one JSON object of a command; "schema" comes first."""
    import json

    _write(json.dumps({"schema": SCHEMA, **document}, indent=2), err=False)


def _write(text: str, *, err: bool) -> None:
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        _drop(sys.stderr if err else sys.stdout)
    except OSError as cause:
        _drop(sys.stderr if err else sys.stdout)
        raise click.ClickException(
            f"the output cannot be written: {cause.strerror}"
        ) from cause


def _be_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[_QUIET] = value


def _draw_plain(_: click.Context, __: click.Parameter, value: bool) -> None:
    if value:
        os.environ["NO_COLOR"] = "1"  # for what draws, and for child processes


def _log_to_stderr(_: click.Context, __: click.Parameter, value: int) -> None:
    if not value:
        return
    import logging

    # Only here, in a program of our own, is logging set up.
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("mooring")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if value == 1 else logging.DEBUG)


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
