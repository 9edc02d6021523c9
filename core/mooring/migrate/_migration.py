"""What a migration file says, as values."""

import attrs

_BOM = b"\xef\xbb\xbf"


@attrs.frozen(kw_only=True)
class Statement:
    """One piece of SQL that goes to the engine in one call.

    Attributes:
        sql: The text, trimmed at both ends; may hold several SQL statements.
        line: 1-based line of the file where the text starts.
    """

    sql: str
    line: int


@attrs.frozen(kw_only=True)
class Migration:
    """A parsed migration file.

    Attributes:
        version: The number its file name starts with, 1 to 2**63 - 1.
        name: The file name.
        up: The statements of the way forward, in order; may be empty.
        down: The statements of the way back, in order; may be empty.
        transaction: Whether each direction runs in one transaction.
    """

    version: int
    name: str
    up: tuple[Statement, ...]
    down: tuple[Statement, ...]
    transaction: bool


def digest(data: bytes) -> str:
    """Fingerprint a file, whatever its line endings and byte order mark.

    Args:
        data: The whole content of the file.

    Returns:
        SHA-256 in hex, 64 lower-case digits, of the content with LF line ends.
    """
    # A start that has nothing to migrate computes no digest.
    import hashlib

    text = data.removeprefix(_BOM).replace(b"\r\n", b"\n")
    return hashlib.sha256(text).hexdigest()
