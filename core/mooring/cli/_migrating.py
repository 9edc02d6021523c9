"""What the verbs of ``mooring migrate`` share: options, the store, what they say."""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from mooring.cli._output import milliseconds, plural, say, table
from mooring.cli._rules import notice
from mooring.cli._target import Seconds, Target

if TYPE_CHECKING:
    from mooring.core import Unfinished
    from mooring.migrate import (
        Event,
        MigrationStatus,
        Migrator,
        Plan,
        PlannedStep,
        Rules,
        Step,
    )

F = TypeVar("F", bound=Callable[..., Any])

version_type = click.IntRange(min=0)
lock_timeout_option = click.option(
    "--lock-timeout",
    type=Seconds(),
    help="How long to wait for the migration lock; migration_timeout by default.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def dry_run_options(command: F) -> F:
    """Give *command* ``--dry-run`` and ``--sql``."""
    command = click.option(
        "--sql", is_flag=True, help="With --dry-run: print the statements, too."
    )(command)
    return click.option(
        "--dry-run",
        is_flag=True,
        help="Show what would be done; nothing is made, locked or written.",
    )(command)


def resume_options(command: F) -> F:
    """Give *command* ``--resume`` and ``--resume-after``, for `resumption`."""
    command = click.option(
        "--resume-after",
        is_flag=True,
        help="As --resume, but take the statement that did not end as done.",
    )(command)
    return click.option(
        "--resume",
        is_flag=True,
        help="Go on in a file that did not end, with the statement that did not.",
    )(command)


def resumption(
    *, resume: bool, resume_after: bool
) -> 'Literal["again", "after"] | None':
    """Return how to go on in a file that did not end."""
    if resume and resume_after:
        raise click.UsageError("--resume and --resume-after exclude each other")
    if resume_after:
        return "after"
    return "again" if resume else None


def refuse_both(to: int | None, steps: int | None) -> None:
    """Raise a usage error if --to and --steps are both given."""
    if to is not None and steps is not None:
        raise click.UsageError("--to and --steps exclude each other")


def require_known(version: int, known: Collection[int]) -> None:
    """Raise a usage error unless *version* is one of *known*."""
    if version not in known:
        listed = ", ".join(str(one) for one in known) or "none"
        raise click.UsageError(f"--to {version}: no such version; there are {listed}")


@contextmanager
def opened(
    place: Target, *, quiet: bool = True, rules: "Rules | None" = None
) -> Iterator[tuple["Migrator", str]]:
    """Open the store as it is, and give its migrator, with the store's name.

    Warnings go to stderr. Unless it is to be *quiet*, a run shows how far it is on a
    terminal.
    """
    from mooring import core
    from mooring.migrate import Migrator

    watched = not quiet and sys.stderr is not None and sys.stderr.isatty()
    with ExitStack() as stack:
        store = stack.enter_context(core.open(place.config, migrate="skip"))
        draw: Callable[[Event], None] | None = None
        if watched:
            from mooring.cli._progress import Drawing

            draw = stack.enter_context(Drawing())

        def progress(event: "Event") -> None:
            if told := notice(event):
                say(told, err=True)
            elif draw is not None:
                draw(event)

        migrator = Migrator(store, progress=progress, rules=rules)
        yield migrator, getattr(store, "target", "")


def asked(
    summary: str, details: Iterable[str], question: str, *, can_ask: bool
) -> bool:
    """Say what would be done, and ask; where nobody can be asked, fail.

    Args:
        summary: What it would do, as the middle of a sentence.
        details: Further lines.
        question: Their last one.
        can_ask: Whether the command may talk.
    """
    if not can_ask or sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            f"it would {summary}; there is no terminal to ask on: add --yes"
        )
    say(f"it would {summary}", err=True)
    for line in details:
        say(line, err=True)
    return click.confirm(question, err=True)


def short(name: str) -> str:
    """Return a migration file's name without version and suffix."""
    return name.partition("_")[2].rpartition(".")[0] or name


def tell_steps(name: str, steps: "Sequence[Step]", verbs: "dict[str, str]") -> None:
    """Say what was done, by the direction of each step."""
    for line in table(
        (str(step.version), short(step.name), verbs[step.direction], in_ms(step))
        for step in steps
    ):
        say(line)
    counts = [
        f"{plural(count, 'migration')} {verb}"
        for direction, verb in verbs.items()
        if (count := sum(step.direction == direction for step in steps))
    ]
    say(f"{name}: {', '.join(counts) or 'nothing to do'}")


def documents(steps: "Iterable[Step]", direction: str) -> list[dict[str, object]]:
    """Return the steps of one direction for JSON."""
    return [
        {"version": s.version, "name": s.name, "ms": milliseconds(s.duration)}
        for s in steps
        if s.direction == direction
    ]


def planned_documents(
    steps: "Iterable[PlannedStep]", *, sql: bool
) -> list[dict[str, object]]:
    """Return what would be done for JSON, with the statements if wanted."""
    return [
        {
            "version": step.version,
            "name": step.name,
            "direction": step.direction,
            "transaction": step.transaction,
            **({"statements": list(step.statements)} if sql else {}),
        }
        for step in steps
    ]


def unfinished_document(unfinished: "Unfinished | None") -> dict[str, object] | None:
    """Return the file that did not end for JSON."""
    if unfinished is None:
        return None
    document = unfinished._asdict()
    del document["ran"]
    return document


def unfinished_line(
    unfinished: "Unfinished", files: "Iterable[MigrationStatus | PlannedStep]"
) -> str:
    """Return what to say of the file that did not end, up to the store's name.

    Args:
        unfinished: What is known of it.
        files: What is known of all files.
    """
    ran = f"{unfinished.done} of its statements ran"
    if any(one.python for one in files if one.version == unfinished.version):
        ran = "what it did stays"
    return (
        f"{unfinished.version} did not end: {ran};"
        f" run: mooring migrate {unfinished.direction} --resume"
    )


def tell_plan(name: str, steps: "Plan", verb: str, *, sql: bool) -> None:
    """Say what would be done: a table, or the statements as SQL with comments.

    A file that did not end, without which nothing is done, is told on stderr.
    """
    if steps.unfinished is not None:
        say(f"{unfinished_line(steps.unfinished, steps)} {name}", err=True)
    if not steps:
        say(f"-- {name}: nothing to do" if sql else f"{name}: nothing to do")
        return
    if not sql:
        rows = [
            (
                str(step.version),
                short(step.name),
                "Python" if step.python else plural(len(step.statements), "statement"),
                "" if step.transaction else "NO TRANSACTION",
            )
            for step in steps
        ]
        for line in table(rows):
            say(line)
        say(f"{name}: {plural(len(steps), 'migration')} would be {verb}")
        return
    for step in steps:
        how = "in a transaction" if step.transaction else "NO TRANSACTION"
        say(f"-- {step.name}: {step.direction}, {how}")
        for statement in step.statements:
            say(statement)
        say()


def in_ms(step: "Step") -> str:
    """Return how long a step took, "" where it did not run."""
    seconds = step.duration
    return "" if seconds is None else f"{seconds * 1000:6.1f} ms"
