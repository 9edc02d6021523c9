"""Whether transactions may share one COMMIT, which the schema decides.

What one transaction does must not undo another one's. A deferred foreign key is looked
at by COMMIT only, when nobody knows whose it was (sqlite.org/foreignkeys.html,
section 4.2); ROLLBACK as a conflict clause or in a trigger ends the whole transaction
(sqlite.org/lang_conflict.html).
"""

import re
import sqlite3
from typing import Final

_REASONS: Final = {
    r"DEFERRABLE\s+INITIALLY\s+DEFERRED": "has a deferred foreign key",
    r"RAISE\s*\(\s*ROLLBACK": "raises ROLLBACK",
    r"ON\s+CONFLICT\s+ROLLBACK": "rolls back on conflict",
}


def why_alone(connection: sqlite3.Connection) -> str:
    """Return why transactions of this schema do not share a COMMIT; "" if they may."""
    schema = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    ).fetchall()
    for kind, name, sql in schema:
        for pattern, reason in _REASONS.items():
            # In a comment or a string it counts too: to share less is never wrong.
            if re.search(pattern, sql, re.IGNORECASE):
                return f"{kind} {name} {reason}"
    return ""
