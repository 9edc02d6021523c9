"""The version table, as goose makes it, and our own table beside it."""

from typing import Final

from mooring.core import AppliedRow, StatementError, StoreError

from mooring_sqlite._session import SqliteSession

# What goose's table has no column for. One for all sources of a database.
SIDE_TABLE: Final = "mooring_migrations"

# goose v3, dialect sqlite3: row 0 says that the table was made on purpose.
CREATE: Final = """
CREATE TABLE {table} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL,
    is_applied INTEGER NOT NULL,
    tstamp TIMESTAMP DEFAULT (datetime('now'))
)
"""
CREATE_SIDE: Final = f"""
CREATE TABLE IF NOT EXISTS {SIDE_TABLE} (
    version_table TEXT NOT NULL,
    version_id INTEGER NOT NULL,
    digest TEXT NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (version_table, version_id)
) WITHOUT ROWID
"""


def tables_present(session: SqliteSession, table: str) -> set[str]:
    """Return which of the two tables there are.

    Raises:
        StoreError: Something else has the version table's name.
    """
    found = session.query(
        "SELECT name, type FROM sqlite_master WHERE name IN (?, ?)",
        (table, SIDE_TABLE),
    )
    for name, kind in found:
        if kind != "table":
            raise StoreError(
                f"{name} is a {kind}, not the table of applied migrations",
                hint="rename it, or give the migrations another version table",
            )
    return {name for name, _ in found}


def read_versions(session: SqliteSession, table: str) -> list[AppliedRow] | None:
    """Return the applied versions, ascending, None if there is no version table.

    Versions that stand twice (goose without a lock) count once, with the newest row.
    """
    present = tables_present(session, table)
    if table not in present:
        return None
    side = (
        f"LEFT JOIN {SIDE_TABLE} AS s"
        f" ON s.version_table = '{table}' AND s.version_id = v.version_id"
        if SIDE_TABLE in present
        else "LEFT JOIN (SELECT NULL AS digest, NULL AS seconds) AS s ON 0"
    )
    try:
        rows = session.query(
            "SELECT v.version_id, v.tstamp, s.digest, s.seconds"
            f" FROM {table} AS v {side}"
            " WHERE v.version_id > 0 ORDER BY v.version_id, v.id"
        )
    except StatementError as cause:
        raise StoreError(
            f"{table} is not a table of applied migrations: {cause.message}",
            hint="rename it, or give the migrations another version table",
        ) from cause
    if not all(type(version) is int for version, *_ in rows):
        raise StoreError(
            f"{table} holds versions that are no integers",
            hint="correct its rows, or give the migrations another version table",
        )
    newest = {version: rest for version, *rest in rows}
    return [
        AppliedRow(version, _iso(tstamp), digest, seconds)
        for version, (tstamp, digest, seconds) in newest.items()
    ]


def _iso(tstamp: object) -> str:
    """Return SQLite's "2025-07-11 16:38:58" in UTC as ISO 8601."""
    return f"{tstamp}Z".replace(" ", "T", 1) if tstamp else ""
