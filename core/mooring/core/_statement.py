"""A user's SQL in the engine's own form, made once per text and bound per call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from mooring.core._dialect import DML, Dialect, allowed_verb
from mooring.core._lexer import tokens
from mooring.core._values import INT_MAX, INT_MIN, In, adapt, is_unicode
from mooring.core.errors import ParameterError, StatementNotAllowedError

# Done as a whole or not at all. Others may keep a part of what they did: a procedure
# commits in between, an index is built beside what others write.
_WHOLE = DML | {"SELECT", "VALUES", "WITH"}
_WRITES = DML | {"CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT", "GRANT", "REVOKE"}


class ListPlace:
    """A placeholder behind IN, where a `core.In` may expand.

    Attributes:
        in_parentheses: It is written ``IN (:x)`` and not ``IN :x``.
        negated: NOT stands before IN.
        before: How many characters of the piece before it, from NOT or IN on, belong
            to the condition.
        after: How many of the piece behind it do: up to the closing parenthesis.
    """

    __slots__ = ("after", "before", "in_parentheses", "negated")

    def __init__(
        self, *, in_parentheses: bool, negated: bool, before: int, after: int
    ) -> None:
        self.in_parentheses = in_parentheses
        self.negated = negated
        self.before = before
        self.after = after


class Statement:
    """A translated statement.

    Attributes:
        sql: The text as it was written.
        text: The engine's form, for values that each take one placeholder.
        names: A parameter's name for each placeholder, in order, with repeats.
        verb: The main keyword, upper-cased (INSERT for ``WITH ... INSERT``), or "".
        changes_rows: The verb is INSERT, UPDATE, DELETE, REPLACE or MERGE.
        repeatable: Nothing of it is kept if it fails, so it may be run again.
        dialect: The engine's, as the driver gave it.
        writes: True if it certainly writes, None if that is not known; whoever
            learns it may set it.
    """

    __slots__ = (
        "_count",
        "_lists",
        "_pick",
        "_pieces",
        "changes_rows",
        "dialect",
        "names",
        "repeatable",
        "sql",
        "text",
        "verb",
        "writes",
    )

    def __init__(
        self,
        sql: str,
        *,
        dialect: Dialect,
        verb: str,
        pieces: Sequence[str],
        names: Sequence[str],
        lists: Sequence[ListPlace | None],
    ) -> None:
        self.sql = sql
        self.text = dialect.placeholder.join(pieces)
        self.names = tuple(names)
        self.verb = verb
        self.changes_rows = verb in DML
        self.repeatable = verb in _WHOLE
        self.writes: bool | None = True if verb in _WRITES else None
        self.dialect = dialect
        self._pieces = tuple(pieces)
        self._lists = tuple(lists)  # one for each placeholder
        self._pick = _picker(self.names)
        self._count = len(set(names))

    def bind(
        self, params: Mapping[str, object] | None
    ) -> tuple[str, tuple[object, ...]]:
        """Return the engine's text and the values for its placeholders, in order.

        Raises:
            ParameterError: Names are missing or unknown, a value is not one that can
                be bound, or an expanded list exceeds what the engine takes.
        """
        # The hot path: everything that is ordinary is recognised here and passed on;
        # whatever is not, errors included, is the business of the slow path.
        if type(params) is dict and len(params) == self._count:
            try:
                values = self._pick(params)
            except KeyError:
                return self._bind_any(params)
            if len(self.names) == 1:
                values = (values,)
            for value in values:
                kind = type(value)
                if kind is str:
                    if "\x00" not in value and (value.isascii() or is_unicode(value)):
                        continue
                elif value is None or kind is bytes or kind is bool:
                    continue
                elif kind is int:
                    if INT_MIN <= value <= INT_MAX:
                        continue
                elif kind is float and value == value:
                    continue
                return self._bind_any(params)
            return self.text, values
        if params is None and not self._count:
            return self.text, ()
        return self._bind_any(params)

    def offset_in_sql(
        self, offset: int, text: str, width: Callable[[int], int]
    ) -> int | None:
        """Return where a place in the engine's text stands in *sql*.

        None where a list was expanded, which *sql* does not have.

        Args:
            offset: A place in *text* as the engine saw it, >= 0.
            text: What was executed, from `bind`.
            width: How long the engine's own placeholder with that number, counted from
                1, is there.
        """
        if text != self.text:
            return None
        doubled = self.dialect.placeholder == "%s"
        ours = theirs = 0
        for number, piece in enumerate(self._pieces, 1):
            length = len(piece.replace("%%", "%") if doubled else piece)
            if offset < theirs + length or number > len(self.names):
                return ours + offset - theirs
            ours, theirs = ours + length, theirs + length + width(number)
            if offset < theirs:
                return ours
            ours += len(self.names[number - 1]) + 1
        return None

    def _bind_any(
        self, params: Mapping[str, object] | None
    ) -> tuple[str, tuple[object, ...]]:
        given = self._given(params)
        adapters = self.dialect.adapters
        values: list[object] = []
        sizes: dict[int, int] = {}
        for index, name in enumerate(self.names):
            value = given[name]
            if isinstance(value, In):
                self._check_list(index)
                sizes[index] = len(value.values)
                values += [adapt(name, member, adapters) for member in value.values]
            else:
                values.append(adapt(name, value, adapters))
        _check_count(len(values), self.dialect)
        return self._expanded(sizes) if sizes else self.text, tuple(values)

    def _given(self, params: object) -> Mapping[str, object]:
        if params is None:
            params = {}
        if not isinstance(params, Mapping):
            raise ParameterError(
                f"parameters are a mapping of names to values, not "
                f"{type(params).__name__}",
                hint='write :name in the SQL and pass {"name": value}',
            )
        expected = dict.fromkeys(self.names)
        problems = []
        if missing := [name for name in expected if name not in params]:
            problems.append(f"no value for {_listed(missing)}")
        if extra := [name for name in params if name not in expected]:
            problems.append(f"no placeholder for {_listed(extra)}")
        if problems:
            raise ParameterError(
                f"{', '.join(problems)}; the statement expects "
                f"{_listed(expected) or 'no parameters'}",
                hint="give each placeholder of the statement a value, and nothing else",
            )
        return params

    def _check_list(self, index: int) -> None:
        if self._lists[index] is None:
            name = self.names[index]
            raise ParameterError(
                f"parameter :{name}: core.In fits only after IN",
                hint=f"write x IN :{name}, or x IN (:{name})",
            )

    def _expanded(self, sizes: Mapping[int, int]) -> str:
        """Return the text with lists of *sizes* at those placeholders."""
        dialect = self.dialect
        pieces = list(self._pieces)
        marks = [dialect.placeholder] * len(self.names)
        for index, size in sizes.items():
            place = self._lists[index]
            if place is None:
                raise AssertionError  # refused by _check_list
            if size:
                listed = ", ".join([dialect.placeholder] * size)
                marks[index] = listed if place.in_parentheses else f"({listed})"
                continue
            # All of the condition goes: IN (NULL) would be neither true nor false.
            pieces[index] = pieces[index][: len(pieces[index]) - place.before]
            marks[index] = (
                dialect.not_in_nothing if place.negated else dialect.in_nothing
            )
            pieces[index + 1] = pieces[index + 1][place.after :]
        parts = [pieces[0]]
        for mark, piece in zip(marks, pieces[1:], strict=True):
            parts += (mark, piece)
        return "".join(parts)


def _picker(names: Sequence[str]) -> Callable[[Mapping[str, object]], Any]:
    """Return what takes the values for *names* out of a mapping: one is bare."""
    if names:
        return itemgetter(*names)
    return lambda params: ()  # noqa: ARG005 - it takes what the others take


def _listed(names: Iterable[object]) -> str:
    return ", ".join(
        f":{name}" if isinstance(name, str) and name.isidentifier() else repr(name)
        for name in names
    )


def _check_count(count: int, dialect: Dialect) -> None:
    if count > dialect.max_parameters:
        raise ParameterError(
            f"{count} values in one statement; the engine takes at most "
            f"{dialect.max_parameters}",
            hint="run it for parts of the list, or pass one core.Json and unpack it in "
            "the SQL",
        )


def translate(sql: str, dialect: Dialect) -> Statement:
    """Turn a user's SQL into a statement of the engine.

    Outside of its placeholders the text is kept as it is.

    Raises:
        StatementNotAllowedError: There is no statement or more than one, or it would
            change the connection that others borrow next.
        ParameterError: A placeholder is not ``:name``, or there are too many.
    """
    _check_text(sql)
    pieces: list[str] = []
    names: list[str] = []
    words: list[str] = []
    # Where each word begins in its piece; where each placeholder stands among them.
    starts: list[int] = []
    places: list[int] = []
    piece = ""
    for kind, text in tokens(sql, dialect):
        if kind != "gap":
            words.append(text.upper() if kind == "word" else text)
            starts.append(len(piece))
        if kind == "param":
            pieces.append(piece)
            piece = ""
            names.append(text[1:])
            places.append(len(words) - 1)
        else:
            piece += text.replace("%", "%%") if dialect.placeholder == "%s" else text
    pieces.append(piece)
    _check_count(len(names), dialect)
    return Statement(
        sql,
        dialect=dialect,
        verb=allowed_verb(words, dialect),
        pieces=pieces,
        names=names,
        lists=[
            _list_place(words, starts, place, len(piece))
            for place, piece in zip(places, pieces, strict=False)
        ],
    )


def _check_text(sql: str) -> None:
    if "\x00" in sql or not is_unicode(sql):
        raise StatementNotAllowedError(
            "the text of the statement holds a NUL character or a lone surrogate",
            hint="pass such data as a parameter of type bytes",
        )


def _list_place(
    words: Sequence[str], starts: Sequence[int], place: int, width: int
) -> ListPlace | None:
    """Return how a list is written at a placeholder: after IN, and nowhere else.

    Args:
        words: The statement's tokens without gaps, words upper-cased.
        starts: Where each begins in its piece.
        place: Which of them the placeholder is.
        width: The length of the piece before it.
    """
    first, after = place - 1, 0
    in_parentheses = list(words[max(place - 2, 0) : place]) == ["IN", "("]
    if in_parentheses:
        if list(words[place + 1 : place + 2]) != [")"]:
            return None
        first, after = place - 2, starts[place + 1] + 1
    elif place < 1 or words[first] != "IN":
        return None
    negated = first > 0 and words[first - 1] == "NOT"
    return ListPlace(
        in_parentheses=in_parentheses,
        negated=negated,
        before=width - starts[first - negated],
        after=after,
    )
