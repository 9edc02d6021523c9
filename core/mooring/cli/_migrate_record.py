"""``mooring migrate stamp`` and ``repair``, which run no migration."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mooring.cli._migrating import (
    asked,
    documents,
    lock_timeout_option,
    opened,
    require_known,
    short,
    tell_steps,
    version_type,
    yes_option,
)
from mooring.cli._output import json_option, plural, say, say_json, table
from mooring.cli._target import resolve, target_arguments

if TYPE_CHECKING:
    from mooring.migrate import Repair


@click.command("stamp")
@target_arguments
@click.option("--to", type=version_type, required=True, help="The last one to note.")
@lock_timeout_option
@json_option
def stamp(
    *,
    target: str | None,
    options: tuple[str, ...],
    to: int,
    lock_timeout: float | None,
    as_json: bool,
) -> None:
    """Note the migrations of TARGET as applied up to a version, and run none.

    For a database whose tables another tool has made. `up` then goes on behind that
    version.
    """
    place = resolve(target, options, create=False)
    with opened(place) as (migrator, name):
        require_known(to, migrator.source.files())
        done = migrator.stamp(to=to, timeout=lock_timeout)
    if as_json:
        noted = documents(done, "up")
        say_json(driver=place.config.driver, target=name, noted=noted)
        return
    tell_steps(name, done, {"up": "noted as applied"})


@click.command("repair")
@target_arguments
@click.option(
    "--version",
    "versions",
    type=click.IntRange(min=1),
    multiple=True,
    help="Correct this one only; repeatable. By default all, but for those that are"
    " newer than every file.",
)
@yes_option
@click.option("--dry-run", is_flag=True, help="Show what would be corrected.")
@lock_timeout_option
@json_option
def repair(
    *,
    target: str | None,
    options: tuple[str, ...],
    versions: tuple[int, ...],
    yes: bool,
    dry_run: bool,
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """Correct what is recorded of TARGET, where it is the files that are right.

    A file that was changed after it was applied is accepted as it is now. A version
    whose file is gone is noted as not applied. A file that did not end is forgotten,
    and begins with its first statement again. No migration runs, and no table of the
    application is touched. It says what it would do and asks first; without a terminal
    it needs --yes.
    """
    place = resolve(target, options, create=False)
    only = versions or None
    with opened(place) as (migrator, name):
        found = migrator.plan_repair(only)
        if found and not dry_run:
            if not yes:
                summary = f"correct what is recorded of {name}: {_count(found)}"
                question = "No migration runs. Go on?"
                if not asked(summary, _lines(found), question, can_ask=not as_json):
                    say("nothing was corrected", err=True)
                    return 1
            found = migrator.repair(
                only, expected=None if yes else found, timeout=lock_timeout
            )
    if as_json:
        say_json(driver=place.config.driver, target=name, **_document(found))
        return 0
    for line in _lines(found):
        say(line)
    verb = "would be corrected" if dry_run else "corrected"
    say(f"{name}: {_count(found)} {verb}" if found else f"{name}: nothing to correct")
    return 0


def _count(found: "Repair") -> str:
    number = len(found.digests) + len(found.removed) + (found.forgotten is not None)
    return plural(number, "record")


def _lines(found: "Repair") -> Iterator[str]:
    rows = [
        (
            str(one.version),
            short(one.name),
            "content not recorded -> " + one.found[:12]
            if one.recorded is None
            else f"changed: {one.recorded[:12]} -> {one.found[:12]}",
        )
        for one in found.digests
    ]
    rows += [(str(v), "", "file gone: noted as not applied") for v in found.removed]
    if found.forgotten is not None:
        left = found.forgotten
        told = f"did not end: {left.done} statements ran; forgotten"
        rows.append((str(left.version), "", told))
    yield from table(rows)


def _document(found: "Repair") -> dict[str, object]:
    return {
        "digests": [
            {
                "version": one.version,
                "name": one.name,
                "recorded": one.recorded,
                "found": one.found,
            }
            for one in found.digests
        ],
        "removed": list(found.removed),
        "forgotten": found.forgotten.version if found.forgotten else None,
    }
