"""How far a store is with a source of files: it looks, and never writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from mooring.core import driver_folder
from mooring.core.errors import MigrationError, UnsupportedByDriver
from mooring.migrate._source import Source

if TYPE_CHECKING:
    from mooring.core import AppliedRow, File, Migratable, Unfinished
    from mooring.migrate._choice import Choice
    from mooring.migrate._outcome import Waited
    from mooring.migrate._plan import Plan
    from mooring.migrate._repair import Repair
    from mooring.migrate._status import Status
    from mooring.migrate._validate import Finding


# The methods of `core.Migratable`; to make a protocol only to ask for them takes long.
METHODS: Final = ("migration_session", "migration_unfinished", "migration_versions")


class View:
    """How far a store is with a source: the side of `Migrator` that takes no lock."""

    def __init__(self, store: Any, source: Source | None) -> None:
        if not (
            hasattr(store, "config")
            and all(callable(getattr(store, method, None)) for method in METHODS)
        ):
            raise UnsupportedByDriver(
                f"{type(store).__name__} is not a store that can be migrated",
                driver=str(getattr(store, "driver", "")),
                capability="migrations",
            )
        self._store: Migratable = store
        self._source = source or _own_source(store)

    @property
    def source(self) -> Source:
        """The files that this migrator works with."""
        return self._source

    def at_head(self) -> bool:
        """Return whether every file is applied and nothing else is.

        One that is undone in part, without a transaction, is not applied. No file is
        opened, no lock taken, nothing written.
        """
        return is_head(self._source.files(), self._applied())

    def require_head(self) -> None:
        """Raise unless every file is applied; nothing is changed.

        Raises:
            MigrationsPendingError: The database is behind; it says which are pending.
            MigrationOrderError: What is pending is below the newest applied version.
            DatabaseAheadError: It was migrated by a newer release.
            MigrationUnfinishedError: One is undone in part.
        """
        files, applied = self._source.files(), self._applied()
        self._require_head(files, applied)
        self._note(files, applied)

    def status(self, *, content: bool = True, timeout: float | None = None) -> Status:
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
        unfinished = self._unfinished()
        return status_of(files, applied, unfinished, content=content)

    def plan(
        self,
        *,
        to: int | None = None,
        steps: int | None = None,
        allow_missing: bool = False,
    ) -> Plan:
        """Return what `up` would do, in order; nothing is locked or written.

        Args:
            to: As in `up`.
            steps: As in `up`.
            allow_missing: As in `up`.

        Raises:
            MigrationError: What `up` would raise before it changes anything, but for a
                file that did not end, which the plan tells.
        """
        from mooring.migrate._files import read_files, refuse_changed
        from mooring.migrate._plan import plan_of

        files, applied = self._source.files(), self._applied()
        choice = self._choice(files, applied)
        pending = choice.pending(to=to, steps=steps, allow_missing=allow_missing)
        refuse_changed(files, applied)
        batch = read_files(files, pending)
        newest = max(applied, default=0)
        return plan_of(batch, "up", newest, unfinished=self._unfinished())

    def plan_down(self, *, to: int | None = None, steps: int | None = None) -> Plan:
        """Return what `down` would undo, and what goes with it; nothing is locked.

        The rows of the tables that go are counted, each up to a million.

        Args:
            to: As in `down`.
            steps: As in `down`.

        Raises:
            MigrationError: What `down` would raise before it changes anything, but for
                a file that did not end, which the plan tells.
        """
        from mooring.migrate._files import read_files
        from mooring.migrate._losses import losses_of
        from mooring.migrate._plan import plan_of

        files, applied = self._source.files(), self._applied()
        batch = read_files(
            files, self._choice(files, applied).to_undo(to=to, steps=steps)
        )
        losses = [
            () if file.migration.python else losses_of(self._store, file.migration.down)
            for file in batch
        ]
        newest = max(applied, default=0)
        unfinished = self._unfinished()
        return plan_of(batch, "down", newest, losses, unfinished=unfinished)

    def plan_repair(self, versions: Collection[int] | None = None) -> Repair:
        """Return what `repair` would correct; nothing is locked or written.

        Args:
            versions: As in `repair`.

        Raises:
            ArgumentError: As in `repair`.
            MigrationParseError: A file cannot be read.
        """
        from mooring.migrate._repair import repair_of

        files, applied = self._source.files(), self._applied()
        return repair_of(files, applied, self._unfinished(), versions)

    def validate(
        self, *, environ: Mapping[str, str] | None = None
    ) -> tuple[Finding, ...]:
        """Check every file, both directions, as `mooring.migrate.validate` does.

        Whether a ``;`` cuts something in two is told by the rules of the store's
        engine. The database is not asked for anything.

        Args:
            environ: As in `parse`.
        """
        from mooring.migrate._cut import dialect_of
        from mooring.migrate._validate import validate

        dialect = dialect_of(self._store)
        return validate(self._source, environ=environ, dialect=dialect)

    def wait(self, *, timeout: float) -> Waited:
        """Wait until somebody else has applied every file.

        Args:
            timeout: Seconds to go on, >= 0; 0 looks once.

        Raises:
            MigrationsPendingError: Something is still pending when the time is over.
            MigrationUnfinishedError: Or one is still undone in part.
            DatabaseAheadError: At once: it was migrated by a newer release.
            StoreError: The store does not answer, and still does not at the end.
        """
        from mooring.migrate._outcome import Waited
        from mooring.migrate._wait import wait_until

        files = self._source.files()

        def look() -> int:
            applied = self._applied()
            self._require_head(files, applied, allow_missing=True)
            return max(applied, default=0)

        version, seconds = wait_until(look, timeout)
        return Waited(version=version, seconds=seconds)

    def _applied(self, timeout: float | None = None) -> dict[int, AppliedRow]:
        rows = self._store.migration_versions(self._source.table, timeout=timeout)
        return {row.version: row for row in rows or ()}

    def _require_head(
        self,
        files: Mapping[int, File],
        applied: Mapping[int, AppliedRow],
        *,
        allow_missing: bool = False,
    ) -> None:
        if is_head(files, applied):
            return
        self._choice(files, applied).require_none(allow_missing=allow_missing)
        unfinished = self._unfinished()
        if unfinished is not None:
            from mooring.migrate._trail import unfinished_error

            file = files.get(unfinished.version)
            name = file.name if file else f"version {unfinished.version}"
            raise unfinished_error(unfinished, name)

    def _unfinished(self) -> Unfinished | None:
        return self._store.migration_unfinished(self._source.table)

    def _choice(self, files: Mapping[int, File], applied: Collection[int]) -> Choice:
        from mooring.migrate._choice import Choice

        return Choice(self._source, files, applied)

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


def is_head(files: Mapping[int, File], applied: Mapping[int, AppliedRow]) -> bool:
    """Return whether just the *files* are applied, and none of them undone in part."""
    return files.keys() == applied.keys() and not any(
        row.undoing for row in applied.values()
    )


def _own_source(store: Any) -> Source:
    folder = driver_folder(store)
    if folder is None:
        raise MigrationError(
            f"the {store.driver} driver brings no migrations",
            hint="give the migrator a source of its own",
        )
    return Source(folder)
