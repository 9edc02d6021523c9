"""DuckDB's SQL for the translator of core."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from mooring.core import Dialect, Json, Statement
from mooring.core import translate as translate_for

# PRAGMAs that only read (duckdb.org/docs/stable/configuration/pragmas).
_HARMLESS_PRAGMAS: Final = frozenset(
    {
        "COLLATIONS",
        "DATABASE_LIST",
        "DATABASE_SIZE",
        "EXTENSION_VERSIONS",
        "FUNCTIONS",
        "METADATA_INFO",
        "PLATFORM",
        "SHOW",
        "SHOW_DATABASES",
        "SHOW_TABLES",
        "SHOW_TABLES_EXPANDED",
        "STORAGE_INFO",
        "TABLE_INFO",
        "USER_AGENT",
        "VERSION",
    }
)
# What stays on the connection, or on the engine that all of them share.
_LASTING: Final = {
    "DEALLOCATE": "pass values as parameters",
    "EXECUTE": "pass values as parameters",
    "FORCE": "it ends the transactions of others",
    "IMPORT": "run the files that EXPORT DATABASE wrote as migrations",
    "INSTALL": "install extensions when the application is",
    "LOAD": "name the extension's function or file type, which loads it",
    "PREPARE": "pass values as parameters",
    "USE": "write the schema before the name of the table",
}
# Functions that switch something.
_SWITCHES: Final = frozenset(
    {
        "DISABLE_LOGGING",
        "DISABLE_PROFILING",
        "ENABLE_LOGGING",
        "ENABLE_PROFILING",
        "FORCE_CHECKPOINT",
        "SETSEED",
    }
)


def utc(value: datetime) -> datetime:
    """Return an aware time in UTC, which not every time at the calendar's ends has."""
    return value.astimezone(UTC)


def _refuse(words: Sequence[str]) -> str | None:
    """Refuse what would be found by whoever borrows the connection next."""
    first, *rest = words
    if first in _LASTING:
        return f"{first} would outlive its caller: {_LASTING[first]}"
    if [first, *rest[:1]] == ["SET", "LOCAL"]:
        return "DuckDB has no SET LOCAL: set it in the store's configuration"
    if first == "PRAGMA" and (not rest or rest[0] not in _HARMLESS_PRAGMAS):
        return f"PRAGMA {' '.join(rest[:1]).lower()} would change a shared engine"
    for word, following in zip(words, rest, strict=False):
        if word in _SWITCHES and following == "(":
            return f"{word.lower()} would change a shared engine"
    return None


DIALECT: Final = Dialect(
    placeholder="?",
    nested_comments=True,
    dollar_quotes=True,
    escape_strings=True,
    bracket_identifiers=False,
    backtick_identifiers=True,
    array_slices=True,
    # DuckDB takes IN (), but answers NULL for a NULL.
    in_nothing="IN (SELECT NULL WHERE false)",
    not_in_nothing="NOT IN (SELECT NULL WHERE false)",
    # It has no limit, but takes seconds to plan so many.
    max_parameters=65_535,
    adapters={datetime: utc, Json: Json.dumps},
    refuse=_refuse,
)


@lru_cache(maxsize=1024)
def translate(sql: str) -> Statement:
    """Return the statement for a text, from the cache if it was seen before."""
    return translate_for(sql, DIALECT)
