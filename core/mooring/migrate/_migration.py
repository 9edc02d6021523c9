"""What a migration file says, as values.

They are named tuples, not attrs classes: a first start needs them, and an attrs class
takes as long to make as a migration to run.
"""

import sys
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

_BOM = b"\xef\xbb\xbf"


class Statement(NamedTuple):
    """One piece of SQL that goes to the engine in one call.

    Attributes:
        sql: The text, trimmed at both ends; may hold several SQL statements.
        line: 1-based line of the file where the text starts.
    """

    sql: str
    line: int


class Migration(NamedTuple):
    """A parsed migration file.

    Attributes:
        version: The number its file name starts with, 1 to 2**63 - 1.
        name: The file name.
        up: The statements of the way forward, in order; may be empty.
        down: The statements of the way back, in order; may be empty.
        transaction: Whether each direction runs in one transaction.
        python: Whether it is a file in Python: then a direction is one `Statement`,
            which holds the source of its function, or none.
    """

    version: int
    name: str
    up: tuple[Statement, ...]
    down: tuple[Statement, ...]
    transaction: bool
    python: bool = False


def digest(data: bytes) -> str:
    """Fingerprint a file, whatever its line endings and byte order mark.

    Args:
        data: The whole content of the file.

    Returns:
        SHA-256 in hex, 64 lower-case digits, of the content with LF line ends.
    """
    text = data.removeprefix(_BOM).replace(b"\r\n", b"\n")
    hexdigest: str = _sha256()(text).hexdigest()
    return hexdigest


@lru_cache(maxsize=1)
def _sha256() -> Any:
    """Return the SHA-256 constructor, without loading OpenSSL if that is possible.

    ``hashlib`` loads it, and takes longer for that than a start for all its files; the
    standard library's ``random`` spares it the same way.
    """
    # By version, since looking for a module that is not there searches the whole path.
    module = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
    try:
        return import_module(module).sha256
    except ImportError:  # not CPython
        return import_module("hashlib").sha256
