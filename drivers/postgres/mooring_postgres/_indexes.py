"""Indexes that a concurrent build left behind: there, but INVALID."""

import re
from typing import Final

from mooring_postgres._session import PostgresSession

_INVALID: Final = """
SELECT c.relname FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND i.indexrelid NOT IN (
    SELECT index_relid FROM pg_catalog.pg_stat_progress_create_index
)
ORDER BY c.relname
"""


def invalid_indexes(session: PostgresSession, text: str) -> list[str]:
    """Return the INVALID indexes whose names stand in *text*.

    One that is being built by somebody else is not among them.
    """
    words = set(re.findall(r"\w+", text.lower()))
    found = [name for (name,) in session.query(_INVALID)]
    # A failed REINDEX CONCURRENTLY leaves a new one beside the old.
    return [name for name in found if re.sub(r"_ccnew\d*$", "", name).lower() in words]
