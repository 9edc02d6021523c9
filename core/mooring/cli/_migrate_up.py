"""``mooring migrate up`` and ``plan``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from mooring.cli._migrating import (
    documents,
    dry_run_options,
    lock_timeout_option,
    opened,
    planned_documents,
    refuse_both,
    require_known,
    resume_options,
    resumption,
    tell_plan,
    tell_steps,
    unfinished_document,
    version_type,
)
from mooring.cli._output import json_option, say_json
from mooring.cli._rules import rules_options, transaction_option
from mooring.cli._target import Target, resolve, target_arguments

if TYPE_CHECKING:
    from mooring.migrate import Migrator, Rules

F = TypeVar("F", bound=Callable[..., Any])


def _selection(command: F) -> F:
    """Give *command* the options that say what is applied."""
    command = click.option(
        "--allow-missing",
        is_flag=True,
        help="Apply those below the newest applied version, too.",
    )(command)
    command = click.option(
        "--steps", type=click.IntRange(min=1), help="How many to apply; all."
    )(command)
    return click.option(
        "--to", type=version_type, help="The last version to apply; all by default."
    )(command)


@click.command("up")
@target_arguments
@_selection
@transaction_option
@resume_options
@rules_options
@dry_run_options
@lock_timeout_option
@json_option
def up(
    *,
    target: str | None,
    options: tuple[str, ...],
    transaction: Literal["each", "all"] | None,
    resume: bool,
    resume_after: bool,
    rules: "Rules",
    dry_run: bool,
    sql: bool,
    lock_timeout: float | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Apply what is pending on TARGET.

    The store is made if there is none.
    """
    if sql and not dry_run:
        raise click.UsageError("--sql goes with --dry-run")
    place = resolve(target, options, create=not dry_run)
    if dry_run:
        _show(place, sql=sql, as_json=as_json, **chosen)
        return
    with opened(place, quiet=as_json, rules=rules) as (migrator, name):
        _check(migrator, **chosen)
        done = migrator.up(
            transaction=transaction,
            resume=resumption(resume=resume, resume_after=resume_after),
            timeout=lock_timeout,
            **chosen,
        )
    if as_json:
        applied = documents(done, "up")
        say_json(driver=place.config.driver, target=name, applied=applied)
        return
    tell_steps(name, done, {"up": "applied"})


@click.command("plan")
@target_arguments
@_selection
@click.option("--sql", is_flag=True, help="Print the statements.")
@json_option
def plan(
    *,
    target: str | None,
    options: tuple[str, ...],
    sql: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Show what `up` would do on TARGET; nothing is made, locked or written."""
    place = resolve(target, options, create=False)
    _show(place, sql=sql, as_json=as_json, **chosen)


def _show(place: Target, *, sql: bool, as_json: bool, **chosen: Any) -> None:
    with opened(place) as (migrator, name):
        _check(migrator, **chosen)
        found = migrator.plan(**chosen)
    if as_json:
        steps = planned_documents(found, sql=sql)
        left = unfinished_document(found.unfinished)
        say_json(driver=place.config.driver, target=name, plan=steps, unfinished=left)
        return
    tell_plan(name, found, "applied", sql=sql)


def _check(
    migrator: "Migrator", *, to: int | None, steps: int | None, **_: Any
) -> None:
    refuse_both(to, steps)
    if to is not None:
        require_known(to, migrator.source.files())
