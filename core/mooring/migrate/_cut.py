"""Finds the pieces that goose's rule cuts out of something longer."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from mooring.core import Dialect, open_end
from mooring.core.errors import (
    MigrationFailedError,
    MigrationParseError,
    StatementNotAllowedError,
)
from mooring.migrate._files import Direction, ReadFile
from mooring.migrate._migration import Statement
from mooring.migrate._parse import parse_noting

CURE: Final = (
    "wrap the statement in '-- +goose StatementBegin' and '-- +goose StatementEnd'"
)
# Where no engine is known: what any of them takes for a string, a name or a comment.
_ANY: Final = Dialect(
    placeholder="?",
    nested_comments=True,
    dollar_quotes=True,
    escape_strings=True,
    bracket_identifiers=False,
    backtick_identifiers=False,
    array_slices=False,
    in_nothing="",
    not_in_nothing="",
    max_parameters=0,
    adapters={},
    refuse=lambda _: None,
)
_PLAIN: Final = _ANY.replace(nested_comments=False)
_CALLED: Final = {
    "string": "a string",
    "name": "a quoted name",
    "comment": "a comment",
    "body": "a dollar-quoted body",
}
# What the piece holds that ends one which another piece has begun. A string or a name
# ends with the sign that it begins with, a body with its tag.
_TAG: Final = re.compile(r"\$\w*\$")
_ENDS: Final = {
    "comment": re.compile(r"(?s)\A(?:(?!/\*).)*\*/"),
    "[": re.compile(r"\]"),
    "routine": re.compile(r"(?i)\A\s*END\b"),
}


class Cut(NamedTuple):
    """A piece that begins something and does not end it.

    Attributes:
        statement: The piece.
        offset: Where in it that begins.
        what: What it is, such as "a string".
        ended: Whether a piece that follows ends it: goose's rule cut it in two.
    """

    statement: Statement
    offset: int
    what: str
    ended: bool

    @property
    def line(self) -> int:
        """1-based line of the file where it begins."""
        return self.statement.line + self.statement.sql.count("\n", 0, self.offset)

    @property
    def problem(self) -> str:
        """What is wrong, in words that follow the line."""
        if self.ended:
            return (
                f"{self.what} begins here, and the ';' at the end of a line cuts it in"
                " two"
            )
        return f"{self.what} begins here and does not end"

    @property
    def reason(self) -> str:
        """Why an engine refuses the piece, in words that follow what it says."""
        if self.ended:
            end = self.statement.line + self.statement.sql.count("\n")
            return (
                f"{self.what} that begins in line {self.line} is cut in two by the ';'"
                f" at the end of line {end}"
            )
        return f"{self.what} that begins in line {self.line} does not end"

    @property
    def hint(self) -> str:
        """What to do about it."""
        return CURE if self.ended else "end it"


def cuts(
    statements: Sequence[Statement],
    wrapped: Collection[int],
    dialect: Dialect | None = None,
) -> Iterator[Cut]:
    """Yield the pieces that are cut; of those that are the rest of one, none.

    Args:
        statements: Those of one direction.
        wrapped: The lines of those that are blocks: their text was not cut.
        dialect: The engine's; None where it is not known.
    """
    number = 0
    nowhere: set[str] = set()  # what no piece up to the next block ends
    while number < len(statements):
        statement = statements[number]
        number += 1
        if statement.line in wrapped:
            nowhere.clear()
        found = _open_end(statement.sql, dialect or _ANY)
        if found is None:
            continue
        offset, kind = found
        rest = None
        end = _end(statement.sql[offset:], kind)
        if statement.line not in wrapped and end.pattern not in nowhere:
            rest = _find(end, statements, wrapped, number)
            if rest is None:
                nowhere.add(end.pattern)
        # "/* see src/*.sql */" is whole where comments do not nest.
        unsure = dialect is None and kind == "comment" and rest is None
        if unsure and _open_end(statement.sql, _PLAIN) is None:
            continue
        what = _CALLED.get(kind, f"the body of a {kind}")
        yield Cut(statement, offset, what, rest is not None)
        number = rest + 1 if rest is not None else number


def explain(
    error: MigrationFailedError,
    file: ReadFile,
    direction: Direction,
    piece: Statement,
    store: Any,
) -> str | None:
    """Say in *error* if its piece is cut in two, and return the cure; else None."""
    wrapped: list[int] = []
    with suppress(MigrationParseError):  # a variable was set when it was read
        _, _, wrapped = parse_noting(file.text, name=file.migration.name)
    for cut in cuts(file.statements(direction), wrapped, dialect_of(store)):
        if cut.statement == piece:
            before = error.message.removesuffix(error.state)
            error.message = f"{before}{cut.reason}\n{error.state}"
            error.hint = cut.hint
            return cut.hint
    return None


def dialect_of(store: Any) -> Dialect | None:
    """Return what the SQL of a store's engine looks like, None if it does not say."""
    translate = getattr(store, "translate", None)
    found = getattr(translate("SELECT 1"), "dialect", None) if translate else None
    return found if isinstance(found, Dialect) else None


def _open_end(sql: str, dialect: Dialect) -> tuple[int, str] | None:
    try:
        return open_end(sql, dialect)
    except StatementNotAllowedError:  # the engine will say what it thinks of that
        return None


def _end(text: str, kind: str) -> re.Pattern[str]:
    """Return what ends that with which *text* begins."""
    if kind == "body":
        tag = _TAG.match(text)
        return re.compile(re.escape(tag[0] if tag else "$"))
    if kind in ("string", "name"):
        sign = text.lstrip("eE")[:1]
        return _ENDS.get(sign) or re.compile(re.escape(sign))
    return _ENDS["comment" if kind == "comment" else "routine"]


def _find(
    end: re.Pattern[str],
    statements: Sequence[Statement],
    wrapped: Collection[int],
    number: int,
) -> int | None:
    """Return which piece from *number* on holds an end; a block ends the search."""
    for place in range(number, len(statements)):
        if statements[place].line in wrapped:
            return None
        if end.search(statements[place].sql):
            return place
    return None
