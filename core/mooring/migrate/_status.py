"""Comparing the applied migrations with their files, content included."""

from collections.abc import Mapping
from typing import Literal

import attrs

from mooring.core import AppliedRow, File, Unfinished
from mooring.migrate._files import content as content_of
from mooring.migrate._listing import Listing
from mooring.migrate._migration import digest
from mooring.migrate._source import is_python

MigrationState = Literal["applied", "pending", "changed", "missing", "ahead"]


@attrs.frozen(kw_only=True)
class MigrationStatus:
    """One migration, as the files and the database see it.

    Attributes:
        version: Its version.
        name: Its file name; "" if there is no file.
        state: ``applied``; ``pending``; ``changed`` (applied, but the file is another
            now); ``missing`` (applied, no file); ``ahead`` (no file, and newer than
            every file: a newer release applied it).
        applied_at: When, ISO 8601 in UTC; "" if pending or not recorded.
        duration: Seconds that it took; None if pending or not recorded.
        digest: SHA-256 in hex of what was applied; None if pending or not recorded, as
            where goose applied it: then nobody can tell if the file was changed.
        applied_by: Who, as ``user@machine``; None if pending or not recorded.
    """

    version: int
    name: str
    state: MigrationState
    applied_at: str = ""
    duration: float | None = None
    digest: str | None = None
    applied_by: str | None = None

    @property
    def python(self) -> bool:
        """Whether its file is one in Python."""
        return is_python(self.name)


@attrs.frozen(kw_only=True)
class Status(Listing[MigrationStatus]):
    """How far a database is; also the sequence of its migrations.

    Attributes:
        migrations: Every known or applied migration, ascending by version.
        database: The newest applied version, 0 if none is.
        known: The newest version that has a file.
        unfinished: The file that was begun without a transaction and did not end, None
            if there is none.
    """

    migrations: tuple[MigrationStatus, ...]
    database: int
    known: int
    unfinished: Unfinished | None = None

    @property
    def parts(self) -> tuple[MigrationStatus, ...]:
        """The migrations."""
        return self.migrations

    @property
    def state(self) -> Literal["current", "pending", "diverged"]:
        """Whether all is applied, some is pending, or files and database disagree.

        They disagree if a file was changed or is missing, if the database is ahead, if
        a pending file is below what is applied, or if one did not end.
        """
        states = {one.state for one in self.migrations}
        pending = [one.version for one in self.migrations if one.state == "pending"]
        late = any(version < self.database for version in pending)
        if states - {"applied", "pending"} or late or self.unfinished:
            return "diverged"
        return "pending" if pending else "current"


def status_of(
    files: Mapping[int, File],
    applied: Mapping[int, AppliedRow],
    unfinished: Unfinished | None,
    *,
    content: bool = True,
) -> Status:
    """Return the status; reads the applied files if *content*."""
    known = max(files, default=0)
    found = []
    for version in sorted(files.keys() | applied.keys()):
        file, row = files.get(version), applied.get(version)
        state: MigrationState = "applied"
        if row is None:
            state = "pending"
        elif file is None:
            state = "ahead" if version > known else "missing"
        elif content and row.digest not in (None, digest(content_of(file))):
            state = "changed"
        found.append(
            MigrationStatus(
                version=version,
                name=file.name if file else "",
                state=state,
                applied_at=row.applied_at if row else "",
                duration=row.duration if row else None,
                digest=row.digest if row else None,
                applied_by=row.applied_by if row else None,
            )
        )
    return Status(
        migrations=tuple(found),
        database=max(applied, default=0),
        known=known,
        unfinished=unfinished,
    )
