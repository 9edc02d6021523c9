"""The tokens of a statement: just enough SQL to tell a parameter from a literal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from mooring.core._dialect import Dialect
from mooring.core.errors import ParameterError, StatementNotAllowedError

# What ends a quoted identifier, by what opens it; every other quote is a string's.
_NAME_ENDS = {'"': '"', "[": "]", "`": "`"}

# Words after which a value begins: a colon behind them is not a slice's.
_BEFORE_VALUE = frozenset(
    {"ALL", "AND", "ANY", "BETWEEN", "BY", "CASE", "DISTINCT", "ELSE", "FROM", "ILIKE"}
    | {"IN", "IS", "LIKE", "LIMIT", "NOT", "OFFSET", "ON", "OR", "SELECT", "SOME"}
    | {"THEN", "WHEN", "WHERE"}
)


def tokens(
    sql: str, dialect: Dialect, *, any_placeholder: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield the tokens of ``sql`` as ``(kind, text)``; the texts add up to it.

    Kinds: gap (whitespace and comments), word, number, string, name (a quoted
    identifier), param (``:name``), symbol (one character, ``::``, ``:=`` and operators
    with ``@``). What is never closed reaches to the end of the text.

    With *any_placeholder* the engine's own ones are symbols like any other.

    Raises:
        ParameterError: A placeholder that is not ``:name``.
        StatementNotAllowedError: A comment whose end depends on the engine.
    """
    match = _pattern(
        escape_strings=dialect.escape_strings,
        dollar_quotes=dialect.dollar_quotes,
        bracket_identifiers=dialect.bracket_identifiers,
        backtick_identifiers=dialect.backtick_identifiers,
    ).match
    brackets: list[str] = []
    operand = False
    position = 0
    while found := match(sql, position):
        kind = found.lastgroup or "symbol"
        end = found.end()
        if kind == "comment":
            end = comment_end(sql, end, nested=dialect.nested_comments) or len(sql)
            kind = "gap"
        elif kind == "quote":
            kind = "name" if found[0] in _NAME_ENDS else "string"
            end = _end_of_quoted(sql, end, _NAME_ENDS.get(found[0], found[0]))
        elif kind in ("param", "ordinal"):
            if operand and brackets and brackets[-1] in "[{":
                kind, end = "symbol", position + 1
            elif kind == "ordinal":
                kind = _foreign(found[0], allowed=any_placeholder)
        elif kind == "alien":
            kind = _foreign(found[0], allowed=any_placeholder)
        elif kind == "cut":
            raise StatementNotAllowedError(
                "a -- comment holds a carriage return, which only some engines take "
                "for its end",
                hint="end the line with a newline",
            )
        text = sql[position:end]
        if dialect.array_slices and kind != "gap":
            operand = _follow(brackets, kind, text)
        yield kind, text
        position = end


def _follow(brackets: list[str], kind: str, text: str) -> bool:
    """Keep the open brackets, innermost last; return whether a value ends here."""
    if kind == "word":
        return text.upper() not in _BEFORE_VALUE
    if kind != "symbol":
        return True
    if text in "([{":
        brackets.append(text)
    elif text in ")]}":
        del brackets[-1:]
        return True
    return False


def comment_end(sql: str, start: int, *, nested: bool) -> int | None:
    """Return where the block comment ends that is open at *start*, None if it does not.

    Args:
        sql: The text.
        start: The offset behind the ``/*``.
        nested: Whether comments inside of it have an end of their own.
    """
    if not nested:
        end = sql.find("*/", start)
        return None if end < 0 else end + 2
    depth = 1
    for edge in re.compile(_COMMENT_EDGE).finditer(sql, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return None


def _end_of_quoted(sql: str, start: int, closing: str) -> int:
    end = sql.find(closing, start)
    return len(sql) if end < 0 else end + len(closing)


def _foreign(placeholder: str, *, allowed: bool) -> str:
    """Return the kind of a placeholder that is not ours, or refuse it."""
    if allowed:
        return "symbol"
    raise ParameterError(
        f"{placeholder[0]!r} is not a placeholder here",
        hint='write :name, a letter first, and pass a mapping: {"name": value}; for an'
        " operator with this sign, call the function behind it",
    )


# Compiled by those who meet a nested comment; `re` keeps it.
_COMMENT_EDGE = r"/\*|\*/"

# Character sets are matched possessively and a string's end is optional, so no text
# makes a match go back. A doubled quote reads as two neighbouring strings, which has
# the same extent; only E'' must know it, and its continuation on the next line, to
# stay in the mode where a backslash escapes.
# A character beyond ASCII may belong to a name, then what follows it does not open.
_ESCAPE_STRING = r"(?<![^\x00-\x7f])[eE]'(?:[^'\\]++|\\[\s\S]?|''|'[^\S\n]*+\n\s*+')*'?"
_DOLLAR_TAG = r"(?<![^\x00-\x7f])\$(?:[^\W\d]\w*+)?\$"


@lru_cache(maxsize=64)
def _pattern(
    *,
    escape_strings: bool,
    dollar_quotes: bool,
    bracket_identifiers: bool,
    backtick_identifiers: bool,
) -> re.Pattern[str]:
    """Compile the alternatives of one token; the first that fits wins.

    Every start waits for that: what a dialect does not have is not among them.
    """
    brackets = r"\[" if bracket_identifiers else ""
    backtick = "`" if backtick_identifiers else ""
    quote = f"['\"{brackets}{backtick}]"
    if dollar_quotes:
        quote += f"|{_DOLLAR_TAG}"
    alternatives = [
        # A byte order mark is whitespace to some engines, wherever it stands.
        r"(?P<gap>\s++|\ufeff|--[^\r\n]*+(?!\r[^\n]))",
        r"(?P<word>[^\W\d][\w$]*+)",
        r"(?P<comment>/\*)",
        "(?P<cut>--)",
        r"(?P<number>\d\w*+)",
        f"(?P<quote>{quote})",
        r"(?P<param>:[^\W\d]\w*+)",
        r"(?P<ordinal>:\d)",
        "::|:=|<@|@>|@@",
        r"(?P<alien>\?|[@$](?=[\w$]|::))",
        ".",
    ]
    if escape_strings:
        alternatives.insert(0, f"(?P<string>{_ESCAPE_STRING})")
    return re.compile("|".join(alternatives), re.DOTALL)
