"""The migration runner: compares files with the database, and closes the gap."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mooring.core import (
    AppliedRow,
    Capability,
    File,
    LimitsStatements,
    Migratable,
    MigrationSession,
    driver_folder,
)
from mooring.core.errors import (
    ArgumentError,
    DatabaseAheadError,
    MigrationError,
    MigrationOrderError,
    MigrationsPendingError,
    UnsupportedByDriver,
)
from mooring.migrate._source import DEFAULT_TABLE, Source

if TYPE_CHECKING:
    from mooring.migrate._progress import Event
    from mooring.migrate._rules import Rules
    from mooring.migrate._run import Grouping, Step
    from mooring.migrate._status import MigrationStatus

Progress = Callable[["Event"], None]


class Migrator:
    """Migrate a store from one source of files.

    At head nothing is opened, locked or written. Otherwise a run takes the database's
    migration lock, reads again what is applied, and applies what is missing: each file
    in one transaction with its version row, or all in one where the database is new.

    Args:
        store: An open store whose driver can migrate.
        source: The files; the driver's own by default.
        progress: Called at the start and end of each migration, in the same thread,
            and for warnings, which are logged otherwise.
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
        if not isinstance(store, Migratable):
            raise UnsupportedByDriver(
                f"{type(store).__name__} is not a store that can be migrated",
                driver=str(getattr(store, "driver", "")),
                capability="migrations",
            )
        self._store = store
        self._source = source or _own_source(store)
        self._progress = progress
        self._rules = rules

    @property
    def source(self) -> Source:
        """The files that this migrator works with."""
        return self._source

    def at_head(self) -> bool:
        """Return whether every file is applied and nothing else is.

        No file is opened, no lock taken, nothing written.
        """
        rows = self._store.migration_versions(self._source.table)
        return {row.version for row in rows or ()} == set(self._source.files())

    def require_head(self) -> None:
        """Raise unless every file is applied; nothing is changed.

        Raises:
            MigrationsPendingError: The database is behind; it says which are pending.
            DatabaseAheadError: It was migrated by a newer release.
        """
        files, applied = self._source.files(), self._applied()
        pending = self._pending(files, applied)
        self._note(files, applied)
        if pending:
            listed = ", ".join(str(version) for version in pending)
            raise MigrationsPendingError(
                f"the database is behind by {len(pending)} migrations: {listed}",
                versions=pending,
                hint=self._way("up", "up()"),
            )

    def status(
        self, *, content: bool = True, timeout: float | None = None
    ) -> "list[MigrationStatus]":
        """Return every known or applied migration by version; nothing is written.

        Args:
            content: Whether to look if an applied file is what was applied; without,
                no file is opened and none is ``changed``.
            timeout: Seconds to wait for a connection; ``pool_timeout`` by default.

        Raises:
            MigrationParseError: A file cannot be read.
        """
        from mooring.migrate._status import status_of

        files, applied = self._source.files(), self._applied(timeout)
        return status_of(files, applied, content=content)

    def plan(self, *, to: int | None = None) -> "list[Step]":
        """Return what `up` would do, in order; nothing is locked or written.

        Args:
            to: The last version to apply; all by default.

        Raises:
            MigrationError: What `up` would raise before it changes anything.
        """
        files, applied = self._source.files(), self._applied()
        from mooring.migrate._files import refuse_changed
        from mooring.migrate._run import read_files

        pending = self._pending(files, applied, to)
        refuse_changed(files, applied)
        return read_files(files, pending).plan("up")

    def up(
        self,
        *,
        to: int | None = None,
        transaction: "Grouping | None" = None,
        timeout: float | None = None,
    ) -> "list[Step]":
        """Apply pending migrations in the order of their versions.

        Args:
            to: The last version to apply; all by default.
            transaction: ``each`` file in a transaction of its own, or ``all`` of the
                run in one, so that a failure leaves exactly the old version; by default
                ``all`` where the database is new and that is possible, else ``each``.
            timeout: Seconds to wait for the lock; ``migration_timeout`` by default.

        Returns:
            What was applied, in order; [] at head.

        Raises:
            DatabaseAheadError: The database was migrated by a newer release.
            MigrationOrderError: A pending version is below the newest applied one.
            MigrationChangedError: An applied file is no longer what was applied.
            MigrationParseError: A pending file cannot be read.
            MigrationLockError: The lock was not free in time.
            MigrationError: ``all`` is asked for, and a file is marked NO TRANSACTION.
            UnsupportedByDriver: The engine cannot undo a table, so that ``all`` means
                nothing, or has no such bounds as `Rules` sets.
            MigrationFailedError: A statement failed; it says what state was left.
                After each of the others nothing of the run was applied.
        """
        self._refuse_grouping(transaction)
        files, applied = self._source.files(), self._applied()
        if not self._pending(files, applied, to):
            self._note(files, applied)
            return []
        # What reads and runs files is imported behind this line: a start at head
        # does not pay for it.
        from mooring.migrate._files import refuse_changed
        from mooring.migrate._run import Run, read_files

        with self._session(timeout) as session:
            # Once more, under the lock: others may have been faster.
            applied = {row.version: row for row in session.versions()}
            refuse_changed(files, applied)
            pending = self._pending(files, applied, to)
            run = Run(
                session,
                read_files(files, pending),
                "up",
                at=max(applied, default=0),
                progress=self._progress,
                rules=self._rules,
            )
            done = run.run(transaction)
        self._note(files, [*applied, *(step.version for step in done)])
        return done

    def plan_down(
        self, *, to: int | None = None, steps: int | None = None
    ) -> list[int]:
        """Return the versions that `down` would undo, in order; nothing is locked.

        Args:
            to: As in `down`.
            steps: As in `down`.

        Raises:
            ArgumentError: As in `down`.
        """
        return _to_undo(self._applied(), to, steps)

    def down(
        self,
        *,
        to: int | None = None,
        steps: int | None = None,
        transaction: "Grouping | None" = None,
        timeout: float | None = None,
    ) -> "list[Step]":
        """Undo applied migrations, the newest version first.

        Args:
            to: Undo every version above this one, >= 0; 0 undoes all.
            steps: How many to undo, >= 1; one, if *to* is not given either.
            transaction: As in `up`; ``each`` by default.
            timeout: Seconds to wait for the lock; ``migration_timeout`` by default.

        Returns:
            What was undone, in order; [] where nothing is applied.

        Raises:
            ArgumentError: *to* and *steps* are both given, or out of range.
            MigrationError: An applied version has no file, so that there is no way
                back; or as in `up`. Nothing of the run was undone, except after a
                MigrationFailedError, which says what state was left.
        """
        self._refuse_grouping(transaction)
        files = self._source.files()
        if not self.plan_down(to=to, steps=steps):
            return []
        from mooring.migrate._run import Run, read_files

        with self._session(timeout) as session:
            applied = [row.version for row in session.versions()]
            wanted = _to_undo(applied, to, steps)
            lost = [version for version in wanted if version not in files]
            if lost:
                raise MigrationError(
                    f"version {lost[0]} is applied, but its file is not here",
                    hint="undo it with the release that applied it",
                )
            run = Run(
                session,
                read_files(files, wanted),
                "down",
                at=max(applied, default=0),
                progress=self._progress,
                rules=self._rules,
            )
            done = run.run(transaction or "each")
        undone = {step.version for step in done}
        self._note(files, [version for version in applied if version not in undone])
        return done

    @contextmanager
    def _session(self, timeout: float | None) -> Iterator[MigrationSession]:
        """Hold the lock; the statements that follow have the bounds of the rules."""
        if timeout is None:
            timeout = self._store.config.migration_timeout
        table = self._source.table
        with self._store.migration_session(table, timeout=timeout) as session:
            rules = self._rules
            if rules is not None:
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

    def _refuse_grouping(self, transaction: "Grouping | None") -> None:
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

    def _applied(self, timeout: float | None = None) -> dict[int, AppliedRow]:
        rows = self._store.migration_versions(self._source.table, timeout=timeout)
        return {row.version: row for row in rows or ()}

    def _note(self, files: Mapping[int, File], applied: Iterable[int]) -> None:
        """Tell the store how far it is, if it wants to know."""
        note = getattr(self._store, "note_schema", None)
        if note is not None and files:
            versions = set(applied)
            note(
                self._source.table,
                version=max(versions, default=0),
                applied=len(versions & files.keys()),
                known=len(files),
            )

    def _way(self, command: str, call: str) -> str:
        """Return how to do it: at the prompt, or for an application's own files."""
        if self._source.table == DEFAULT_TABLE:
            return f"run `mooring migrate {command}` on this store"
        return f"call migrate.Migrator(store, source).{call}"

    def _pending(
        self,
        files: Mapping[int, File],
        applied: Mapping[int, AppliedRow],
        to: int | None = None,
    ) -> Sequence[int]:
        """Return the pending versions, ascending, or raise if none may be applied."""
        known, newest = max(files, default=0), max(applied, default=0)
        if newest > known:
            raise DatabaseAheadError(
                f"the database is at {newest}, this program knows up to {known}: it was"
                " migrated by a newer release",
                database=newest,
                known=known,
                hint="start the newer release; or, with that release, "
                + self._way(f"down --to {known}", f"down(to={known})"),
            )
        pending = [v for v in files if v not in applied and (to is None or v <= to)]
        late = [version for version in pending if version < newest]
        if late:
            raise MigrationOrderError(
                f"pending below the database's version {newest}:"
                f" {', '.join(files[version].name for version in late)}",
                versions=late,
                hint="give the files versions above it, or undo to below them first",
            )
        return pending


def _own_source(store: Any) -> Source:
    folder = driver_folder(store)
    if folder is None:
        raise MigrationError(
            f"the {store.driver} driver brings no migrations",
            hint="give the migrator a source of its own",
        )
    return Source(folder)


def _to_undo(applied: Iterable[int], to: int | None, steps: int | None) -> list[int]:
    """Return the versions to undo, the newest first."""
    if to is not None and steps is not None:
        raise ArgumentError("give to, a version, or steps, a number, but not both")
    if (to is not None and to < 0) or (steps is not None and steps < 1):
        raise ArgumentError("to must be a version >= 0, steps a number >= 1")
    newest_first = sorted(applied, reverse=True)
    if to is None:
        return newest_first[: steps or 1]
    return [version for version in newest_first if version > to]
