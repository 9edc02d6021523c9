"""Several statements in one text, told apart: for drivers that run migrations."""

from collections.abc import Iterator

from mooring.core._dialect import Dialect
from mooring.core._lexer import comment_end, tokens
from mooring.core.errors import StatementNotAllowedError


def split_statements(sql: str, dialect: Dialect) -> Iterator[tuple[int, str]]:
    """Yield each statement of a text with the offset at which it begins.

    A statement ends at a semicolon that stands outside of strings, comments,
    parentheses and SQL-standard function bodies (``BEGIN ATOMIC ... END``). It is
    yielded without the semicolon, from its first word on; what is only white space or
    comments is left out. Together they hold every word of the text: a string that is
    never closed belongs to the last one, for the engine to refuse, and a comment that
    is never closed, which hides whatever was meant to follow it, is refused here.

    Args:
        sql: The text; it may hold no statement at all.
        dialect: What strings, comments and quotes are there.

    Raises:
        StatementNotAllowedError: A comment whose end depends on the engine, or one
            without an end; its ``offset`` says where such a one begins. The statements
            before it were yielded.
    """
    position = 0
    start = -1  # of the statement that goes on, -1 where none does
    parentheses = bodies = 0
    before = ""
    for kind, text in tokens(sql, dialect, any_placeholder=True):
        word = text.upper() if kind == "word" else text
        if kind == "gap":
            if text.startswith("/*") and not comment_end(
                text, 2, nested=dialect.nested_comments
            ):
                raise _open_comment(position)
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


def _open_comment(offset: int) -> StatementNotAllowedError:
    """Return the error for a block comment that begins at *offset* and never ends."""
    error = StatementNotAllowedError(
        "the comment that begins here is never closed, so the SQL behind it would be"
        " left out",
        hint="close it with */; a comment with a ';' at the end of a line belongs"
        " between '-- +goose StatementBegin' and '-- +goose StatementEnd'",
    )
    error.offset = offset
    return error
