"""Tells which file names are migrations, and their versions."""

_SUFFIXES = (".sql", ".py")
_LARGEST = 2**63 - 1
_MOST_DIGITS = len(str(_LARGEST))


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
