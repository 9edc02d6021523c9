"""Several statements in one text, told apart: for drivers that run migrations."""

from collections.abc import Iterator

from mooring.core._dialect import Dialect
from mooring.core._lexer import comment_end, tokens
from mooring.core.errors import StatementNotAllowedError

# What may have a body with semicolons between BEGIN and END.
_ROUTINES = frozenset({"TRIGGER", "FUNCTION", "PROCEDURE"})


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


def open_end(sql: str, dialect: Dialect) -> tuple[int, str] | None:
    """Tell what a text begins and does not end, by the rules of an engine.

    Args:
        sql: The text; maybe several statements.
        dialect: What strings, comments and quotes are there.

    Returns:
        The offset where it begins, and what it is. That is a ``string``, a ``name`` in
        quotes, a ``comment``, a ``body`` between dollar quotes, or what has a body from
        BEGIN to END, a ``trigger``, ``function`` or ``procedure``. None if nothing is
        open.

    Raises:
        StatementNotAllowedError: A comment whose end depends on the engine.
    """
    position = start = 0
    before = kind = text = ""
    created, routine, begin, depth = False, "", 0, 0
    # What is open takes in the semicolon that is put behind the text.
    for found in tokens(f"{sql}\n;", dialect, any_placeholder=True):
        # A doubled quote makes two neighbouring tokens of one string.
        position += len(text)
        if found[0] not in ("string", "name") or found[0] != kind:
            start = position
        kind, text = found
        if kind == "gap":
            continue
        word = text.upper()
        if depth:
            if before != "AS":  # where CASE and END are names
                depth += (word == "CASE") - (word == "END")
        elif before in ("", ";"):
            created, routine = word == "CREATE", ""
        elif word in _ROUTINES and created:
            routine = routine or word
        elif routine and word == ("BEGIN" if routine == "TRIGGER" else "ATOMIC"):
            begin, depth = position, 1
        before = word
    if text != ";":
        return start, _open_kind(kind, text)
    return (begin, routine.lower()) if depth else None


def _open_kind(kind: str, text: str) -> str:
    if kind == "gap":
        return "comment"
    return "body" if text[0] == "$" else kind


def _open_comment(offset: int) -> StatementNotAllowedError:
    """Return the error for a block comment that begins at *offset* and never ends."""
    error = StatementNotAllowedError(
        "the comment that begins here is never closed, so the SQL behind it would be"
        " left out",
        hint="close it with */",
    )
    error.offset = offset
    return error
