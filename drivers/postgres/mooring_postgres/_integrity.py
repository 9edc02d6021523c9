"""Reading all of the data: do its references lead somewhere, do its pages add up?

What the server checks by itself is not done again: every page at each read, where the
cluster has checksums, and every reference at each write, unless that was switched off
(``NOT VALID``, ``session_replication_role``, ``DISABLE TRIGGER ALL``).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from mooring.core import Check, CheckProgress
from psycopg.sql import SQL, Identifier

if TYPE_CHECKING:
    from mooring_postgres._health import Look
    from mooring_postgres._session import PostgresSession

_CHECKSUMS: Final = """
SELECT current_setting('data_checksums'), coalesce(checksum_failures, 0)
FROM pg_catalog.pg_stat_database WHERE datname = current_database()
"""
_REFERENCES: Final = """
SELECT f.conname, n.nspname, c.relname, rn.nspname, r.relname,
    (SELECT array_agg(a.attname ORDER BY k.i)
        FROM unnest(f.conkey) WITH ORDINALITY AS k(n, i)
        JOIN pg_catalog.pg_attribute AS a ON (a.attrelid, a.attnum) = (c.oid, k.n)),
    (SELECT array_agg(a.attname ORDER BY k.i)
        FROM unnest(f.confkey) WITH ORDINALITY AS k(n, i)
        JOIN pg_catalog.pg_attribute AS a ON (a.attrelid, a.attnum) = (r.oid, k.n))
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS r ON r.oid = f.confrelid
JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confmatchtype = 's'
    AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY c.relname, f.conname
"""


def integrity_checks(progress: CheckProgress) -> "list[tuple[str, Look]]":
    """Return the checks, each with its name."""
    return [
        ("integrity", _integrity),
        ("references", lambda session: _references(session, progress)),
    ]


def _integrity(session: "PostgresSession") -> Iterator[Check]:
    checksums, failures = session.query(_CHECKSUMS)[0]
    if failures:
        yield Check(
            name="integrity",
            status="failed",
            detail=f"{failures} pages were read whose checksum is wrong",
            fix="look into the server's log, fail over or restore a backup; then"
            " pg_amcheck and pg_checksums",
        )
    elif checksums != "on":
        yield Check(
            name="integrity",
            status="warning",
            detail="the cluster has no checksums: damage of the disk is not noticed",
            fix="stop the server and run pg_checksums --enable; pg_amcheck looks at"
            " indexes",
        )
    else:
        yield Check(
            name="integrity",
            status="ok",
            detail="no page with a wrong checksum was read",
        )


def _references(session: "PostgresSession", progress: CheckProgress) -> Iterator[Check]:
    found = session.query(_REFERENCES)
    broken = []
    for done, reference in enumerate(found):
        progress("references", done, len(found))
        count = session.query(_orphans(*reference[1:]))[0][0]
        if count:
            broken.append(f"{count} in {reference[2]} ({reference[0]})")
    progress("references", len(found), len(found))
    if not broken:
        yield Check(
            name="references", status="ok", detail=f"every row of {len(found)} keys"
        )
        return
    yield Check(
        name="references",
        status="failed",
        detail=f"rows that refer to none: {', '.join(broken)}",
        fix="delete the rows, or add what they refer to; then ALTER TABLE ... VALIDATE"
        " CONSTRAINT",
    )


def _orphans(
    schema: str,
    table: str,
    to_schema: str,
    to_table: str,
    columns: list[str],
    to_columns: list[str],
) -> Any:
    """Return the query that counts rows which refer to none (MATCH SIMPLE)."""
    here = [SQL("c.{}").format(Identifier(name)) for name in columns]
    there = [SQL("p.{}").format(Identifier(name)) for name in to_columns]
    return (
        SQL(
            "SELECT count(*) FROM {} AS c WHERE {} AND NOT EXISTS"
            " (SELECT FROM {} AS p WHERE {})"
        )
        .format(
            Identifier(schema, table),
            SQL(" AND ").join(SQL("{} IS NOT NULL").format(one) for one in here),
            Identifier(to_schema, to_table),
            SQL(" AND ").join(
                SQL("{} = {}").format(*pair) for pair in zip(there, here, strict=True)
            ),
        )
        .as_string(None)
    )
