"""From an exception to what the user reads, and to the exit code."""

import traceback

import click

from mooring.cli._output import say, say_json
from mooring.core import errors

USAGE = 2
PENDING = 5
DIVERGED = 6
INTERRUPTED = 130

# The first class that fits decides; everything else of ours is 1.
_EXIT_CODES: tuple[tuple[type[errors.MooringError], int], ...] = (
    (errors.ConfigError, 3),
    (errors.DriverError, 4),
    (errors.MigrationsPendingError, PENDING),
    (errors.DatabaseAheadError, DIVERGED),
    (errors.MigrationChangedError, DIVERGED),
    (errors.MigrationOrderError, DIVERGED),
    (errors.MigrationUnfinishedError, DIVERGED),
    (errors.MigrationLockError, 7),
    (errors.OpenError, 7),
    (errors.CorruptStoreError, 7),
    (errors.StoreBusyError, 7),
    (errors.PoolTimeoutError, 7),
    (errors.ConnectionLostError, 7),
    (errors.MooringError, 1),
)


def tell(error: BaseException, *, as_json: bool) -> int:
    """Tell the user about *error*, and return the exit code for it."""
    code, message, hint, exit_code = _described(error)
    if as_json:
        problems = getattr(error, "problems", ())
        say_json(
            error={
                "code": code,
                "message": message,
                "hint": hint,
                "problems": [problem._asdict() for problem in problems],
            }
        )
    else:
        say(f"error: {message}", err=True)
        if hint:
            say(f"hint: {hint}", err=True)
    return exit_code


def _described(error: BaseException) -> tuple[str, str, str | None, int]:
    """Return the error's stable code, its message, its hint, and the exit code."""
    if isinstance(error, errors.MooringError):
        # A migration that failed because the database was locked is told as that.
        cause = error.__cause__ if isinstance(error, errors.MigrationFailedError) else 0
        told = cause if isinstance(cause, errors.StoreBusyError) else error
        exit_code = next(c for kind, c in _EXIT_CODES if isinstance(told, kind))
        return error.code, error.message, error.hint, exit_code
    if isinstance(error, click.UsageError):
        path = error.ctx.command_path if error.ctx else "mooring"
        text = _sentence(error.format_message())
        return "usage", text, f"see `{path} --help`", USAGE
    if isinstance(error, click.ClickException):
        hint = getattr(error, "hint", None)
        return "failed", error.format_message(), hint, error.exit_code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        notes = getattr(error, "__notes__", ())
        return "interrupted", "; ".join(["interrupted", *notes]), None, INTERRUPTED
    traceback.print_exception(error)
    kind = type(error).__name__
    hint = "this is a bug, of mooring or of the driver: report it with the lines above"
    return "internal", f"{kind}: {error}", hint, 1


def _sentence(text: str) -> str:
    """Return click's text as ours are written."""
    text = text.rstrip(".")
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
