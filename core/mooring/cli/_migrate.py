"""``mooring migrate``."""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import click

from mooring.cli._app import VerbGroup
from mooring.cli._errors import DIVERGED, PENDING
from mooring.cli._migrate_new import new
from mooring.cli._migrate_validate import validate
from mooring.cli._output import (
    json_option,
    milliseconds,
    plural,
    say,
    say_json,
    table,
)
from mooring.cli._rules import notice, rules_options, transaction_option
from mooring.cli._target import Seconds, Target, resolve, target_arguments

if TYPE_CHECKING:
    from mooring.migrate import Event, MigrationStatus, Migrator, Rules, Step

_EXIT_CODE = {"current": 0, "pending": PENDING, "diverged": DIVERGED}

_VERSION = click.IntRange(min=0)
_lock_timeout = click.option(
    "--lock-timeout",
    type=Seconds(),
    help="How long to wait for the migration lock; migration_timeout by default.",
)


@click.group(cls=VerbGroup)
def command() -> None:
    """Bring a store's schema up or down, or look at it."""


command.add_command(new)
command.add_command(validate)


@command.command()
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
    with _migrator(place) as (migrator, name):
        found = migrator.status()
    state = _state(found)
    driver = place.config.driver
    if as_json:
        rows = [
            {
                "version": one.version,
                "name": one.name,
                "state": one.state,
                "applied_at": one.applied_at or None,
                "ms": milliseconds(one.duration),
            }
            for one in found
        ]
        say_json(driver=driver, target=name, state=state, migrations=rows)
    else:
        for line in _status_lines(f"{driver}  {name}", found):
            say(line)
        if state == "pending":
            say(f"run: mooring migrate up {place.shown}")
        elif state == "diverged":
            say("the files and the database disagree: `migrate up` will refuse")
    return _EXIT_CODE[state] if check else 0


@command.command()
@target_arguments
@click.option("--to", type=_VERSION, help="The last version to apply; all by default.")
@transaction_option
@rules_options
@_lock_timeout
@json_option
def up(
    *,
    target: str | None,
    options: tuple[str, ...],
    to: int | None,
    transaction: Literal["each", "all"] | None,
    rules: "Rules",
    lock_timeout: float | None,
    as_json: bool,
) -> None:
    """Apply what is pending on TARGET.

    The store is made if there is none.
    """
    place = resolve(target, options)
    with _migrator(place, quiet=as_json, rules=rules) as (migrator, name):
        if to is not None:
            _require_known(to, migrator.source.files())
        steps = migrator.up(to=to, transaction=transaction, timeout=lock_timeout)
    if as_json:
        say_json(driver=place.config.driver, target=name, applied=_documents(steps))
        return
    _tell(name, steps, "applied")


@command.command()
@target_arguments
@click.option("--to", type=_VERSION, help="Undo every version above; 0 undoes all.")
@click.option("--steps", type=click.IntRange(min=1), help="How many to undo; 1.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@transaction_option
@rules_options
@_lock_timeout
@json_option
def down(
    *,
    target: str | None,
    options: tuple[str, ...],
    to: int | None,
    steps: int | None,
    yes: bool,
    transaction: Literal["each", "all"] | None,
    rules: "Rules",
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """Undo the newest migrations of TARGET.

    The data in what they made is lost. It asks first; without a terminal it needs
    --yes.
    """
    if to is not None and steps is not None:
        raise click.UsageError("--to and --steps exclude each other")
    place = resolve(target, options, create=False)
    with _migrator(place, quiet=as_json, rules=rules) as (migrator, name):
        known = migrator.status()
        if to:
            _require_known(to, [one.version for one in known])
        versions = migrator.plan_down(to=to, steps=steps)
        by_version = {one.version: one for one in known}
        wanted = [by_version[version] for version in versions]
        if wanted and not yes and not _agreed(name, wanted, as_json=as_json):
            say("nothing was undone", err=True)
            return 1
        undone = migrator.down(
            to=to, steps=steps, transaction=transaction, timeout=lock_timeout
        )
    if as_json:
        say_json(driver=place.config.driver, target=name, undone=_documents(undone))
        return 0
    _tell(name, undone, "undone")
    return 0


@contextmanager
def _migrator(
    place: Target, *, quiet: bool = True, rules: "Rules | None" = None
) -> Iterator[tuple["Migrator", str]]:
    """Open the store as it is, and give its migrator, with the store's name."""
    from mooring import core
    from mooring.migrate import Migrator

    def progress(event: "Event") -> None:
        if told := notice(event):
            say(told, err=True)
        elif watched and event.kind == "start":
            verb = "applying" if event.step.direction == "up" else "undoing"
            say(f"{verb} {event.step.name}", err=True)

    watched = not quiet and sys.stderr is not None and sys.stderr.isatty()
    with core.open(place.config, migrate="skip") as store:
        migrator = Migrator(store, progress=progress, rules=rules)
        yield migrator, getattr(store, "target", "")


def _state(found: "Sequence[MigrationStatus]") -> str:
    """Return whether the database is current, pending, or has diverged."""
    states = {one.state for one in found}
    pending = [one.version for one in found if one.state == "pending"]
    newest = max((one.version for one in found if one.state != "pending"), default=0)
    if states - {"applied", "pending"} or any(v < newest for v in pending):
        return "diverged"
    return "pending" if pending else "current"


def _status_lines(title: str, found: "Sequence[MigrationStatus]") -> list[str]:
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
            _in_ms(one.duration),
        )
        for one in found
    ]
    return [head, *table(rows)]


def _agreed(name: str, wanted: "Sequence[MigrationStatus]", *, as_json: bool) -> bool:
    """Say what will be lost, and ask; where nobody can be asked, fail."""
    if as_json or sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            f"it would undo {plural(len(wanted), 'migration')} of {name}, with the data"
            " in what they made; there is no terminal to ask on: add --yes"
        )
    say(f"{name}: this undoes {plural(len(wanted), 'migration')}", err=True)
    for line in table((str(one.version), short(one.name)) for one in wanted):
        say(line, err=True)
    say("The data in what they made is lost.", err=True)
    return click.confirm("Go on?", err=True)


def _require_known(version: int, known: Collection[int]) -> None:
    if version not in known:
        listed = ", ".join(str(one) for one in known) or "none"
        raise click.UsageError(f"--to {version}: no such version; there are {listed}")


def short(name: str) -> str:
    """Return a migration file's name without version and suffix."""
    return name.partition("_")[2].removesuffix(".sql") or name


def _tell(name: str, steps: "Sequence[Step]", verb: str) -> None:
    for line in table(
        (str(step.version), short(step.name), verb, _in_ms(step.duration))
        for step in steps
    ):
        say(line)
    count = plural(len(steps), "migration")
    say(f"{name}: {count} {verb}" if steps else f"{name}: nothing to do")


def _documents(steps: "Sequence[Step]") -> list[dict[str, object]]:
    return [
        {"version": s.version, "name": s.name, "ms": milliseconds(s.duration)}
        for s in steps
    ]


def _in_ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:6.1f} ms"
