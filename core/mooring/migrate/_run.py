"""Running the statements of parsed migrations, and saying what state an error left."""

import re
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mooring.core import File, LetsFilesCommit, MigrationSession, MigrationUnit
from mooring.core.errors import (
    MigrationError,
    MigrationFailedError,
    MooringError,
    OutcomeUnknownError,
    StatementNotAllowedError,
    StoreBusyError,
    StoreError,
)
from mooring.migrate._files import content
from mooring.migrate._migration import Migration, Statement, digest
from mooring.migrate._parse import parse

if TYPE_CHECKING:
    from mooring.migrate._migrator import Progress
    from mooring.migrate._own_transactions import Place
    from mooring.migrate._progress import Kind
    from mooring.migrate._rules import Rules

Direction = Literal["up", "down"]
Grouping = Literal["each", "all"]

_UNKNOWN: Final = (
    "all or nothing of this unit was kept: look at the status, and run again"
)
# Seconds before a unit that waited for a lock in vain is run again; longer each time.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_LOCK_RETRIES: Final = 5


class Step(NamedTuple):
    """One migration that was applied or undone, or would be.

    Attributes:
        version: Its version.
        name: Its file name.
        direction: ``up`` or ``down``.
        duration: Seconds that it took; None in a plan.
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

    def statements(self, direction: Direction) -> Sequence[Statement]:
        """Return those of one direction."""
        return self.migration.up if direction == "up" else self.migration.down


class Batch(tuple[ReadFile, ...]):
    """The files of one run, in its order."""

    __slots__ = ()

    def plan(self, direction: Direction) -> list[Step]:
        """Return the steps, without durations."""
        return [_step(file, direction) for file in self]


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
    """One run over *batch*, under the lock that *session* holds.

    Args:
        session: The session.
        batch: The files, in the order of the run.
        direction: The way that they go.
        at: The database's version, 0 if it is new.
        progress: Told of what happens; None for nobody.
        rules: How files run; None for the defaults.
    """

    def __init__(
        self,
        session: MigrationSession,
        batch: Batch,
        direction: Direction,
        *,
        at: int,
        progress: "Progress | None" = None,
        rules: "Rules | None" = None,
    ) -> None:
        self._session = session
        self._batch = batch
        self._direction: Direction = direction
        self._at = at
        self._progress = progress
        self._rules = rules
        self._done: list[Step] = []
        # The files that end their transaction themselves, each with the place.
        self._commits: dict[int, Place] = {}
        if isinstance(session, LetsFilesCommit):
            from mooring.migrate._own_transactions import own_transaction

            for file in batch:
                found = file.migration.transaction and own_transaction(
                    session, file.statements(direction)
                )
                if found:
                    self._commits[file.migration.version] = found

    def run(self, grouping: Grouping | None) -> list[Step]:
        """Run the batch, file by file, or all of it in one transaction.

        With no *grouping* it is one transaction where the database is new and that is
        possible: its first run leaves all or nothing.
        """
        if self._rules is not None and self._rules.strict:
            self._refuse_commits("strict")
        if grouping == "all":
            self._refuse_commits("all")
            self._refuse_alone()
        together = grouping == "all" or (
            grouping is None
            and self._at == 0
            and not self._commits
            and all(file.migration.transaction for file in self._batch)
        )
        if together:
            if self._batch:
                state = f"still at version {self._at}" if self._at else "as new"
                kept = f"nothing of this run was kept; the database is {state}"
                self._in_unit(self._batch, kept)
            return self._done
        verb = "kept" if self._direction == "up" else "undone"
        for file in self._batch:
            version = file.migration.version
            # What is applied when this one fails.
            at = self._at if self._direction == "up" else version
            state = f"nothing of this file was {verb}; the database is at version {at}"
            self._in_unit((file,), state if file.migration.transaction else "")
            self._at = version
        return self._done

    def _refuse_commits(self, why: Literal["strict", "all"]) -> None:
        """Refuse files that end their transaction themselves; nothing has run yet."""
        for file in self._batch:
            place = self._commits.get(file.migration.version)
            if place is None:
                continue
            cause = StatementNotAllowedError(
                f"{place.word} in a file that runs in one transaction"
                + (" with all others" if why == "all" else ""),
                hint="remove it, or put `-- +goose NO TRANSACTION` into the file",
            )
            cause.offset = place.offset
            raise _failed(file, place.statement, cause, "nothing was changed")

    def _refuse_alone(self) -> None:
        """Refuse files that no transaction can hold; nothing has run yet."""
        alone = [file for file in self._batch if not file.migration.transaction]
        if alone:
            listed = ", ".join(file.migration.name for file in alone)
            raise MigrationError(
                f"not all can run in one transaction: {listed}: marked NO TRANSACTION;"
                " nothing was changed",
                hint="run file by file, which is the default; or in parts, up to the"
                " file before it, and on from the file behind it",
            )

    def _in_unit(self, files: Sequence[ReadFile], kept: str) -> None:
        """Run *files* in one unit, again if it waited for a lock in vain."""
        left = _LOCK_RETRIES if self._rules is None else self._rules.lock_retries
        pause = _FIRST_PAUSE
        while True:
            self._blocked = False
            try:
                self._once(files, kept)
            except MigrationFailedError as error:
                if not (self._blocked and left):
                    raise
                left -= 1
                self._wait(error, files, pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return

    def _wait(
        self, error: MigrationFailedError, files: Sequence[ReadFile], pause: float
    ) -> None:
        """Let those through who wait for the same lock, and say so."""
        from random import uniform
        from time import sleep

        seconds = uniform(0.5, 1.0) * pause  # noqa: S311 - no secret
        reason = error.message.partition("\n")[0]
        step = _step(files[0], self._direction)
        self._tell("retry", step, f"{reason}; again in {seconds:.1f} s")
        sleep(seconds)

    def _once(self, files: Sequence[ReadFile], kept: str) -> None:
        """Run *files* in one unit; what its end refuses is told of the last file."""
        transaction = files[0].migration.transaction
        done = len(self._done)
        begun = False
        try:
            with self._session.unit(transaction=transaction) as unit:
                begun = True
                try:
                    for file in files:
                        self._apply(unit, file, kept)
                except BaseException:
                    # What is rolled back now was not done.
                    if transaction:
                        del self._done[done:]
                    raise
        except StoreError as cause:
            if not begun:
                raise _not_begun(files[0], cause, kept) from cause
            del self._done[done:]
            if isinstance(cause, OutcomeUnknownError):
                kept = _UNKNOWN
            last = _last_statement(files[-1], self._direction)
            raise _failed(files[-1], last, cause, kept) from cause

    def _apply(self, unit: MigrationUnit, file: ReadFile, kept: str) -> None:
        """Run one file's statements and note its version, in *unit*."""
        self._tell("start", _step(file, self._direction))
        migration = file.migration
        place = self._commits.get(migration.version)
        if place is not None:
            from mooring.migrate._own_transactions import warning

            step = _step(file, self._direction)
            self._tell("warning", step, warning(migration.name, place))
        started = perf_counter()
        statements = file.statements(self._direction)
        for number, statement in enumerate(statements, 1):
            failure = None
            try:
                unit.execute(statement.sql)
            except StoreError as cause:
                failure = self._failed(unit, file, number, cause, kept)
                if not _shows_value(file, statement, cause):
                    raise failure from cause
            if failure is not None:
                # Outside the except block: what shows a value must not be its context.
                raise failure
        seconds = perf_counter() - started
        try:
            if self._direction == "up":
                unit.record(migration.version, digest=file.digest, duration=seconds)
            else:
                unit.unrecord(migration.version)
        except StoreError as cause:
            behind = len(statements) + 1
            raise self._failed(unit, file, behind, cause, kept) from cause
        step = _step(file, self._direction, seconds)
        self._done.append(step)
        self._tell("end", step)

    def _failed(
        self,
        unit: MigrationUnit,
        file: ReadFile,
        number: int,
        cause: StoreError,
        kept: str,
    ) -> MigrationFailedError:
        """Return the error of statement *number*; behind the last, of its version."""
        statements = file.statements(self._direction)
        migration = file.migration
        place = self._commits.get(migration.version)
        why = "marked NO TRANSACTION"
        stay = 0 if migration.transaction else number - 1
        if place is not None:
            why = f"one that ends its transaction itself (line {place.line})"
            stay = unit.kept  # type: ignore[attr-defined]  # see LetsFilesCommit
        self._blocked = isinstance(cause, StoreBusyError) and kept != "" and not stay
        if not kept or stay:
            done = f"statements 1 to {stay}" if stay else "no statement"
            noted = "not" if self._direction == "up" else "still"
            kept = (
                f"{done} of {len(statements)} ran and stay: the file is {why};"
                f" version {migration.version} is {noted} noted"
            )
        failed = _last_statement(file, self._direction)
        if number <= len(statements):
            failed = statements[number - 1]
        return _failed(file, failed, cause, kept)

    def _tell(self, kind: "Kind", step: Step, message: str = "") -> None:
        if self._progress is not None:
            from mooring.migrate._progress import Event

            self._progress(Event(kind=kind, step=step, message=message))
        elif message:
            from mooring.migrate._progress import log

            log(message)


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
        statement=_as_written(file, statement),
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


def _as_written(file: ReadFile, statement: Statement) -> str:
    """Return the lines of the file that hold the statement."""
    height = statement.sql.count("\n") + 1
    first = statement.line - 1
    return "\n".join(file.text.splitlines()[first : first + height])


def _shows_value(file: ReadFile, statement: Statement, cause: MooringError) -> bool:
    """Return whether the message quotes what ENVSUB put into the statement."""
    written = _as_written(file, statement)
    if statement.sql in written:
        return False  # nothing was put in
    words = re.findall(r"\w+", cause.message)
    return any(word in statement.sql and word not in written for word in words)
