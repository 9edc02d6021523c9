"""Finds the pieces that goose's rule cuts out of something longer."""

import re
from typing import Final

# What is closed comes first, so that a named group is what never closes. The scan knows
# no engine: it takes what any of them takes for a string, a name or a comment.
_PARTS: Final = re.compile(
    r"""(?s)--[^\n]*|/\*.*?\*/|(?<!\w)[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'"""
    r"""|"[^"]*"|(?<!\w)(\$(?:[^\W\d]\w*)?\$).*?\1"""
    r"""|(?P<comment>/\*)|(?P<string>')|(?P<name>")"""
    r"""|(?<!\w)(?P<body>\$(?:[^\W\d]\w*)?\$)"""
)
_CALLED: Final = {
    "comment": "a comment",
    "string": "a string",
    "name": "a quoted name",
    "body": "a dollar-quoted body",
}
_TRIGGER: Final = re.compile(r"(?i)\s*CREATE\s+(TEMP(ORARY)?\s+)?TRIGGER\b")
_BEGIN: Final = re.compile(r"(?i)\bBEGIN\b")
_END: Final = re.compile(r"(?i)\bEND\s*;?\s*\Z")


def cut(sql: str) -> tuple[int, str] | None:
    """Tell what a piece begins and does not end.

    Args:
        sql: One piece of a migration.

    Returns:
        The offset where it begins and what it is called, or None if the piece is whole.
    """
    for part in _PARTS.finditer(sql):
        if part.lastgroup in _CALLED:
            return part.start(), _CALLED[part.lastgroup]
    plain = _PARTS.sub(" ", sql)
    if _TRIGGER.match(plain) and _BEGIN.search(plain) and not _END.search(plain):
        return 0, "the body of a trigger"
    return None
