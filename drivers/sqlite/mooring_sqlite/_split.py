"""Telling the SQL statements of a migration apart, as SQLite does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from sqlite3 import complete_statement
from typing import Final

# Compiled for the first text that needs them, and kept by `re`: the statements of most
# files do without, and a first start with them.
# Strings, quoted names and comments, whose semicolons mean nothing; those that do; a
# comment that is never closed; and a string or name that is not, which SQLite refuses.
_SEMICOLON: Final = (
    r"""(?s)'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]"""
    r"""|--[^\n]*|/\*.*?\*/|(;)|(/\*)|['"`\[].*"""
)
_COMMENTS: Final = r"(?s:\s|\ufeff|--[^\n]*(?:\n|$)|/\*.*?\*/)*"


def split(sql: str) -> Iterator[tuple[int, str]]:
    """Yield each SQL statement of *sql* with its offset, as SQLite tells them apart.

    Raises:
        StatementNotAllowedError: A comment is never closed. SQLite takes the end of the
            text for its end (sqlite.org/lang_comment.html), and would run nothing of
            what was meant to follow.
    """
    start = 0
    while (end := sql.find(";", start) + 1) and complete_statement(sql[start:end]):
        yield start, sql[start:end]
        start = end
    if end:  # a semicolon in a string, a comment or the body of a trigger
        for match in re.compile(_SEMICOLON).finditer(sql, start):
            if match[1] is not None and complete_statement(sql[start : match.end()]):
                yield start, sql[start : match.end()]
                start = match.end()
    rest = sql[start:]
    if "/*" in rest:
        _refuse_open_comment(rest, start)
    if rest.strip() and first_word_at(rest) < len(rest):
        yield start, rest


def _refuse_open_comment(rest: str, start: int) -> None:
    for match in re.compile(_SEMICOLON).finditer(rest):
        if match[2] is not None:
            from mooring.core import StatementNotAllowedError

            error = StatementNotAllowedError(
                "the comment that begins here is never closed, so the SQL behind it"
                " would be left out",
                hint="close it with */",
            )
            error.offset = start + match.start()
            raise error


def first_word(sql: str) -> str:
    """Return the first word behind white space and comments, upper-cased, or ""."""
    word = "".join(sql.split(maxsplit=1)[:1])
    if not (word.isascii() and word.isalpha()):
        match = re.match(rf"{_COMMENTS}([A-Za-z]*)", sql)
        word = match[1] if match else ""
    return word.upper()


def first_word_at(sql: str) -> int:
    """Return the offset behind white space and comments."""
    match = re.match(_COMMENTS, sql)
    return match.end() if match else 0
