"""``mooring doctor``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from mooring.cli._health import document, heading, name_of
from mooring.cli._output import is_quiet, json_option, plural, say_json
from mooring.cli._page import Page
from mooring.cli._target import Seconds, resolve, target_arguments

if TYPE_CHECKING:
    from mooring.core import Check, CheckProgress

_TIMEOUT: Final = 10.0
_INTEGRITY_TIMEOUT: Final = 3600.0


@click.command()
@target_arguments
@click.option("--strict", is_flag=True, help="Exit 1 for warnings, too.")
@click.option(
    "--integrity",
    is_flag=True,
    help="Also read all of the data: is it whole, do references lead somewhere?",
)
@click.option(
    "--timeout",
    type=Seconds(),
    help=f"How long it may take; {_TIMEOUT:g} s, with --integrity"
    f" {_INTEGRITY_TIMEOUT:g} s.",
)
@json_option
def command(
    *,
    target: str | None,
    options: tuple[str, ...],
    strict: bool,
    integrity: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Look deep into the store TARGET, and say how to fix what is wrong.

    It never writes. Exit 1 if a check failed or is unknown; a warning is about what
    works, but should be changed.
    """
    from mooring import core

    config = resolve(target, options, create=False).config
    if timeout is None:
        timeout = _INTEGRITY_TIMEOUT if integrity else _TIMEOUT
    with (
        core.open(config, migrate="skip") as store,
        _progress(shown=integrity and not as_json and not is_quiet()) as progress,
    ):
        name = name_of(store)
        health = core.health_check(
            store, deep=True, integrity=integrity, timeout=timeout, progress=progress
        )
    if as_json:
        say_json(driver=config.driver, target=name, **document(health))
    else:
        page = Page(quiet=False)
        page.line(heading(config.driver, name, health))
        page.look(health.checks)
        page.line(_summary(health.checks))
    warned = any(check.status == "warning" for check in health.checks)
    return 0 if health.ok and not (strict and warned) else 1


def _summary(checks: "tuple[Check, ...]") -> str:
    counts: dict[str, int] = {}
    for check in checks:
        counts[check.status] = counts.get(check.status, 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{plural(len(checks), 'check')}: {told}"


@contextmanager
def _progress(*, shown: bool) -> "Iterator[CheckProgress | None]":
    """Give what shows how far a check is, on stderr, where that is a terminal."""
    if not shown or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            # Of a single part it is not known how far it is.
            of = total if total > 1 or done else None
            bar.update(tasks[what], completed=done, total=of)

        yield show
