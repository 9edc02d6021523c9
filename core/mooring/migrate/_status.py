"""Comparing the applied migrations with their files, content included."""

from collections.abc import Mapping
from typing import Literal

import attrs

from mooring.core import AppliedRow, File
from mooring.migrate._files import content as content_of
from mooring.migrate._migration import digest

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
    """

    version: int
    name: str
    state: MigrationState
    applied_at: str = ""
    duration: float | None = None


def status_of(
    files: Mapping[int, File], applied: Mapping[int, AppliedRow], *, content: bool
) -> list[MigrationStatus]:
    """Return each version's state, ascending; reads the applied files if *content*."""
    newest = max(files, default=0)
    found = []
    for version in sorted(files.keys() | applied.keys()):
        file, row = files.get(version), applied.get(version)
        state: MigrationState = "applied"
        if row is None:
            state = "pending"
        elif file is None:
            state = "ahead" if version > newest else "missing"
        elif content and row.digest not in (None, digest(content_of(file))):
            state = "changed"
        found.append(
            MigrationStatus(
                version=version,
                name=file.name if file else "",
                state=state,
                applied_at=row.applied_at if row else "",
                duration=row.duration if row else None,
            )
        )
    return found
