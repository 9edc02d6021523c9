"""Which versions a run takes, from the files and what is applied: or why none."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mooring.core import File
from mooring.core.errors import (
    ArgumentError,
    DatabaseAheadError,
    MigrationError,
    MigrationOrderError,
    MigrationsPendingError,
)
from mooring.migrate._source import DEFAULT_TABLE, Source


class Choice:
    """The files of a source beside the versions that are applied.

    Every answer is ascending or descending by number, and the whole set of what is
    applied decides: never its newest version alone.

    Args:
        source: Whose files they are: for what the messages say to do.
        files: The files by version.
        applied: The applied versions.
    """

    def __init__(
        self, source: Source, files: Mapping[int, File], applied: Collection[int]
    ) -> None:
        self._source = source
        self._files = files
        self._applied = applied
        self._newest = max(applied, default=0)

    def pending(
        self,
        *,
        to: int | None = None,
        steps: int | None = None,
        allow_missing: bool = False,
    ) -> list[int]:
        """Return what is to be applied, ascending.

        Raises:
            ArgumentError: *to* and *steps* are both given, or out of range.
            DatabaseAheadError: The database was migrated by a newer release.
            MigrationOrderError: One is below the newest applied version.
        """
        _refuse(to, steps)
        self.refuse_ahead()
        found = [v for v in self._files if v not in self._applied]
        found = [v for v in found if to is None or v <= to][:steps]
        late = [version for version in found if version < self._newest]
        if late and not allow_missing:
            listed = "".join(f"\n  {self._files[version].name}" for version in late)
            raise MigrationOrderError(
                f"{len(late)} pending below the database's version {self._newest},"
                f" which a run would apply out of order:{listed}",
                versions=late,
                hint="if they do not depend on what came after them, "
                + self._way("up --allow-missing", "up(allow_missing=True)")
                + "; else give the files versions above it",
            )
        return found

    def refuse_ahead(self) -> None:
        """Raise DatabaseAheadError if what is applied is newer than every file."""
        known = max(self._files, default=0)
        if self._newest > known:
            raise DatabaseAheadError(
                f"the database is at {self._newest}, this program knows up to {known}:"
                " it was migrated by a newer release",
                database=self._newest,
                known=known,
                hint="start the newer release; or, with that release, "
                + self._way(f"down --to {known}", f"down(to={known})"),
            )

    def require_none(self, *, allow_missing: bool = False) -> None:
        """Raise MigrationsPendingError if anything is pending; else as `pending`."""
        pending = self.pending(allow_missing=allow_missing)
        if pending:
            listed = ", ".join(str(version) for version in pending)
            count = f"{len(pending)} migration{'' if len(pending) == 1 else 's'}"
            raise MigrationsPendingError(
                f"the database is behind by {count}: {listed}",
                versions=pending,
                hint=self._way("up", "up()"),
            )

    def to_undo(self, *, to: int | None = None, steps: int | None = None) -> list[int]:
        """Return what is to be undone, descending: one version by default.

        Raises:
            ArgumentError: As in `pending`.
            MigrationError: One of them has no file, and so no way back.
        """
        found = to_undo(self._applied, to=to, steps=steps)
        lost = [version for version in found if version not in self._files]
        if lost:
            raise MigrationError(
                f"version {lost[0]} is applied, but its file is not here",
                hint="undo it with the release that applied it",
            )
        return found

    def to_stamp(self, to: int) -> list[int]:
        """Return what is to be noted as applied, ascending.

        Raises:
            ArgumentError: There is no file of the version *to*.
            DatabaseAheadError: The database was migrated by a newer release.
        """
        if to not in self._files:
            listed = ", ".join(str(version) for version in self._files)
            raise ArgumentError(f"to={to}: no such version; there are {listed}")
        self.refuse_ahead()
        return [v for v in self._files if v <= to and v not in self._applied]

    def _way(self, command: str, call: str) -> str:
        """Return how to do it: at the prompt, or for an application's own files."""
        if self._source.table == DEFAULT_TABLE:
            return f"run `mooring migrate {command}` on this store"
        return f"call migrate.Migrator(store, source).{call}"


def to_undo(
    applied: Iterable[int], *, to: int | None = None, steps: int | None = None
) -> list[int]:
    """Return the versions to undo, the newest first, whether they have files or not."""
    _refuse(to, steps)
    newest_first = sorted(applied, reverse=True)
    if to is None:
        return newest_first[: steps or 1]
    return [version for version in newest_first if version > to]


def refuse_moved(expected: Iterable[int] | None, found: Iterable[int]) -> None:
    """Raise if what a run would take is not what somebody agreed to."""
    if expected is None:
        return
    agreed, now = list(expected), list(found)
    if agreed != now:
        raise MigrationError(
            "somebody else migrated in between, nothing was changed: agreed was to"
            f" undo {_listed(agreed)}, now it would be {_listed(now)}",
            hint="look at the status, and decide again",
        )


def _refuse(to: int | None, steps: int | None) -> None:
    if to is not None and steps is not None:
        raise ArgumentError("give to, a version, or steps, a number, but not both")
    if (to is not None and to < 0) or (steps is not None and steps < 1):
        raise ArgumentError("to must be a version >= 0, steps a number >= 1")


def _listed(versions: Iterable[int]) -> str:
    return ", ".join(str(version) for version in versions) or "nothing"
