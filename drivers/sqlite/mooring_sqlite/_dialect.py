"""SQLite's SQL for the translator of core."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from mooring.core import Dialect, Json, Statement
from mooring.core import translate as translate_for

# PRAGMAs that take an argument and only read, or leave nothing on the connection
# (sqlite.org/pragma.html).
_HARMLESS_PRAGMAS: Final = frozenset(
    {
        "FOREIGN_KEY_CHECK",
        "FOREIGN_KEY_LIST",
        "INCREMENTAL_VACUUM",
        "INDEX_INFO",
        "INDEX_LIST",
        "INDEX_XINFO",
        "INTEGRITY_CHECK",
        "OPTIMIZE",
        "QUICK_CHECK",
        "TABLE_INFO",
        "TABLE_LIST",
        "TABLE_XINFO",
        "WAL_CHECKPOINT",
    }
)


def utc_text(value: datetime) -> str:
    """Return an aware time as UTC text of fixed width, which sorts as time does.

    It begins like ``datetime('now')``, the schemas' default, so that both sort
    together: ``2025-07-11 16:38:58.000000``.
    """
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")


def _refuse(words: Sequence[str]) -> str | None:
    """Refuse PRAGMAs that set something: it would outlive its caller."""
    rest = list(words)
    if rest[0] == "EXPLAIN":  # SQLite runs an explained PRAGMA nevertheless
        rest = rest[3:] if rest[1:3] == ["QUERY", "PLAN"] else rest[1:]
    if not rest or rest[0] != "PRAGMA":
        return None
    # PRAGMA [schema.]name [= value | (value)]
    rest = rest[1:]
    if rest[1:2] == ["."]:
        rest = rest[2:]
    sets = len(rest) > 1 and rest[1] in ("=", "(")
    if sets and rest[0] not in _HARMLESS_PRAGMAS:
        return f"PRAGMA {rest[0].lower()} would change a shared connection"
    return None


DIALECT: Final = Dialect(
    placeholder="?",
    nested_comments=False,
    dollar_quotes=False,
    escape_strings=False,
    bracket_identifiers=True,
    backtick_identifiers=True,
    array_slices=False,
    in_nothing="IN ()",  # SQLite takes that: sqlite.org/lang_expr.html, section 8
    not_in_nothing="NOT IN ()",
    max_parameters=32_766,  # SQLITE_MAX_VARIABLE_NUMBER since 3.32
    adapters={datetime: utc_text, Json: Json.dumps},
    refuse=_refuse,
)


@lru_cache(maxsize=1024)
def translate(sql: str) -> Statement:
    """Return the statement for a text, from the cache if it was seen before."""
    return translate_for(sql, DIALECT)
