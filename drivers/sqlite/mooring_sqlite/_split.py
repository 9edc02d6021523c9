"""Telling the SQL statements of a migration apart, as SQLite does."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Final

# Strings, quoted names and comments, whose semicolons mean nothing; and those that do.
_SEMICOLON: Final = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]"""
    r"""|--[^\n]*|/\*.*?\*/|(;)""",
    re.DOTALL,
)
_COMMENTS: Final = r"(?:\s|\ufeff|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_FIRST_WORD: Final = re.compile(rf"{_COMMENTS}([A-Za-z]*)", re.DOTALL)


def split(sql: str) -> Iterator[tuple[int, str]]:
    """Yield each SQL statement of *sql* with its offset, as SQLite tells them apart."""
    start = 0
    for match in _SEMICOLON.finditer(sql):
        if match[1] is None:
            continue
        # The bodies of triggers hold semicolons too.
        if sqlite3.complete_statement(sql[start : match.end()]):
            yield start, sql[start : match.end()]
            start = match.end()
    if first_word_at(sql[start:]) < len(sql) - start:
        yield start, sql[start:]


def first_word(sql: str) -> str:
    """Return the first word behind white space and comments, upper-cased, or ""."""
    match = _FIRST_WORD.match(sql)
    return match[1].upper() if match else ""


def first_word_at(sql: str) -> int:
    """Return the offset behind white space and comments."""
    match = _FIRST_WORD.match(sql)
    return match.start(1) if match else 0
