"""Bringing what is recorded in line with the files, where that is wanted."""

from collections.abc import Collection, Mapping

import attrs

from mooring.core import AppliedRow, File, MigrationUnit, Unfinished
from mooring.core.errors import ArgumentError
from mooring.migrate._files import content
from mooring.migrate._migration import digest


@attrs.frozen(kw_only=True)
class Correction:
    """A digest that takes the place of another.

    Attributes:
        version: The applied version.
        name: Its file name.
        recorded: SHA-256 in hex of what was applied, None if not recorded.
        found: That of the file as it is now.
    """

    version: int
    name: str
    recorded: str | None
    found: str


@attrs.frozen(kw_only=True)
class Repair:
    """What is corrected in the version table and beside it; no file runs.

    Attributes:
        digests: The files whose content is taken for what was applied, ascending.
        removed: The applied versions whose files are gone, ascending: they are noted as
            not applied; what they made stays.
        forgotten: The file that was begun without a transaction and did not end, None
            if there is none: it will begin with its first statement again.
    """

    digests: tuple[Correction, ...] = ()
    removed: tuple[int, ...] = ()
    forgotten: Unfinished | None = None

    def __bool__(self) -> bool:
        """Return whether there is anything to correct."""
        return bool(self.digests or self.removed or self.forgotten)

    def apply(self, unit: MigrationUnit) -> None:
        """Make the corrections."""
        for one in self.digests:
            unit.amend(one.version, digest=one.found)
        for version in self.removed:
            unit.unrecord(version)
        if self.forgotten is not None:
            if self.forgotten.direction == "up":
                unit.unrecord(self.forgotten.version)  # it is not applied
            else:
                unit.note(self.forgotten.version, None)


def repair_of(
    files: Mapping[int, File],
    applied: Mapping[int, AppliedRow],
    unfinished: Unfinished | None,
    versions: Collection[int] | None,
) -> Repair:
    """Return what would be corrected.

    Args:
        files: The files by version.
        applied: What is applied, by version.
        unfinished: What did not end.
        versions: The only ones to correct. None: all but those that are newer than
            every file, which a newer release applied.

    Raises:
        ArgumentError: One of *versions* is neither a file nor applied.
        MigrationParseError: A file cannot be read.
    """
    unknown = sorted(set(versions or ()) - files.keys() - applied.keys())
    if unknown:
        raise ArgumentError(f"there is no version {unknown[0]}")
    known = max(files, default=0)
    digests, removed = [], []
    for version, row in sorted(applied.items()):
        if version not in (applied if versions is None else versions):
            continue
        if version not in files:
            if versions is not None or version < known:
                removed.append(version)
            continue
        found = digest(content(files[version]))
        if found != row.digest:
            digests.append(
                Correction(
                    version=version,
                    name=files[version].name,
                    recorded=row.digest,
                    found=found,
                )
            )
    if unfinished and versions is not None and unfinished.version not in versions:
        unfinished = None
    return Repair(digests=tuple(digests), removed=tuple(removed), forgotten=unfinished)
