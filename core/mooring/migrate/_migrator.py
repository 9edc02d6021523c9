"""The migration runner: compares files with the database, and closes the gap."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from mooring.core import AppliedRow, Capability, File
from mooring.core.errors import ArgumentError, MigrationError, UnsupportedByDriver
from mooring.migrate._source import Source
from mooring.migrate._view import View, is_head

if TYPE_CHECKING:
    from mooring.core import MigrationSession
    from mooring.migrate._files import Direction
    from mooring.migrate._outcome import Outcome
    from mooring.migrate._progress import Event
    from mooring.migrate._repair import Repair
    from mooring.migrate._rules import Rules
    from mooring.migrate._run import Step

Progress = Callable[["Event"], None]
Grouping = Literal["each", "all"]
# How to go on in a file that did not end: with the statement that failed or was
# interrupted, or behind it.
Resume = Literal["again", "after"]


class Migrator(View):
    """Migrate a store from one source of files.

    At head nothing is opened, locked or written. Otherwise a run takes the database's
    migration lock, reads again what is applied, and applies what is missing: each file
    in one transaction with its version row, or all in one where the database is new.

    Args:
        store: An open store whose driver can migrate.
        source: The files; the driver's own by default.
        progress: Called at the start and end of each migration, after each of its
            statements, and for warnings, which are logged otherwise.
        rules: How files run; `Rules()` by default.

    Raises:
        UnsupportedByDriver: The store cannot be migrated.
        MigrationError: No source is given and the driver has none.
    """

    def __init__(
        self,
        store: Any,
        source: Source | None = None,
        *,
        progress: Progress | None = None,
        rules: "Rules | None" = None,
    ) -> None:
        super().__init__(store, source)
        self._progress = progress
        self._rules = rules

    def ensure_head(self, *, timeout: float | None = None) -> "list[Step]":
        """Apply what is pending, as `up` does, and return it: what `core.open` calls.

        Args:
            timeout: As in `up`.

        Raises:
            MigrationError: As in `up`.
        """
        files, applied = self._source.files(), self._applied()
        if not is_head(files, applied):
            return self._up(files, applied, timeout=timeout)[0]
        self._note(files, applied)
        return []

    def up(
        self,
        *,
        to: int | None = None,
        steps: int | None = None,
        allow_missing: bool = False,
        transaction: Grouping | None = None,
        resume: Resume | None = None,
        timeout: float | None = None,
    ) -> "Outcome":
        """Apply pending migrations in the order of their versions.

        Args:
            to: The last version to apply; all by default.
            steps: How many to apply, >= 1; all by default.
            allow_missing: Apply those below the newest applied version, too: first,
                since the order is always that of the versions.
            transaction: ``each`` file in a transaction of its own, or ``all`` of the
                run in one, so that a failure leaves exactly the old version; by default
                ``all`` where the database is new and that is possible, else ``each``.
            resume: How to go on in a file that is marked NO TRANSACTION and did not
                end: ``again`` with the statement that failed or was interrupted,
                ``after`` behind it, because it did have its effect. By default such a
                file is refused.
            timeout: Seconds to wait for the lock; ``migration_timeout`` by default.

        Returns:
            What was applied, in order; nothing at head.

        Raises:
            ArgumentError: *to* and *steps* are both given, or out of range.
            DatabaseAheadError: The database was migrated by a newer release.
            MigrationOrderError: A pending version is below the newest applied one.
            MigrationChangedError: An applied file is no longer what was applied.
            MigrationUnfinishedError: A file did not end, and *resume* is not given.
            MigrationParseError: A pending file cannot be read.
            MigrationLockError: The lock was not free in time.
            MigrationError: ``all`` is asked for, and a file is marked NO TRANSACTION.
            UnsupportedByDriver: The engine cannot undo a table, so that ``all`` means
                nothing, or has no such bounds as `Rules` sets.
            MigrationFailedError: A statement failed; it says what state was left.
                After each of the others nothing of the run was applied.
        """
        files, applied = self._source.files(), self._applied()
        done, now = self._up(
            files,
            applied,
            to=to,
            steps=steps,
            allow_missing=allow_missing,
            transaction=transaction,
            resume=resume,
            timeout=timeout,
        )
        return _outcome(done, now)

    def down(
        self,
        *,
        to: int | None = None,
        steps: int | None = None,
        expected: Sequence[int] | None = None,
        transaction: Grouping | None = None,
        resume: Resume | None = None,
        timeout: float | None = None,
    ) -> "Outcome":
        """Undo applied migrations, the newest version first.

        Args:
            to: Undo every version above this one, >= 0; 0 undoes all.
            steps: How many to undo, >= 1; one, if *to* is not given either.
            expected: The versions that somebody agreed to, in order, as `plan_down`
                returned them. If it would be others by now, nothing is undone.
            transaction: As in `up`; ``each`` by default.
            resume: As in `up`.
            timeout: Seconds to wait for the lock; ``migration_timeout`` by default.

        Returns:
            What was undone, in order; nothing where nothing is applied.

        Raises:
            ArgumentError: *to* and *steps* are both given, or out of range.
            MigrationError: An applied version has no file, so that there is no way
                back; others than the expected would be undone; or as in `up`. Nothing
                of the run was undone, except after a MigrationFailedError, which says
                what state was left.
        """
        return self._back(
            to, steps, expected, timeout, transaction=transaction, resume=resume
        )

    def redo(
        self,
        *,
        to: int | None = None,
        steps: int | None = None,
        expected: Sequence[int] | None = None,
        timeout: float | None = None,
    ) -> "Outcome":
        """Undo migrations as `down` does, and apply the same ones again.

        Both happen under one lock. If one cannot be applied again, it and those above
        it stay undone, and the error says so.

        Args:
            to: As in `down`.
            steps: As in `down`.
            expected: As in `down`.
            timeout: As in `down`.

        Returns:
            What was undone, and then what was applied, in order.

        Raises:
            MigrationError: As in `down`.
        """
        return self._back(to, steps, expected, timeout, again=True)

    def reset(
        self,
        *,
        expected: Sequence[int] | None = None,
        transaction: Grouping | None = None,
        timeout: float | None = None,
    ) -> "Outcome":
        """Undo all migrations: `down` to 0.

        Args:
            expected: As in `down`.
            transaction: As in `down`.
            timeout: As in `down`.

        Raises:
            MigrationError: As in `down`.
        """
        return self._back(0, None, expected, timeout, transaction=transaction)

    def stamp(self, *, to: int, timeout: float | None = None) -> "Outcome":
        """Note migrations as applied without running them.

        For a database whose tables were made by another tool. What is noted is noted
        in one transaction, with the digests of the files as they are.

        Args:
            to: The last version to note; there must be a file of it.
            timeout: Seconds to wait for the lock; ``migration_timeout`` by default.

        Returns:
            What was noted, ascending; nothing where all of it is applied already.

        Raises:
            ArgumentError: There is no file of that version.
            DatabaseAheadError: The database was migrated by a newer release.
            MigrationParseError: A file cannot be read.
            MigrationLockError: The lock was not free in time.
        """
        from mooring.migrate._files import read_files
        from mooring.migrate._run import Step

        files = self._source.files()
        self._choice(files, self._applied()).to_stamp(to)
        with self._session(timeout) as session:
            applied = _by_version(session)
            batch = read_files(files, self._choice(files, applied).to_stamp(to))
            if batch:
                with session.unit(transaction=True) as unit:
                    for file in batch:
                        version = file.migration.version
                        unit.record(version, digest=file.digest, duration=None)
        done = [Step(f.migration.version, f.migration.name, "up") for f in batch]
        now = [*applied, *(step.version for step in done)]
        self._note(files, now)
        return _outcome(done, now)

    def repair(
        self,
        versions: Collection[int] | None = None,
        *,
        expected: "Repair | None" = None,
        timeout: float | None = None,
    ) -> "Repair":
        """Correct what is recorded, where it is the files that are right.

        The content that a file has now is taken for what was applied, also where that
        was not recorded; a version whose file is gone is noted as not applied; a file
        that was begun without a transaction and did not end is forgotten. No file runs,
        and no table of the application is touched.

        Args:
            versions: The only ones to correct. By default all, but for those that are
                newer than every file: a newer release applied them.
            expected: What somebody agreed to, as `plan_repair` returned it. If it would
                be something else by now, nothing is corrected.
            timeout: Seconds to wait for the lock; ``migration_timeout`` by default.

        Returns:
            What was corrected; false if nothing was.

        Raises:
            ArgumentError: One of *versions* is neither a file nor applied.
            MigrationError: It would be something else than expected.
            MigrationParseError: A file cannot be read.
            MigrationLockError: The lock was not free in time.
        """
        from mooring.migrate._repair import repair_of

        files = self._source.files()
        if not self.plan_repair(versions) and not expected:
            return self.plan_repair(versions)
        with self._session(timeout) as session:
            applied, unfinished = _by_version(session), session.unfinished()
            found = repair_of(files, applied, unfinished, versions)
            if expected is not None and found != expected:
                raise MigrationError(
                    "somebody else changed something in between, nothing was corrected",
                    hint="look at it again, and decide again",
                )
            if found:
                with session.unit(transaction=True) as unit:
                    found.apply(unit)
        self._note(files, applied.keys() - set(found.removed))
        return found

    def _up(
        self,
        files: Mapping[int, File],
        applied: Mapping[int, AppliedRow],
        *,
        timeout: float | None,
        transaction: Grouping | None = None,
        resume: Resume | None = None,
        **chosen: Any,
    ) -> "tuple[list[Step], list[int]]":
        """Apply; return the steps, and the versions that are applied then."""
        self._refuse_grouping(transaction)
        if resume not in (None, "again", "after"):
            raise ArgumentError(f"resume is 'again' or 'after', not {resume!r}")
        pending = self._choice(files, applied).pending(**chosen)
        if not pending and not any(row.undoing for row in applied.values()):
            self._note(files, applied)
            return [], [*applied]
        # What reads and runs files is imported behind this line: a start at head
        # does not pay for it.
        from mooring.migrate._files import refuse_changed

        with self._session(timeout) as session:
            # Once more, under the lock: others may have been faster.
            applied = _by_version(session)
            refuse_changed(files, applied)
            pending = self._choice(files, applied).pending(**chosen)
            newest = max(applied, default=0)
            done = self._run(session, files, pending, "up", newest, transaction, resume)
        now = [*applied, *(step.version for step in done)]
        self._note(files, now)
        return done, now

    def _back(
        self,
        to: int | None,
        steps: int | None,
        expected: Sequence[int] | None,
        timeout: float | None,
        *,
        transaction: Grouping | None = None,
        resume: Resume | None = None,
        again: bool = False,
    ) -> "Outcome":
        """Undo, and apply again if that is wanted."""
        from mooring.migrate._choice import refuse_moved, to_undo

        self._refuse_grouping(transaction)
        files, applied = self._source.files(), self._applied()
        if not to_undo(applied, to=to, steps=steps) and not expected:
            return _outcome([], [*applied])
        with self._session(timeout) as session:
            applied = _by_version(session)
            refuse_moved(expected, to_undo(applied, to=to, steps=steps))
            wanted = self._choice(files, applied).to_undo(to=to, steps=steps)
            newest = max(applied, default=0)
            way = transaction or "each"
            done = self._run(session, files, wanted, "down", newest, way, resume)
            now = [version for version in applied if version not in wanted]
            if again:
                newest = max(now, default=0)
                try:
                    up = self._run(session, files, wanted[::-1], "up", newest, way)
                except BaseException as error:
                    from mooring.migrate._failure import say_undone

                    say_undone(error, wanted)
                    raise
                done = [*done, *up]
                now = [*applied]
        self._note(files, now)
        return _outcome(done, now)

    def _run(
        self,
        session: "MigrationSession",
        files: Mapping[int, File],
        versions: Sequence[int],
        direction: "Direction",
        at: int,
        transaction: Grouping | None,
        resume: Resume | None = None,
    ) -> "list[Step]":
        from mooring.migrate._files import read_files
        from mooring.migrate._run import Run

        run = Run(
            self._store,
            session,
            read_files(files, versions),
            direction,
            at=at,
            progress=self._progress,
            rules=self._rules,
            unfinished=session.unfinished(),
            resume=resume,
        )
        return run.run(transaction)

    @contextmanager
    def _session(self, timeout: float | None) -> "Iterator[MigrationSession]":
        """Hold the lock; the statements that follow have the bounds of the rules."""
        if timeout is None:
            timeout = self._store.config.migration_timeout
        table = self._source.table
        with self._store.migration_session(table, timeout=timeout) as session:
            rules = self._rules
            if rules is not None:
                from mooring.core import LimitsStatements

                statement, lock = rules.statement_timeout, rules.table_lock_timeout
                if isinstance(session, LimitsStatements):
                    session.limit(statement=statement, lock=lock)
                elif statement is not None or lock is not None:
                    raise UnsupportedByDriver(
                        f"{self._store.config.driver} has no bounds for statements of"
                        " migrations; nothing was changed",
                        driver=self._store.config.driver,
                        capability="statement_timeout",
                    )
            yield session

    def _refuse_grouping(self, transaction: Grouping | None) -> None:
        """Raise if that is no way to group files, or not one of this engine."""
        if transaction not in (None, "each", "all"):
            raise ArgumentError(f"transaction is 'each' or 'all', not {transaction!r}")
        if transaction == "all" and not self._keeps_tables():
            raise UnsupportedByDriver(
                "this engine cannot undo a table, so that no transaction holds all"
                " files; nothing was changed",
                driver=self._store.config.driver,
                capability=Capability.TRANSACTIONAL_DDL,
            )

    def _keeps_tables(self) -> bool:
        """Return whether what makes tables can be undone with its transaction."""
        capabilities = getattr(self._store, "capabilities", ())
        return Capability.TRANSACTIONAL_DDL in capabilities


def _by_version(session: "MigrationSession") -> dict[int, AppliedRow]:
    return {row.version: row for row in session.versions()}


def _outcome(steps: "Iterable[Step]", applied: Iterable[int]) -> "Outcome":
    from mooring.migrate._outcome import Outcome

    return Outcome(steps=tuple(steps), version=max(applied, default=0))
