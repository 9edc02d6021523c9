"""What a configuration file holds, whatever it is written in."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

# Values and keys, aliases counted as often as they stand for something.
MOST_NODES: Final = 20_000


@attrs.frozen(kw_only=True)
class Document:
    """A file's content.

    Attributes:
        data: Its tables, as the language's own types.
        lines: The 1-based line of each key, by the names of the tables around it.
    """

    data: Any
    lines: Mapping[tuple[str, ...], int]


class UnreadableError(Exception):
    """A file cannot be read as what it is; its text shows nothing of it."""

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line
