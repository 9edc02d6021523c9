"""Reading all of the database: is it whole, and do its references lead somewhere?"""

import sqlite3
from collections.abc import Iterator
from typing import Final

from mooring.core import Check, CheckProgress

# Enough to see what kind of damage it is.
_MOST: Final = 10


def integrity_checks(
    connection: sqlite3.Connection, progress: CheckProgress
) -> Iterator[Check]:
    """Yield both checks; what is read is one snapshot for each."""
    yield _integrity(connection, progress)
    yield _references(connection, progress)


def _integrity(connection: sqlite3.Connection, progress: CheckProgress) -> Check:
    progress("integrity", 0, 1)
    found = [
        str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST})")
    ]
    progress("integrity", 1, 1)
    if found == ["ok"]:
        return Check(name="integrity", status="ok", detail="every page and index")
    return Check(
        name="integrity",
        status="failed",
        detail="; ".join(found),
        fix="stop what writes, keep a copy of all files, and restore a backup; if only"
        " an index is named, REINDEX rebuilds it",
    )


def _references(connection: sqlite3.Connection, progress: CheckProgress) -> Check:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    tables = [str(row[0]) for row in connection.execute(query)]
    broken = []
    for done, table in enumerate(tables):
        progress("references", done, len(tables))
        quoted = table.replace('"', '""')
        check = connection.execute(f'PRAGMA foreign_key_check("{quoted}")')
        count = sum(1 for _ in check)
        if count:
            broken.append(f"{count} in {table}")
    progress("references", len(tables), len(tables))
    if not broken:
        return Check(
            name="references", status="ok", detail=f"every row of {len(tables)} tables"
        )
    return Check(
        name="references",
        status="failed",
        detail=f"rows that refer to none: {', '.join(broken)}",
        fix="PRAGMA foreign_key_check names the rows; delete them, or add what they"
        " refer to",
    )
