"""The version table, in goose's shape: goose itself has no dialect for DuckDB."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mooring.core import VersionTables


class DuckdbVersions(VersionTables):
    """The version table of a DuckDB database, and mooring's own beside it."""

    create: ClassVar[str] = """
CREATE SEQUENCE IF NOT EXISTS {table}_id;
CREATE TABLE {table} (
    id BIGINT PRIMARY KEY DEFAULT nextval('{table}_id'),
    version_id BIGINT NOT NULL,
    is_applied BOOLEAN NOT NULL,
    tstamp TIMESTAMP NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
)
"""
    now: ClassVar[str] = "now() AT TIME ZONE 'UTC'"

    def kinds(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return what each of *names* is in the schema, by default the current one."""
        schema = (self.schema,) if self.schema else ()
        places = ", ".join("?" * len(names))
        found = self._session.query(
            "SELECT lower(table_name), lower(table_type)"
            " FROM information_schema.tables"
            " WHERE table_catalog = current_database()"
            f" AND lower(table_schema) = {'?' if schema else 'lower(current_schema())'}"
            f" AND lower(table_name) IN ({places})",
            (*schema, *names),
        )
        return {name: "table" if kind == "base table" else kind for name, kind in found}
