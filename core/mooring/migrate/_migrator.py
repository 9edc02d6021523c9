"""The migration runner: compares files with the database, and closes the gap."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mooring.core import AppliedRow, File, Migratable, driver_migrations
from mooring.core.errors import (
    DatabaseAheadError,
    MigrationError,
    MigrationOrderError,
    MigrationsPendingError,
    UnsupportedByDriver,
)
from mooring.migrate._source import Source

if TYPE_CHECKING:
    from mooring.migrate._progress import Event
    from mooring.migrate._status import MigrationStatus
    from mooring.migrate._step import Step

Progress = Callable[["Event"], None]


class Migrator:
    """Migrate a store from one source of files.

    At head nothing is opened, locked or written. Otherwise a run takes the database's
    migration lock, reads again what is applied, and applies what is missing: each file
    in one transaction with its version row, or all in one where the database is new.

    Args:
        store: An open store whose driver can migrate.
        source: The files; the driver's own by default.
        progress: Called at the start and end of each migration, in the same thread.

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
    ) -> None:
        if not callable(getattr(store, "migration_session", None)):
            raise UnsupportedByDriver(
                f"the {store.driver} driver does not run migrations",
                driver=store.driver,
                capability="migrations",
            )
        found = source or driver_migrations(store)
        if found is None:
            raise MigrationError(
                f"the {store.driver} driver brings no migrations",
                hint="give the migrator a source of its own",
            )
        self._store: Migratable = store
        self._source = found
        self._progress = progress

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
        files = self._source.files()
        pending = self._pending(files, self._applied())
        if pending:
            listed = ", ".join(str(version) for version in pending)
            raise MigrationsPendingError(
                f"the database is behind by {len(pending)} migrations: {listed}",
                versions=pending,
                hint="run: mooring migrate up",
            )

    def status(self) -> "list[MigrationStatus]":
        """Return every known or applied migration by version; nothing is written.

        Raises:
            MigrationParseError: A file cannot be read.
        """
        from mooring.migrate._status import status_of

        return status_of(self._source.files(), self._applied())

    def plan(self, *, to: int | None = None) -> "list[Step]":
        """Return what `up` would do, in order; nothing is locked or written.

        Args:
            to: The last version to apply; all by default.

        Raises:
            MigrationError: What `up` would raise before it changes anything.
        """
        files = self._source.files()
        pending = self._pending(files, self._applied(), to)
        if not pending:
            return []
        from mooring.migrate._files import refuse_changed
        from mooring.migrate._run import read_files

        refuse_changed(files, self._applied())
        return read_files(files, pending).plan("up")

    def up(
        self, *, to: int | None = None, timeout: float | None = None
    ) -> "list[Step]":
        """Apply pending migrations in the order of their versions.

        Args:
            to: The last version to apply; all by default.
            timeout: Seconds to wait for the lock; ``migration_timeout`` by default.

        Returns:
            What was applied, in order; [] at head.

        Raises:
            DatabaseAheadError: The database was migrated by a newer release.
            MigrationOrderError: A pending version is below the newest applied one.
            MigrationChangedError: An applied file is no longer what was applied.
            MigrationParseError: A pending file cannot be read.
            MigrationLockError: The lock was not free in time.
            MigrationFailedError: A statement failed; it says what state was left.
                After each of the others nothing of the run was applied.
        """
        files = self._source.files()
        if not self._pending(files, self._applied(), to):
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
            run = Run(session, read_files(files, pending), self._progress)
            return run.up(at=max(applied, default=0))

    def down(
        self,
        *,
        to: int | None = None,
        steps: int = 1,
        timeout: float | None = None,
    ) -> "list[Step]":
        """Undo applied migrations, the newest version first.

        Args:
            to: Undo every version above this one, >= 0; 0 undoes all.
            steps: Without *to*: how many to undo, >= 1.
            timeout: Seconds to wait for the lock; ``migration_timeout`` by default.

        Returns:
            What was undone, in order; [] where nothing is applied.

        Raises:
            MigrationError: An applied version has no file, so that there is no way
                back; or as in `up`. Nothing of the run was undone, except after a
                MigrationFailedError, which says what state was left.
        """
        if steps < 1 or (to is not None and to < 0):
            raise MigrationError("down needs steps >= 1 or a version to >= 0")
        files = self._source.files()
        if not self._applied():
            return []
        from mooring.migrate._run import Run, read_files

        with self._session(timeout) as session:
            applied = sorted((row.version for row in session.versions()), reverse=True)
            wanted = applied[:steps] if to is None else [v for v in applied if v > to]
            lost = [version for version in wanted if version not in files]
            if lost:
                raise MigrationError(
                    f"version {lost[0]} is applied, but its file is not here",
                    hint="undo it with the release that applied it",
                )
            return Run(session, read_files(files, wanted), self._progress).down()

    # -- what is applied, what is pending ---------------------------------------

    def _session(self, timeout: float | None) -> Any:
        if timeout is None:
            timeout = self._store.config.migration_timeout
        return self._store.migration_session(self._source.table, timeout=timeout)

    def _applied(self) -> dict[int, AppliedRow]:
        rows = self._store.migration_versions(self._source.table)
        return {row.version: row for row in rows or ()}

    @staticmethod
    def _pending(
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
                hint="start the newer release; or, with that release, run:"
                f" mooring migrate down --to {known}",
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
