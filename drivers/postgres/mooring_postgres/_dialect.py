"""PostgreSQL's SQL for the translator of core."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from mooring.core import Dialect, Json, Statement
from mooring.core import translate as translate_for

# What stays on the connection when the statement is done (PostgreSQL, part VI, chapter
# I, "SQL Commands").
_LASTING: Final = {
    "DEALLOCATE": "the driver prepares statements by itself",
    "DECLARE": "use snapshot.stream(), which reads through a cursor",
    "EXECUTE": "the driver prepares statements by itself",
    "LISTEN": "use a connection of your own to listen",
    "LOAD": "set session_preload_libraries for the role",
    "PREPARE": "the driver prepares statements by itself",
    "UNLISTEN": "use a connection of your own to listen",
}
# Locks of the session (PostgreSQL, chapter 9, "Advisory Lock Functions").
_SESSION_LOCKS: Final = frozenset(
    {
        "PG_ADVISORY_LOCK",
        "PG_ADVISORY_LOCK_SHARED",
        "PG_TRY_ADVISORY_LOCK",
        "PG_TRY_ADVISORY_LOCK_SHARED",
    }
)
# SET LOCAL of these would make a snapshot see several states, or write.
_SNAPSHOT: Final = frozenset(
    {"TRANSACTION", "TRANSACTION_ISOLATION", "TRANSACTION_READ_ONLY"}
)
_TRUE: Final = frozenset({"TRUE", "T", "ON", "YES", "1"})


def utc(value: datetime) -> datetime:
    """Return an aware time in UTC: one type and one text, whatever its zone was."""
    return value.astimezone(UTC)


def _refuse(words: Sequence[str]) -> str | None:
    """Refuse what would be found by whoever borrows the connection next."""
    if words[0] in _LASTING:
        return f"{words[0]} would stay on a shared connection: {_LASTING[words[0]]}"
    if words[0] == "COPY" and not {"STDIN", "STDOUT"}.isdisjoint(words):
        return "COPY through the client is not a statement that returns rows"
    if words[:2] == ["SET", "LOCAL"] and not _SNAPSHOT.isdisjoint(words[2:3]):
        return (
            "how a transaction begins is said by store.read(), transaction() and run()"
        )
    for place, word in enumerate(words[:-1]):
        if word == "PG_TEMP" and words[place + 1] == ".":
            return "a temporary object would stay on a shared connection"
        if word == "UPDATE" and "PG_SETTINGS" in words[place + 1 : place + 5]:
            return "pg_settings would change a shared connection: use SET LOCAL"
        if words[place + 1] != "(":
            continue
        if word in _SESSION_LOCKS:
            return (
                f"{word.lower()} would lock for a shared connection:"
                " use pg_advisory_xact_lock in a transaction"
            )
        if word == "SET_CONFIG" and _last_argument(words[place + 1 :]) not in _TRUE:
            return (
                "set_config would change a shared connection: give it true as its"
                " third argument, in a transaction"
            )
    return None


def _last_argument(words: Sequence[str]) -> str:
    """Return the last argument of the parenthesis that the first word opens.

    "" if it is more than one word: what comes of that is not known.
    """
    depth = 0
    for place, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if not depth:
            return words[place - 1] if words[place - 2] == "," else ""
    return ""


DIALECT: Final = Dialect(
    placeholder="%s",
    nested_comments=True,
    dollar_quotes=True,
    escape_strings=True,
    bracket_identifiers=False,
    backtick_identifiers=False,
    array_slices=True,
    # PostgreSQL has no IN (); '{}' is an empty array of whatever type fits. Written
    # so, the operator binds its operands as IN does: "flag = x IN (...)" stays valid.
    in_nothing="OPERATOR(=) ANY('{}')",
    not_in_nothing="OPERATOR(<>) ALL('{}')",
    max_parameters=65_535,  # counted in 16 bits by the protocol's Bind message
    adapters={datetime: utc, Json: Json.dumps},
    refuse=_refuse,
)


@lru_cache(maxsize=1024)
def translate(sql: str) -> Statement:
    """Return the statement for a text, from the cache if it was seen before."""
    return translate_for(sql, DIALECT)
