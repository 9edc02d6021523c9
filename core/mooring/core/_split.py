"""Several statements in one text, told apart: for drivers that run migrations."""

from collections.abc import Iterator

from mooring.core._dialect import Dialect
from mooring.core._lexer import tokens


def split_statements(sql: str, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """Yield each statement of a text with the offset at which it begins.

    A statement ends at a semicolon that stands outside of strings, comments,
    parentheses and SQL-standard function bodies (``BEGIN ATOMIC ... END``). It is
    yielded without the semicolon, from its first word on; what is only white space or
    comments is left out. Together they hold every word of the text.

    Args:
        sql: The text; it may hold no statement at all.
        dialect: What strings, comments and quotes are there.

    Raises:
        StatementNotAllowedError: A comment whose end depends on the engine.
    """
    position = 0
    start = -1  # of the statement that goes on, -1 where none does
    parentheses = bodies = 0
    before = ""
    for kind, text in tokens(sql, dialect, any_placeholder=True):
        word = text.upper() if kind == "word" else text
        if kind == "gap":
            position += len(text)
            continue
        if word == ";" and not parentheses and not bodies:
            if start >= 0:
                yield start, sql[start:position].rstrip()
            start = -1
        elif start < 0:
            start = position
        if kind in ("word", "symbol"):
            parentheses += (word == "(") - (word == ")")
            if before == "BEGIN" and word == "ATOMIC":
                bodies = 1
            elif bodies and before != "AS":
                # END closes a CASE, or the body; behind AS both are names.
                bodies += (word == "CASE") - (word == "END")
        before = word
        position += len(text)
    if start >= 0:
        yield start, sql[start:].rstrip()
