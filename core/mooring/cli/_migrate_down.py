"""``mooring migrate down``, ``redo`` and ``reset``."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import click

from mooring.cli._migrating import (
    asked,
    documents,
    dry_run_options,
    lock_timeout_option,
    opened,
    planned_documents,
    refuse_both,
    require_known,
    resume_options,
    resumption,
    short,
    tell_plan,
    tell_steps,
    unfinished_document,
    version_type,
    yes_option,
)
from mooring.cli._output import json_option, plural, say, say_json, table
from mooring.cli._rules import rules_options, transaction_option
from mooring.cli._target import resolve, target_arguments

if TYPE_CHECKING:
    from mooring.migrate import Plan, Rules

F = TypeVar("F", bound=Callable[..., Any])


def _selection(command: F) -> F:
    """Give *command* the options that say what is undone."""
    command = click.option(
        "--steps", type=click.IntRange(min=1), help="How many to undo; 1."
    )(command)
    return click.option(
        "--to", type=version_type, help="Undo every version above; 0 undoes all."
    )(command)


def _running(command: F) -> F:
    """Give *command* what all that undo have."""
    for option in (json_option, lock_timeout_option, dry_run_options, yes_option):
        command = option(command)
    return cast("F", rules_options(command))


@click.command("down")
@target_arguments
@_selection
@transaction_option
@resume_options
@_running
def down(**arguments: Any) -> int:
    """Undo the newest migrations of TARGET.

    The data in what they made is lost. It says what goes and asks first; without a
    terminal it needs --yes.
    """
    return _undo("down", **arguments)


@click.command("redo")
@target_arguments
@_selection
@_running
def redo(**arguments: Any) -> int:
    """Undo the newest migrations of TARGET, and apply them again.

    The data in what they made is lost. It says what goes and asks first; without a
    terminal it needs --yes.
    """
    return _undo("redo", transaction=None, **arguments)


@click.command("reset")
@target_arguments
@transaction_option
@_running
def reset(**arguments: Any) -> int:
    """Undo all migrations of TARGET.

    The data in what they made is lost. It says what goes and asks first; without a
    terminal it needs --yes.
    """
    return _undo("reset", to=0, steps=None, **arguments)


def _undo(
    verb: str,
    *,
    target: str | None,
    options: tuple[str, ...],
    to: int | None,
    steps: int | None,
    transaction: "Literal['each', 'all'] | None",
    rules: "Rules",
    yes: bool,
    dry_run: bool,
    sql: bool,
    lock_timeout: float | None,
    as_json: bool,
    resume: bool = False,
    resume_after: bool = False,
) -> int:
    refuse_both(to, steps)
    if sql and not dry_run:
        raise click.UsageError("--sql goes with --dry-run")
    place = resolve(target, options, create=False)
    driver = place.config.driver
    with opened(place, quiet=as_json, rules=rules) as (migrator, name):
        if to:
            require_known(to, [one.version for one in migrator.status()])
        plan = migrator.plan_down(to=to, steps=steps)
        if dry_run:
            _show(driver, name, plan, sql=sql, as_json=as_json)
            return 0
        if plan and not yes:
            summary = (
                f"undo {plural(len(plan), 'migration')} of {name}, with the data in"
                " what they made"
            )
            if not asked(summary, _lines(plan), "Go on?", can_ask=not as_json):
                say("nothing was undone", err=True)
                return 1
        elif plan and not as_json:
            for line in _lost(plan):
                say(line, err=True)
        # What was shown, and nothing else, whoever migrates meanwhile.
        chosen: dict[str, Any] = {"expected": plan.versions, "timeout": lock_timeout}
        if verb != "reset":
            chosen |= {"to": to, "steps": steps}
        if verb != "redo":
            chosen["transaction"] = transaction
        if verb == "down":
            chosen["resume"] = resumption(resume=resume, resume_after=resume_after)
        run: Callable[..., Any] = getattr(migrator, verb)
        done = run(**chosen)
    if as_json:
        say_json(
            driver=driver,
            target=name,
            undone=documents(done, "down"),
            **({"applied": documents(done, "up")} if verb == "redo" else {}),
            lost=_losses(plan),
        )
        return 0
    tell_steps(name, done, {"down": "undone", "up": "applied"})
    return 0


def _show(driver: str, name: str, plan: "Plan", *, sql: bool, as_json: bool) -> None:
    if as_json:
        steps = planned_documents(plan, sql=sql)
        left = unfinished_document(plan.unfinished)
        lost = _losses(plan)
        say_json(driver=driver, target=name, plan=steps, unfinished=left, lost=lost)
        return
    tell_plan(name, plan, "undone", sql=sql)
    if not sql:
        for line in _lost(plan):
            say(line)


def _lines(plan: "Plan") -> Iterator[str]:
    """Yield the migrations, and then what goes with them."""
    yield from table((str(step.version), short(step.name)) for step in plan)
    yield from _lost(plan) or ["no statement of theirs drops a table or deletes rows"]


def _lost(plan: "Plan") -> list[str]:
    lost = (("lost:", str(loss)) for step in plan for loss in step.losses)
    unknown = (
        ("not known:", f"what {step.name} takes away: it is Python")
        for step in plan
        if step.python and step.statements
    )
    return table((*lost, *unknown))


def _losses(plan: "Plan") -> list[dict[str, object]]:
    return [
        {
            "version": step.version,
            "table": loss.table,
            "column": loss.column or None,
            "kind": loss.kind,
            "rows": loss.rows,
        }
        for step in plan
        for loss in step.losses
    ]
