"""Comparing the applied migrations with their files, content included."""

from collections.abc import Mapping

from mooring.core import AppliedRow, File
from mooring.core.errors import MigrationChangedError, MigrationParseError
from mooring.migrate._migration import digest
from mooring.migrate._reports import MigrationState, MigrationStatus


def status_of(
    files: Mapping[int, File], applied: Mapping[int, AppliedRow]
) -> list[MigrationStatus]:
    """Return each version's state, ascending; reads the applied files."""
    newest = max(files, default=0)
    found = []
    for version in sorted(files.keys() | applied.keys()):
        file, row = files.get(version), applied.get(version)
        state: MigrationState = "applied"
        if row is None:
            state = "pending"
        elif file is None:
            state = "ahead" if version > newest else "missing"
        elif row.digest is not None and row.digest != digest(content(file)):
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


def refuse_changed(
    files: Mapping[int, File], applied: Mapping[int, AppliedRow]
) -> None:
    """Raise MigrationChangedError if an applied file is not what was applied."""
    for version, row in applied.items():
        if row.digest is None or version not in files:
            continue
        found = digest(content(files[version]))
        if found != row.digest:
            raise MigrationChangedError(
                f"{files[version].name} was changed after it was applied: recorded"
                f" {row.digest[:12]}…, found {found[:12]}…",
                version=version,
                recorded=row.digest,
                found=found,
                hint="restore the file as it was, and put the change into a new one",
            )


def content(file: File) -> bytes:
    """Return a file's bytes; raises MigrationParseError if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as cause:
        raise MigrationParseError(
            f"cannot be read: {cause.strerror}", file=file.name, line=None
        ) from cause
