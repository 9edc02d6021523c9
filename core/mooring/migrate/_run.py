"""Running the statements of parsed migrations, and saying what state an error left."""

import re
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mooring.core import File, MigrationSession, MigrationUnit
from mooring.core.errors import (
    MigrationFailedError,
    MooringError,
    OutcomeUnknownError,
    StoreError,
)
from mooring.migrate._files import content
from mooring.migrate._migration import Migration, Statement, digest
from mooring.migrate._parse import parse

if TYPE_CHECKING:
    from mooring.migrate._migrator import Progress

Direction = Literal["up", "down"]

_UNKNOWN: Final = (
    "all or nothing of this unit was kept: look at the status, and run again"
)


class Step(NamedTuple):
    """One migration that was applied or undone.

    Attributes:
        version: Its version.
        name: Its file name.
        direction: ``up`` or ``down``.
        duration: Seconds that it took; None if it did not run, but was only noted.
    """

    version: int
    name: str
    direction: Literal["up", "down"]
    duration: float | None = None


class ReadFile:
    """A migration with what is needed to record it and to quote it."""

    __slots__ = ("digest", "migration", "text")

    def __init__(self, migration: Migration, data: bytes) -> None:
        self.migration = migration
        self.digest = digest(data)
        self.text = data.decode("utf-8", "replace")


class Batch(tuple[ReadFile, ...]):
    """The files of one run, in its order."""

    __slots__ = ()


def read_files(files: Mapping[int, File], versions: Iterable[int]) -> Batch:
    """Read and parse all files of a run, before any of it is applied.

    Raises:
        MigrationParseError: One cannot be read.
    """
    found = []
    for version in versions:
        file = files[version]
        data = content(file)
        found.append(ReadFile(parse(data, name=file.name), data))
    return Batch(found)


class Run:
    """One run over *batch*, under the lock that *session* holds."""

    def __init__(
        self, session: MigrationSession, batch: Batch, progress: "Progress | None"
    ) -> None:
        self._session = session
        self._batch = batch
        self._progress = progress
        self._done: list[Step] = []

    def up(self, *, at: int) -> list[Step]:
        """Apply the batch; *at* is the database's version, 0 if it is new."""
        together = at == 0 and all(file.migration.transaction for file in self._batch)
        self._at = at
        if together and self._batch:
            kept = "nothing of this run was kept; the database is as new"
            self._in_unit(self._batch, "up", kept)
            return self._done
        for file in self._batch:
            self._alone(file, "up")
            self._at = file.migration.version
        return self._done

    def down(self) -> list[Step]:
        """Undo the batch, which is in descending order."""
        for file in self._batch:
            self._at = file.migration.version
            self._alone(file, "down")
        return self._done

    def _alone(self, file: ReadFile, direction: Direction) -> None:
        transaction = file.migration.transaction
        kept = (
            f"nothing of this file was {'kept' if direction == 'up' else 'undone'};"
            f" the database is at version {self._at}"
            if transaction
            else ""
        )
        self._in_unit((file,), direction, kept)

    def _in_unit(
        self, files: Sequence[ReadFile], direction: Direction, kept: str
    ) -> None:
        """Run *files* in one unit; what its end refuses is told of the last file."""
        transaction = files[0].migration.transaction
        done = len(self._done)
        begun = False
        try:
            with self._session.unit(transaction=transaction) as unit:
                begun = True
                for file in files:
                    self._apply(unit, file, direction, kept)
        except StoreError as cause:
            if not begun:
                raise _not_begun(files[0], cause, kept) from cause
            del self._done[done:]
            if isinstance(cause, OutcomeUnknownError):
                kept = _UNKNOWN
            last = _last_statement(files[-1], direction)
            raise _failed(files[-1], last, cause, kept) from cause

    def _apply(
        self, unit: MigrationUnit, file: ReadFile, direction: Direction, kept: str
    ) -> None:
        """Run one file's statements and note its version, in *unit*."""
        migration = file.migration
        statements = migration.up if direction == "up" else migration.down
        self._tell("start", _step(file, direction), 0, len(statements))
        started = perf_counter()
        for number, statement in enumerate(statements, 1):
            failure = None
            try:
                unit.execute(statement.sql)
            except StoreError as cause:
                state = kept or _partly(number, len(statements), migration.version)
                failure = _failed(file, statement, cause, state)
                if not _shows_value(file, statement, cause):
                    raise failure from cause
            if failure is not None:
                # Outside the except block: what shows a value must not be its context.
                raise failure
            if self._progress is not None:
                so_far = perf_counter() - started
                step = _step(file, direction)
                self._tell("statement", step, number, len(statements), so_far)
        seconds = perf_counter() - started
        try:
            if direction == "up":
                unit.record(migration.version, digest=file.digest, duration=seconds)
            else:
                unit.unrecord(migration.version)
        except StoreError as cause:
            last = _last_statement(file, direction)
            state = kept or "its statements ran, its version was not noted"
            raise _failed(file, last, cause, state) from cause
        step = _step(file, direction, seconds)
        self._done.append(step)
        self._tell("end", step, len(statements), len(statements), seconds)

    def _tell(
        self,
        kind: Literal["start", "statement", "end"],
        step: Step,
        statement: int,
        statements: int,
        duration: float = 0.0,
    ) -> None:
        if self._progress is not None:
            from mooring.migrate._progress import Event

            event = Event(
                kind=kind,
                step=step,
                statement=statement,
                statements=statements,
                duration=duration,
            )
            self._progress(event)


def _step(file: ReadFile, direction: Direction, duration: float | None = None) -> Step:
    migration = file.migration
    return Step(
        version=migration.version,
        name=migration.name,
        direction=direction,
        duration=duration,
    )


def _last_statement(file: ReadFile, direction: Direction) -> Statement:
    migration = file.migration
    statements = migration.up if direction == "up" else migration.down
    return statements[-1] if statements else Statement(sql="", line=1)


def _partly(number: int, count: int, version: int) -> str:
    done = "no statement" if number == 1 else f"statements 1 to {number - 1}"
    return (
        f"{done} of {count} ran and stay: the file is marked NO TRANSACTION;"
        f" version {version} is not noted"
    )


def _failed(
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
    lines: Sequence[str] = file.text.splitlines()
    shown = lines[line - 1].strip() if line <= len(lines) else ""
    reason = cause.message
    if _shows_value(file, statement, cause):
        reason = "the engine refused it; its words are hidden, they show a value"
    name = file.migration.name
    where = f"{name}:{line}" if column is None else f"{name}:{line}:{column}"
    return MigrationFailedError(
        f"{where}: {reason}\n  {shown}\n{state}",
        file=name,
        version=file.migration.version,
        line=line,
        column=column,
        statement=as_written(file, statement),
        state=state,
        hint=cause.hint or "correct the file and run again",
    )


def _not_begun(file: ReadFile, cause: MooringError, kept: str) -> MigrationFailedError:
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


def as_written(file: ReadFile, statement: Statement) -> str:
    """Return the lines of the file that hold the statement."""
    height = statement.sql.count("\n") + 1
    first = statement.line - 1
    return "\n".join(file.text.splitlines()[first : first + height])


def _shows_value(file: ReadFile, statement: Statement, cause: MooringError) -> bool:
    """Return whether the message quotes what ENVSUB put into the statement."""
    written = as_written(file, statement)
    if statement.sql in written:
        return False  # nothing was put in
    words = re.findall(r"\w+", cause.message)
    return any(word in statement.sql and word not in written for word in words)
