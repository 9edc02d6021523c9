"""Running the statements of parsed migrations, and saying what state an error left."""

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from mooring.core.errors import (
    ConnectionLostError,
    MigrationError,
    MigrationFailedError,
    OutcomeUnknownError,
    SerializationError,
    StatementError,
    StatementNotAllowedError,
    StoreBusyError,
    StoreError,
)
from mooring.migrate._files import Batch, Direction, ReadFile

if TYPE_CHECKING:
    from typing import TypeGuard

    from mooring.core import (
        LetsFilesCommit,
        MigrationSession,
        MigrationUnit,
        Unfinished,
    )
    from mooring.migrate._migrator import Grouping, Progress, Resume
    from mooring.migrate._own_transactions import Place
    from mooring.migrate._progress import Kind
    from mooring.migrate._rules import Rules
    from mooring.migrate._trail import Trail


_ALL_OR_NOTHING: Final = (
    "all or nothing of this unit was kept: look at the status, and run again"
)
# After these nobody knows if the statement had an effect.
_UNKNOWN: Final = (ConnectionLostError, OutcomeUnknownError)
# Seconds before a unit that waited for a lock in vain is run again; longer each time.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_LOCK_RETRIES: Final = 5


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


class Run:
    """One run over *batch*, under the lock that *session* holds.

    Args:
        store: The store that is migrated.
        session: Its session.
        batch: The files, in the order of the run.
        direction: The way that they go.
        at: The database's version, 0 if it is new.
        progress: Told of what happens; None for nobody.
        rules: How files run; None for the defaults.
        unfinished: The file that did not end, if there is one.
        resume: How to go on in it; None: refuse.
    """

    def __init__(
        self,
        store: Any,
        session: "MigrationSession",
        batch: Batch,
        direction: Direction,
        *,
        at: int,
        progress: "Progress | None" = None,
        rules: "Rules | None" = None,
        unfinished: "Unfinished | None" = None,
        resume: "Resume | None" = None,
    ) -> None:
        self._unfinished = unfinished
        self._resume: Resume | None = resume
        self._trail: Trail | None = None
        self._store = store
        self._session = session
        self._batch = batch
        self._direction: Direction = direction
        self._at = at
        self._progress = progress
        self._rules = rules
        self._done: list[Step] = []
        # The files that end their transaction themselves, each with the place.
        self._commits: dict[int, Place] = {}
        if _lets_files_commit(session):
            from mooring.migrate._own_transactions import own_transaction

            for file in batch:
                migration = file.migration
                if migration.python or not migration.transaction:
                    continue
                found = own_transaction(session, file.statements(direction))
                if found:
                    self._commits[migration.version] = found

    def run(self, grouping: "Grouping | None") -> list[Step]:
        """Run the batch, file by file, or all of it in one transaction.

        With no *grouping* it is one transaction where the database is new and that is
        possible: its first run leaves all or nothing.
        """
        if self._unfinished is not None:
            self._refuse_unfinished(self._unfinished)
        if self._rules is not None and self._rules.strict:
            self._refuse_commits("strict")
        if grouping == "all":
            self._refuse_commits("all")
            self._refuse_alone()
        for file in self._batch:
            file.prepare(self._store, self._session, self._direction)
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

    def _refuse_unfinished(self, unfinished: "Unfinished") -> None:
        """Refuse to go on beside a file that did not end, or in it without a word."""
        from mooring.migrate._trail import Trail, unfinished_error

        for file in self._batch:
            if file.migration.version != unfinished.version:
                continue
            if self._direction != unfinished.direction:
                break
            if file.migration.transaction:
                raise MigrationError(
                    f"{file.migration.name} did not end, and is not marked NO"
                    " TRANSACTION any more; nothing was changed",
                    hint="mark it as it was, and resume; or let it begin anew:"
                    " `mooring migrate repair` forgets that it was begun",
                )
            if self._resume is None:
                with self._session.unit(transaction=False) as unit:
                    Trail(unit, file, self._direction).refuse(unfinished)
            return
        raise unfinished_error(unfinished, f"version {unfinished.version}")

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
            from mooring.migrate._failure import failed

            raise failed(file, place.statement, cause, "nothing was changed")

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
            self._blocked, self._trail = False, None
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
        except MigrationFailedError as error:
            if self._trail is not None and not isinstance(error.__cause__, _UNKNOWN):
                self._trail.settle(self._session)
            raise
        except StoreError as cause:
            from mooring.migrate._failure import failed, not_begun

            if not begun:
                raise not_begun(files[0], cause, kept) from cause
            del self._done[done:]
            if isinstance(cause, OutcomeUnknownError):
                kept = _ALL_OR_NOTHING
            last = files[-1].last_statement(self._direction)
            raise failed(files[-1], last, cause, kept) from cause

    def _apply(self, unit: "MigrationUnit", file: ReadFile, kept: str) -> None:
        """Run one file's statements and note its version, in *unit*."""
        migration = file.migration
        statements = file.statements(self._direction)
        trail = None
        if not migration.transaction:
            from mooring.migrate._trail import Trail

            trail = self._trail = Trail(unit, file, self._direction)
            statements = trail.statements
            unfinished = self._unfinished
            if unfinished is not None and unfinished.version == migration.version:
                trail.resume(unfinished, self._resume)
        first = trail.ran if trail is not None else 0
        count = len(statements)
        self._tell("start", _step(file, self._direction), statements=count)
        place = self._commits.get(migration.version)
        if place is not None:
            from mooring.migrate._own_transactions import warning

            step = _step(file, self._direction)
            self._tell("warning", step, warning(migration.name, place))
        started = perf_counter()
        for number, statement in enumerate(statements[first:], first + 1):
            failure = None
            if trail is not None:
                trail.begin(number)
            try:
                file.execute(unit, statement, self._direction)
            except file.fails_with as cause:
                failure = self._failed(unit, file, number, cause, kept)
                if not file.shows_value(cause, statement):
                    raise failure from cause
            except BaseException as stop:
                # Such as a Ctrl-C: whoever catches it has to know, too.
                state, stay = self._state(unit, file, kept)
                if stay or not kept:
                    stop.add_note(f"{migration.name}: {state}")
                raise
            if failure is not None:
                # Outside the except block: what shows a value must not be its context.
                raise failure
            if self._progress is not None:
                self._tell(
                    "statement",
                    _step(file, self._direction),
                    statement=number,
                    statements=count,
                    duration=perf_counter() - started,
                )
        seconds = perf_counter() - started
        if trail is not None:
            trail.end()
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
        self._tell("end", step, statement=count, statements=count, duration=seconds)

    def _failed(
        self,
        unit: "MigrationUnit",
        file: ReadFile,
        number: int,
        cause: Exception,
        kept: str,
    ) -> MigrationFailedError:
        """Return the error of statement *number*; behind the last, of its version."""
        trail = self._trail
        statements = trail.statements if trail else file.statements(self._direction)
        state, stay = self._state(unit, file, kept)
        gave_up = isinstance(cause, (StoreBusyError, SerializationError))
        self._blocked = gave_up and kept != "" and not stay
        statement = file.last_statement(self._direction)
        if number <= len(statements):
            statement = trail.place(number, cause) if trail else statements[number - 1]
        error = file.failed(cause, statement, state, self._direction)
        hint = getattr(cause, "hint", None)
        is_sql = number <= len(statements) and not file.migration.python
        if is_sql and isinstance(cause, StatementError):
            from mooring.migrate._cut import explain

            cure = explain(error, file, self._direction, statement, self._store)
            hint = cure or hint
        if trail and (stay or file.stays):
            error.hint = f"{hint or 'correct what failed'}; {trail.go_on(stay)}"
        return error

    def _state(
        self, unit: "MigrationUnit", file: ReadFile, kept: str
    ) -> tuple[str, int]:
        """Say what is left when the statement that runs fails; and how many stay."""
        trail = self._trail
        statements = trail.statements if trail else file.statements(self._direction)
        migration = file.migration
        place = self._commits.get(migration.version)
        why = "marked NO TRANSACTION"
        stay = trail.ran if trail else 0
        if place is not None:
            why = f"one that ends its transaction itself (line {place.line})"
            stay = unit.kept  # type: ignore[attr-defined]  # see LetsFilesCommit
        if kept and not stay:
            return kept, 0
        noted = "not" if self._direction == "up" else "still"
        if migration.python:
            state = "nothing of this file stays"
            if file.stays:
                state = "what it did before stays, since it says `transaction = False`"
            return f"{state}; version {migration.version} is {noted} noted", 0
        done = f"statements 1 to {stay}" if stay else "no statement"
        state = (
            f"{done} of {len(statements)} ran and stay: the file is {why};"
            f" version {migration.version} is {noted} noted"
        )
        return state, stay

    def _tell(
        self, kind: "Kind", step: Step, message: str = "", **figures: Any
    ) -> None:
        if self._progress is not None:
            from mooring.migrate._progress import Event

            self._progress(Event(kind=kind, step=step, message=message, **figures))
        elif message:
            from mooring.migrate._progress import log

            log(message)


def _lets_files_commit(session: "MigrationSession") -> "TypeGuard[LetsFilesCommit]":
    # By the name of its method: a first start need not make the protocol's class.
    return hasattr(session, "commits_in")


def _step(file: ReadFile, direction: Direction, duration: float | None = None) -> Step:
    migration = file.migration
    return Step(
        version=migration.version,
        name=migration.name,
        direction=direction,
        duration=duration,
    )
