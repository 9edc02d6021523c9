"""Checks the files of a source, without any database."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Literal, NamedTuple

from mooring.core import Dialect, File
from mooring.core.errors import MigrationParseError
from mooring.migrate._cut import cuts
from mooring.migrate._files import content
from mooring.migrate._parse import parse_noting
from mooring.migrate._source import Source, claims_version, is_python, version_of

# Longer gaps are no gaps: versions from here on are times, or begin a new count.
_WIDEST_GAP = 100


class Finding(NamedTuple):
    """One thing that is wrong, or looks wrong, with migration files.

    Attributes:
        file: The file's name, or the folder's.
        line: 1-based line of the file, None for the whole of it.
        severity: With an ``error`` no run begins; a ``warning`` is likely a mistake.
        message: What it is, beginning with ``file:line:``.
        hint: What to do about it, or None.
    """

    file: str
    line: int | None
    severity: Literal["error", "warning"]
    message: str
    hint: str | None


def validate(
    source: Source,
    *,
    environ: Mapping[str, str] | None = None,
    dialect: Dialect | None = None,
) -> tuple[Finding, ...]:
    """Read every file of *source* in both directions, and tell all that is wrong.

    No database is opened, nothing is written, and no file in Python is run.

    Args:
        source: The files.
        environ: As in `parse`.
        dialect: What the SQL of the engine looks like that the files are for, to tell
            what is cut in two; None: as any engine takes it. `Migrator.validate` knows.

    Returns:
        What was found, by file and line; empty if all is well.
    """
    try:
        entries = sorted(source.entries(), key=lambda file: file.name)
    except MigrationParseError as error:
        return (_error(error),)
    files = [file for file in entries if claims_version(file.name)]
    found = [one for file in files for one in _in_file(file, environ, dialect)]
    found += _in_names(files)
    beside = [file for file in entries if file not in files and is_python(file.name)]
    found += [one for file in beside for one in _in_module_beside(file)]
    if not files:
        try:
            source.files()
        except MigrationParseError as error:
            found.append(_error(error))
    return tuple(sorted(found, key=lambda one: (one.file, one.line or 0)))


def _in_file(
    file: File, environ: Mapping[str, str] | None, dialect: Dialect | None
) -> Iterator[Finding]:
    try:
        found = parse_noting(content(file), name=file.name, environ=environ)
    except MigrationParseError as error:
        yield _error(error)
        return
    migration, empty, wrapped = found
    for line in empty:
        yield _warning(
            file.name,
            line,
            "the block that begins here has no SQL: goose loses the line behind it",
            "remove the block",
        )
    if migration.python:
        return
    for statements in (migration.up, migration.down):
        for cut in cuts(statements, wrapped, dialect):
            yield _warning(file.name, cut.line, cut.problem, cut.hint)


def _in_module_beside(file: File) -> Iterator[Finding]:
    """Warn of a migration in Python that its name hides."""
    try:
        # Under the name that it may be meant to have.
        migration = parse_noting(content(file), name=f"1_{file.name}")[0]
    except MigrationParseError:
        return
    yield _warning(
        file.name,
        migration.up[0].line,
        "up() in a file that is not named like a migration: no run takes it",
        "call it <version>_<name>.py, or name the function otherwise",
    )


def _in_names(files: list[File]) -> Iterator[Finding]:
    names: dict[int, str] = {}
    for file in files:
        version = version_of(file.name)
        if version in names:
            message = f"has the same version as {names[version]}"
            hint = "give one of them a version of its own"
            yield _error(
                MigrationParseError(message, file=file.name, line=None, hint=hint)
            )
        elif version is not None:
            names[version] = file.name
    for before, after in pairwise(sorted(names)):
        if 1 < after - before < _WIDEST_GAP and after < _WIDEST_GAP**2:
            yield _warning(
                names[after],
                None,
                f"there is no version between {before} and {after}",
                "if a file was lost, bring it back",
            )


def _error(error: MigrationParseError) -> Finding:
    return Finding(error.file, error.line, "error", error.message, error.hint)


def _warning(file: str, line: int | None, message: str, hint: str) -> Finding:
    where = file if line is None else f"{file}:{line}"
    return Finding(file, line, "warning", f"{where}: {message}", hint)
