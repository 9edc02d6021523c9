"""Which files are migrations, and the table that remembers them."""

from __future__ import annotations

from typing import Final

from mooring.core import DiskFolder, File, Folder
from mooring.core.errors import ArgumentError, MigrationParseError

DEFAULT_TABLE: Final = "goose_db_version"
_SUFFIXES = (".sql", ".py")
_LARGEST = 2**63 - 1
_MOST_DIGITS = len(str(_LARGEST))


class Source:
    """A folder of migration files with its version table.

    Args:
        folder: A `core.Folder`, such as `core.package_folder` returns, or the path of
            a directory.
        table: The version table, of letters, digits and underscores, maybe with a
            schema and a dot before it, as goose takes it. Several sources in one
            database need one each. Our own table stands beside it, in its schema.

    Raises:
        ArgumentError: The table's name is not allowed.
    """

    def __init__(self, folder: Folder | str, *, table: str = DEFAULT_TABLE) -> None:
        names = table.split(".")
        if len(names) > 2 or not all(map(_is_name, names)):
            raise ArgumentError(
                f"version table {table!r}: use ASCII letters, digits and underscores,"
                " and one dot behind the name of a schema"
            )
        self.folder: Folder = DiskFolder(folder) if isinstance(folder, str) else folder
        self.table = table

    def files(self) -> dict[int, File]:
        """Return the migration files by version, ascending; none is opened.

        Raises:
            MigrationParseError: The folder cannot be listed or holds no migration, a
                ``.sql`` file, or a ``.py`` file that begins with a number, has no
                version, or two have the same.
        """
        found: dict[int, File] = {}
        for file in self.entries():
            version = version_of(file.name)
            if version is None:
                if not claims_version(file.name):
                    continue
                raise MigrationParseError(
                    "is not named like a migration",
                    file=file.name,
                    line=None,
                    hint="call it <version>_<name>.sql, or .py, with a version >= 1"
                    " such as 20250603124835, or move it out of the folder",
                )
            if version in found:
                raise MigrationParseError(
                    f"has the same version as {found[version].name}",
                    file=file.name,
                    line=None,
                    hint="give one of them a version of its own",
                )
            found[version] = file
        if not found:
            raise MigrationParseError(
                "the folder holds no migration files",
                file=self.folder.name,
                line=None,
                hint="a migration is called <version>_<name>.sql, or .py",
            )
        return dict(sorted(found.items()))

    def entries(self) -> list[File]:
        """Return all that is in the folder, unsorted.

        Raises:
            MigrationParseError: The folder cannot be listed.
        """
        try:
            return list(self.folder.iterdir())
        except OSError as cause:
            raise MigrationParseError(
                f"the folder of migrations cannot be listed: {cause.strerror}",
                file=self.folder.name,
                line=None,
                hint="check the path that the program gives to its migrations",
            ) from cause

    def __repr__(self) -> str:
        return f"Source({self.folder!r}, table={self.table!r})"


def _is_name(text: str) -> bool:
    plain = text.replace("_", "a")
    return plain.isascii() and plain.isalnum() and not text[0].isdigit()


def version_of(filename: str) -> int | None:
    """Read the version in a migration's file name, by the rules of goose v3.

    Args:
        filename: A name without folders, such as ``"00001_users.sql"``; ``.py`` is
            the same.

    Returns:
        The version, 1 to 2**63 - 1, or None if this is not a migration's name.
    """
    if not filename.endswith(_SUFFIXES):
        return None
    number, underscore, _ = filename.partition("_")
    digits = number.removeprefix("+")
    # int() alone would take spaces and the digits of other scripts as well.
    if not (underscore and digits.isascii() and digits.isdigit()):
        return None
    # Leading zeros are free, but int() refuses a text of thousands of digits.
    if len(digits) > _MOST_DIGITS or digits[0] == "0":
        digits = digits.lstrip("0")
        if not 0 < len(digits) <= _MOST_DIGITS:
            return None
    version = int(digits)
    return version if version <= _LARGEST else None


def claims_version(filename: str) -> bool:
    """Return whether a file has to be a migration, or is misnamed.

    That is every ``.sql`` file, and a ``.py`` file that begins with a number: a
    package's ``__init__.py`` and what its migrations import may lie beside them.
    """
    if filename.endswith(".py"):
        return filename[0] in "+0123456789"
    return filename.endswith(".sql")


def is_python(filename: str) -> bool:
    """Return whether a migration of this name is written in Python."""
    return filename.endswith(".py")
