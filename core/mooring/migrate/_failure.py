"""Errors of a run that point into a file as it is written, and show no secret."""

import re
from collections.abc import Sequence

from mooring.core.errors import MigrationFailedError, MooringError
from mooring.migrate._files import ReadFile
from mooring.migrate._migration import Statement


def failed(
    file: ReadFile, statement: Statement, cause: MooringError, state: str
) -> MigrationFailedError:
    """Return the error, pointing into the file as it is written.

    The file's own text is quoted, not the statement's: what ENVSUB put in may be a
    secret.
    """
    offset = getattr(cause, "offset", None)
    line, column = statement.line, None
    if offset is not None:
        before = statement.sql[:offset]
        line += before.count("\n")
        column = offset - (before.rfind("\n") + 1) + 1
    lines: Sequence[str] = file.lines
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    reason = cause.message
    if shows_value(file, statement, cause):
        reason = "the engine refused it; its words are hidden, they show a value"
    name = file.migration.name
    where = f"{name}:{line}" if column is None else f"{name}:{line}:{column}"
    return MigrationFailedError(
        f"{where}: {reason}\n  {shown}\n{state}",
        file=name,
        version=file.migration.version,
        line=line,
        column=column,
        statement=file.as_written(statement),
        state=state,
        hint=cause.hint or "correct the file and run again",
    )


def say_undone(error: BaseException, versions: Sequence[int]) -> None:
    """Say in what ended a redo that *versions*, or some of them, are undone now."""
    if not isinstance(error, MigrationFailedError):  # such as a Ctrl-C
        listed = ", ".join(map(str, sorted(versions)))
        error.add_note(f"{listed}: undone before; look which of them are applied again")
        return
    left = [str(version) for version in sorted(versions) if version >= error.version]
    are = "were undone before, and stay so" if left[1:] else "was undone, and stays so"
    error.message = f"{error.message}\n{', '.join(left)} {are}"
    error.state = f"{error.state}\n{', '.join(left)} {are}"


def not_begun(file: ReadFile, cause: MooringError, kept: str) -> MigrationFailedError:
    """Return the error for the version table or the lock: no file has to do with it."""
    name = file.migration.name
    state = kept or "nothing of this file ran"
    return MigrationFailedError(
        f"{name} was not begun: {cause.message}\n{state}",
        file=name,
        version=file.migration.version,
        line=1,
        column=None,
        statement="",
        state=state,
        hint=cause.hint,
    )


def shows_value(file: ReadFile, statement: Statement, cause: MooringError) -> bool:
    """Return whether the message quotes what ENVSUB put into the statement."""
    written = file.as_written(statement)
    if statement.sql in written:
        return False  # nothing was put in
    words = re.findall(r"\w+", cause.message)
    return any(word in statement.sql and word not in written for word in words)
