"""The version table, in goose's shape, and our own table beside it."""

from typing import Final

from mooring.core import AppliedRow, StatementError, StoreError

from mooring_duckdb._session import DuckdbSession

# What goose's table has no column for. One for all sources of a database.
SIDE_TABLE: Final = "mooring_migrations"

# As goose makes it elsewhere; it has no DuckDB dialect itself. The times are UTC.
CREATE: Final = """
CREATE SEQUENCE IF NOT EXISTS {table}_id;
CREATE TABLE {table} (
    id BIGINT PRIMARY KEY DEFAULT nextval('{table}_id'),
    version_id BIGINT NOT NULL,
    is_applied BOOLEAN NOT NULL,
    tstamp TIMESTAMP NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);
INSERT INTO {table} (version_id, is_applied) VALUES (0, true)
"""
CREATE_SIDE: Final = f"""
CREATE TABLE {SIDE_TABLE} (
    version_table TEXT NOT NULL,
    version_id BIGINT NOT NULL,
    digest TEXT NOT NULL,
    seconds DOUBLE NOT NULL,
    PRIMARY KEY (version_table, version_id)
)
"""


def tables_present(session: DuckdbSession, table: str) -> set[str]:
    """Return which of the two tables there are, in lower case as names are compared.

    Raises:
        StoreError: Something else has the version table's name.
    """
    found = session.query(
        "SELECT lower(table_name), table_type FROM information_schema.tables"
        " WHERE table_catalog = current_database() AND table_schema = current_schema()"
        " AND lower(table_name) IN (?, ?)",
        (table.lower(), SIDE_TABLE),
    )
    for name, kind in found:
        if kind != "BASE TABLE":
            raise StoreError(
                f"{name} is a {kind.lower()}, not the table of applied migrations",
                hint="rename it, or give the migrations another version table",
            )
    return {name for name, _ in found}


def read_versions(session: DuckdbSession, table: str) -> list[AppliedRow] | None:
    """Return the applied versions, ascending, None if there is no version table.

    Versions that stand twice count once, with the newest row.
    """
    present = tables_present(session, table)
    if table.lower() not in present:
        return None
    digest, seconds, join = "NULL", "NULL", ""
    if SIDE_TABLE in present:
        digest, seconds = "s.digest", "s.seconds"
        join = (
            f"LEFT JOIN {SIDE_TABLE} AS s"
            f" ON s.version_table = '{table}' AND s.version_id = v.version_id"
        )
    try:
        rows = session.query(
            "SELECT v.version_id, strftime(v.tstamp, '%Y-%m-%dT%H:%M:%SZ'),"
            f" {digest}, {seconds} FROM {table} AS v {join}"
            " WHERE v.version_id > 0 ORDER BY v.version_id, v.id"
        )
    except StatementError as cause:
        raise StoreError(
            f"{table} is not a table of applied migrations: {cause.message}",
            hint="rename it, or give the migrations another version table",
        ) from cause
    newest = {version: rest for version, *rest in rows}
    return [
        AppliedRow(version, tstamp or "", digest, seconds)
        for version, (tstamp, digest, seconds) in newest.items()
    ]
