"""What an engine's SQL looks like, and which statements no engine is given."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile, pairwise, takewhile
from typing import Any

from mooring.core.errors import StatementNotAllowedError

DML = frozenset({"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"})
_MAIN = DML | {"SELECT", "VALUES"}

TRANSACTION = (  # what to do instead of BEGIN and COMMIT
    "use `with store.transaction() as tx:`, which commits on leaving the block and "
    "rolls back on an exception"
)
_SAVEPOINT = "use `with tx.savepoint():`, which rolls back on an exception"
_SETTING = (
    "set it in the store's configuration, or with SET LOCAL in store.transaction()"
)
_SECOND_STORE = "open a second store for the other database"
_CONTROL = {
    "BEGIN": TRANSACTION,
    "START": TRANSACTION,
    "COMMIT": TRANSACTION,
    "END": TRANSACTION,
    "ROLLBACK": TRANSACTION,
    "ABORT": TRANSACTION,
    "PREPARE TRANSACTION": TRANSACTION,
    "ROLLBACK TO": _SAVEPOINT,
    "SAVEPOINT": _SAVEPOINT,
    "RELEASE": _SAVEPOINT,
    "SET": _SETTING,
    "RESET": _SETTING,
    "DISCARD": _SETTING,
    "ATTACH": _SECOND_STORE,
    "DETACH": _SECOND_STORE,
}
_TEMPORARY = ("TEMP", "TEMPORARY")
_MODIFIERS = frozenset(
    {"ALTER", "CONSTRAINT", "GLOBAL", "LOCAL", "MATERIALIZED", "OR", "RECURSIVE"}
    | {"REPLACE", "TEMP", "TEMPORARY", "UNIQUE", "UNLOGGED", "VIRTUAL"}
)
_ROUTINES = (["TRIGGER"], ["FUNCTION"], ["PROCEDURE"])
_EXPLAINED = frozenset({"CREATE", "SELECT", "WITH"})


# Written out: every start makes this class, and a named tuple of as many fields takes
# ten times as long.
class Dialect:
    """Describe an engine's SQL to the translator; a driver makes one and keeps it.

    Attributes:
        placeholder: What stands for a value in the engine's text, "?" or "%s". With
            "%s" every other % is doubled, so values must be passed even if empty.
        nested_comments: A block comment may hold block comments.
        dollar_quotes: ``$tag$...$tag$`` is a string.
        escape_strings: ``E'...'`` is a string with backslash escapes.
        bracket_identifiers: ``[x]`` is an identifier.
        backtick_identifiers: A name between backticks is an identifier.
        array_slices: A colon after an operand, directly inside ``[]`` or ``{}``,
            separates two values: ``a[lo:hi]``.
        in_nothing: What stands for ``IN (...)`` of an empty ``core.In``, so that
            ``x IN (...)`` is false, for x of any type.
        not_in_nothing: What stands for ``NOT IN (...)``, so that it is true.
        max_parameters: How many values one statement can take.
        adapters: Makes the engine's value of an aware ``datetime.datetime`` and of a
            ``core.Json``; holds both.
        refuse: Says why a statement of this engine is not allowed, or None. It is
            given the tokens of the statement from its first word on, comments left
            out: words upper-cased, quoted names and strings too but without their
            quotes, everything else as written (``("PRAGMA", "CACHE_SIZE", "=", "5")``).
    """

    __slots__ = (
        "adapters",
        "array_slices",
        "backtick_identifiers",
        "bracket_identifiers",
        "dollar_quotes",
        "escape_strings",
        "in_nothing",
        "max_parameters",
        "nested_comments",
        "not_in_nothing",
        "placeholder",
        "refuse",
    )

    def __init__(
        self,
        *,
        placeholder: str,
        nested_comments: bool,
        dollar_quotes: bool,
        escape_strings: bool,
        bracket_identifiers: bool,
        backtick_identifiers: bool,
        array_slices: bool,
        in_nothing: str,
        not_in_nothing: str,
        max_parameters: int,
        adapters: Mapping[type, Callable[[Any], object]],
        refuse: Callable[[Sequence[str]], str | None],
    ) -> None:
        self.placeholder = placeholder
        self.nested_comments = nested_comments
        self.dollar_quotes = dollar_quotes
        self.escape_strings = escape_strings
        self.bracket_identifiers = bracket_identifiers
        self.backtick_identifiers = backtick_identifiers
        self.array_slices = array_slices
        self.in_nothing = in_nothing
        self.not_in_nothing = not_in_nothing
        self.max_parameters = max_parameters
        self.adapters = adapters
        self.refuse = refuse

    def replace(self, **changes: Any) -> "Dialect":
        """Return another one in which these attributes differ."""
        same = {name: getattr(self, name) for name in self.__slots__}
        return Dialect(**same | changes)


def allowed_verb(words: Sequence[str], dialect: Dialect) -> str:
    """Return the main keyword of a statement that may run on a lent connection.

    ``words`` are its tokens without gaps, words upper-cased. The keyword is "" where
    the text does not begin with one.

    Raises:
        StatementNotAllowedError: There is no statement or more than one, or it would
            change the connection that others borrow next.
    """
    words = list(dropwhile("(".__eq__, words))
    if not words or words[0] == ";":
        raise StatementNotAllowedError(
            "the text does not begin with a statement", hint="write one SQL statement"
        )
    verb = _verb(words)
    _refuse_control(verb, words)
    if reason := dialect.refuse([_plain(word) for word in words]):
        raise StatementNotAllowedError(reason)
    if ";" in words[:-1] and not _is_routine(words):
        raise StatementNotAllowedError(
            "more than one statement in the text",
            hint="call execute() once for each, in one store.transaction()",
        )
    return verb


def _verb(words: Sequence[str]) -> str:
    """Find the main keyword; a WITH list stands before it."""
    if words[0] != "WITH":
        return words[0] if words[0].isidentifier() else ""
    for before, word in pairwise(_outer(words)):
        # A common table expression may have any of these names.
        if word in _MAIN and before not in ("WITH", "RECURSIVE", ","):
            return word
    return "WITH"


def _outer(words: Iterable[str]) -> Iterator[str]:
    """Yield what stands outside of parentheses."""
    depth = 0
    for word in words:
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
        elif depth <= 0:
            yield word


def _plain(word: str) -> str:
    """Take the quotes off a name."""
    return word[1:-1].upper() if word[0] in "\"'`[" and len(word) > 1 else word


def _refuse_control(verb: str, words: Sequence[str]) -> None:
    two = " ".join(words[:2])
    if two == "SET LOCAL":
        return
    command = two if two in _CONTROL else verb
    if command in _CONTROL:
        raise StatementNotAllowedError(
            f"{command} would change the connection that others borrow next",
            hint=_CONTROL[command],
        )
    if verb == "EXPLAIN":
        # With ANALYZE, what it explains is also done.
        words = list(dropwhile(lambda word: word not in _EXPLAINED, words))
    if words and (_selects_into_temporary(words) or _names_temporary(words)):
        raise StatementNotAllowedError(
            "a temporary table would stay on the connection that others borrow next",
            hint="use WITH for an intermediate result, or an ordinary table",
        )


def _selects_into_temporary(words: Sequence[str]) -> bool:
    if "INTO" not in words or _verb(words) != "SELECT":
        return False
    outer = [word for word in _outer(words) if word not in ("LOCAL", "GLOBAL")]
    return any(
        word == "INTO" and following in _TEMPORARY
        for word, following in pairwise(outer)
    )


def _names_temporary(words: Sequence[str]) -> bool:
    if words[0] not in ("CREATE", "ALTER", "DROP"):
        return False
    modifiers, rest = _object(words)
    if not modifiers.isdisjoint(_TEMPORARY):
        return True
    name = [word for word in rest[1:6] if word not in ("IF", "NOT", "EXISTS")]
    return [_plain(word) for word in name[:2]] == ["TEMP", "."]


def _is_routine(words: Sequence[str]) -> bool:
    """Tell if the body of what is created may hold semicolons."""
    _, rest = _object(words)
    return words[0] == "CREATE" and rest[:1] in _ROUTINES


def _object(words: Sequence[str]) -> tuple[frozenset[str], Sequence[str]]:
    """Split the words after CREATE into modifiers and those from the kind on."""
    modifiers = list(takewhile(_MODIFIERS.__contains__, words[1:]))
    return frozenset(modifiers), words[1 + len(modifiers) :]
