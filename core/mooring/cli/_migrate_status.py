"""``mooring migrate status`` and ``wait``."""

from collections.abc import Iterator
from time import monotonic, sleep
from typing import TYPE_CHECKING

import click

from mooring.cli._errors import DIVERGED, PENDING
from mooring.cli._migrating import opened, short, unfinished_document, unfinished_line
from mooring.cli._output import json_option, milliseconds, say, say_json, table
from mooring.cli._target import Seconds, Target, resolve, target_arguments

if TYPE_CHECKING:
    from mooring.migrate import MigrationStatus, Status, Waited

_EXIT_CODE = {"current": 0, "pending": PENDING, "diverged": DIVERGED}
# Seconds between two attempts to open a store that is not there yet.
_PAUSE = 0.25


@click.command("status")
@target_arguments
@click.option(
    "--check", is_flag=True, help="Exit 5 if behind, 6 if ahead, changed or disordered."
)
@json_option
def status(
    *, target: str | None, options: tuple[str, ...], check: bool, as_json: bool
) -> int:
    """Show each migration of TARGET.

    No version is applied or undone, and a store that does not exist is an error.
    """
    place = resolve(target, options, create=False)
    with opened(place) as (migrator, name):
        found = migrator.status()
    if as_json:
        say_json(
            driver=place.config.driver,
            target=name,
            state=found.state,
            migrations=[_document(one) for one in found],
            unfinished=unfinished_document(found.unfinished),
        )
    else:
        for line in _lines(f"{place.config.driver}  {name}", found):
            say(line)
        for line in _advice(found, place.shown):
            say(line.rstrip())
    return _EXIT_CODE[found.state] if check else 0


@click.command("wait")
@target_arguments
@click.option(
    "--timeout", type=Seconds(), default=60.0, help="How long to wait; 60 seconds."
)
@json_option
def wait(
    *, target: str | None, options: tuple[str, ...], timeout: float, as_json: bool
) -> None:
    """Wait until somebody else has migrated TARGET.

    For containers that start before the program does. Nothing is written. It waits for
    the store, too, if that is not there yet. When the time is over it exits 5 if
    migrations are still pending, and 7 if the store cannot be opened; at once it exits
    6 if the database is ahead.
    """
    place = resolve(target, options, create=False)
    done, name = _waited(place, timeout)
    if as_json:
        say_json(
            driver=place.config.driver,
            target=name,
            version=done.version,
            ms=milliseconds(done.seconds),
        )
        return
    say(f"{name}: at {done.version}, waited {done.seconds:.1f} s")


def _waited(place: Target, timeout: float) -> "tuple[Waited, str]":
    """Wait for the store, and then for its migrations."""
    from mooring.core import MigrationsPendingError, OpenError
    from mooring.migrate import Waited

    started = monotonic()
    while True:
        try:
            with opened(place) as (migrator, name):
                left = max(started + timeout - monotonic(), 0)
                done = migrator.wait(timeout=left)
                seconds = monotonic() - started
                return Waited(version=done.version, seconds=seconds), name
        except (OpenError, MigrationsPendingError) as error:
            left = started + timeout - monotonic()
            if left <= 0 or isinstance(error, MigrationsPendingError):
                error.message += f"; waited {timeout:g} s"
                raise
        sleep(min(_PAUSE, left))


def _document(one: "MigrationStatus") -> dict[str, object]:
    return {
        "version": one.version,
        "name": one.name,
        "state": one.state,
        "applied_at": one.applied_at or None,
        "ms": milliseconds(one.duration),
        "digest": one.digest,
        "applied_by": one.applied_by,
    }


def _lines(title: str, found: "Status") -> list[str]:
    counts: dict[str, int] = {}
    for one in found:
        counts[one.state] = counts.get(one.state, 0) + 1
    known = sum(1 for one in found if one.name)
    summary = ", ".join(f"{count} {state}" for state, count in counts.items())
    head = f"{title}   {known} known" + (f", {summary}" if summary else "")
    rows = [
        (
            str(one.version),
            short(one.name),
            f"{one.state} {one.applied_at.replace('T', ' ')}".rstrip(),
            _took(one),
        )
        for one in found
    ]
    return [head, *table(rows)]


def _took(one: "MigrationStatus") -> str:
    if one.state != "pending" and one.digest is None:
        return "content not recorded"
    return "" if one.duration is None else f"{one.duration * 1000:6.1f} ms"


def _advice(found: "Status", shown: str) -> Iterator[str]:
    """Yield what to do, a line for each thing that is not as it should be."""
    states = {one.state for one in found}
    pending = [one.version for one in found if one.state == "pending"]
    left = found.unfinished
    if left is not None:
        yield f"{unfinished_line(left, found)} {shown}"
    if "ahead" in states:
        yield (
            f"the database is at {found.database}, the files go up to {found.known}:"
            " start the newer release, or with it run: mooring migrate down"
            f" --to {found.known} {shown}"
        )
    if "changed" in states:
        yield (
            "changed after it was applied: restore the file, or accept the change:"
            f" mooring migrate repair {shown}"
        )
    if "missing" in states:
        yield (
            "applied, but its file is gone: bring it back, or forget the version:"
            f" mooring migrate repair {shown}"
        )
    if any(version < found.database for version in pending):
        yield (
            f"pending below {found.database}: run: mooring migrate up --allow-missing"
            f" {shown}"
        )
    elif pending:
        yield f"run: mooring migrate up {shown}"
