"""Reading migration files, and telling if an applied one was changed since."""

from collections.abc import Mapping

from mooring.core import AppliedRow, File
from mooring.core.errors import MigrationChangedError, MigrationParseError
from mooring.migrate._migration import digest


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
                f"version {version}, {files[version].name}, was changed after it was"
                f" applied:\n  recorded {row.digest}\n  found    {found}",
                version=version,
                recorded=row.digest,
                found=found,
                hint="restore the file as it was, and put the change into a new one;"
                " or accept the change: `mooring migrate repair`",
            )


def content(file: File) -> bytes:
    """Return a file's bytes; raises MigrationParseError if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as cause:
        raise MigrationParseError(
            f"cannot be read: {cause.strerror}", file=file.name, line=None
        ) from cause
