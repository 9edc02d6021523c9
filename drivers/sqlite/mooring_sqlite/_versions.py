"""The version table, as goose makes it on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mooring.core import StoreError, VersionTables


class SqliteVersions(VersionTables):
    """The version table of a SQLite database, and our own beside it."""

    # goose v3, dialect sqlite3: row 0 says that the table was made on purpose.
    create: ClassVar[str] = """
CREATE TABLE {table} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL,
    is_applied INTEGER NOT NULL,
    tstamp TIMESTAMP DEFAULT (datetime('now'))
)
"""
    true: ClassVar[str] = "1"
    now: ClassVar[str] = "datetime('now')"
    replace: ClassVar[str] = "INSERT OR REPLACE"
    # One page to write for each version, not two.
    storage: ClassVar[str] = " WITHOUT ROWID"

    def kinds(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return what each of *names* is, as SQLite's schema table has it."""
        if self.schema not in ("", "main"):
            raise StoreError(
                f"version table {self.schema}.{self.name}: a SQLite database has one"
                " schema, main",
                hint="leave the schema out",
            )
        places = ", ".join("?" * len(names))
        return dict(
            self._session.query(
                "SELECT lower(name), type FROM sqlite_master"
                f" WHERE lower(name) IN ({places})",
                names,
            )
        )
