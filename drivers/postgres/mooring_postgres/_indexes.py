"""Indexes that a concurrent build left behind: there, but INVALID."""

import re
from typing import Final

from mooring_postgres._session import PostgresSession

# Neither one that is being built now, nor that of a partitioned table (kind "I"), which
# is made INVALID on purpose until those of its partitions are attached.
_INVALID: Final = """
SELECT c.relname, n.nspname, pg_catalog.pg_table_is_visible(c.oid),
    c.oid::regclass::text
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND c.relkind = 'i'
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid AND i.indexrelid NOT IN (
    SELECT index_relid FROM pg_catalog.pg_stat_progress_create_index
)
ORDER BY c.relname
"""


def invalid_indexes(session: PostgresSession, text: str | None = None) -> list[str]:
    """Return the INVALID indexes, or those that *text* names, as SQL writes them.

    One in a schema that is not searched is meant only where its schema is named too.
    """
    found = session.query(_INVALID)
    if text is None:
        return [written for _, _, _, written in found]
    return [
        written
        for name, schema, visible, written in found
        # A failed REINDEX CONCURRENTLY leaves a new one beside the old.
        if _names(text, re.sub(r"_ccnew\d*$", "", name))
        and (visible or _names(text, schema))
    ]


def _names(text: str, name: str) -> bool:
    """Return whether an identifier stands in a text, quoted or not."""
    written = re.escape(name.replace('"', '""'))
    return bool(re.search(rf"(?<!\w){written}(?!\w)", text, re.IGNORECASE))
