"""Deep checks of what the roles may do: that which works, and that which migrates."""

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Final

from mooring.core import Check, StoreError

from mooring_postgres._connection import LEAST

if TYPE_CHECKING:
    from mooring_postgres._health import Look
    from mooring_postgres._session import PostgresSession
    from mooring_postgres._store import PostgresStore

_ROLE: Final = """
SELECT current_user, rolsuper, current_schema(), CASE WHEN current_schema() IS NOT NULL
    THEN pg_catalog.has_schema_privilege(current_schema(), 'CREATE') END
FROM pg_catalog.pg_roles WHERE rolname = current_user
"""
# Tables of the schema where it makes tables, and which of them it may not use.
_TABLES: Final = """
SELECT c.relname,
    pg_catalog.has_table_privilege(c.oid, 'SELECT')
        AND pg_catalog.has_table_privilege(c.oid, 'INSERT')
        AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
        AND pg_catalog.has_table_privilege(c.oid, 'DELETE'),
    pg_catalog.pg_has_role(c.relowner, 'USAGE')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')
ORDER BY c.relname
"""
_SHOWN: Final = 5
_NO_SCHEMA: Final = (
    "make the first schema of search_path and grant USAGE, or set schema"
)


def privilege_checks(
    store: "PostgresStore", *, deadline: float
) -> "list[tuple[str, Look]]":
    """Return the checks, each with its name."""
    return [
        ("privileges", _privileges),
        (
            "migration_privileges",
            lambda session: _migration_privileges(store, session, deadline),
        ),
    ]


def _privileges(session: "PostgresSession") -> Iterator[Check]:
    role, super_, schema, _ = session.query(_ROLE)[0]
    barred = [name for name, usable, _ in session.query(_TABLES) if not usable]
    detail = f"role {role}, schema {schema or 'none'}"
    if schema is None:
        yield Check(
            name="privileges",
            status="failed",
            detail=f"{detail}: it may use none of those in search_path",
            fix=_NO_SCHEMA,
        )
    elif barred:
        yield Check(
            name="privileges",
            status="warning",
            detail=f"{detail}: it may not read and write {_listed(barred)}",
            fix=f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema}"
            f" TO {role}, unless that is meant",
        )
    elif super_:
        yield Check(
            name="privileges",
            status="warning",
            detail=f"{detail}: a superuser, who may do all on the server",
            fix="work as a role that may only use the tables, and let another migrate:"
            " migration_conn_string",
        )
    else:
        yield Check(name="privileges", status="ok", detail=detail)


def _migration_privileges(
    store: "PostgresStore", session: "PostgresSession", deadline: float
) -> Iterator[Check]:
    if not store.config.migration_conn_string:
        yield _may_migrate(store, session)
        return
    try:
        other = store.session(
            timeout=max(deadline - monotonic(), LEAST), migration=True
        )
    except StoreError as error:
        yield Check(
            name="migration_privileges",
            status="failed",
            detail=error.message,
            fix=error.hint or "correct migration_conn_string",
        )
        return
    try:
        with other.limited(max(deadline - monotonic(), LEAST)):
            yield _may_migrate(store, other)
    finally:
        other.close()


def _may_migrate(store: "PostgresStore", session: "PostgresSession") -> Check:
    role, _, schema, may_create = session.query(_ROLE)[0]
    tables = session.query(_TABLES)
    foreign = [name for name, _, owns in tables if not owns]
    name, detail = "migration_privileges", f"role {role}, schema {schema or 'none'}"
    own = bool(store.config.migration_conn_string)
    if store.config.pooler == "transaction" and not own:
        problem = "no migration can go through a transaction pooler"
        fix = "set migration_conn_string to one that leads to the server itself"
    elif schema is None:
        problem, fix = "it has no schema to make tables in", _NO_SCHEMA
    elif not may_create:
        problem = "it may not make tables"
        fix = f"GRANT CREATE ON SCHEMA {schema} TO {role}"
    elif foreign:
        problem = f"it does not own {_listed(foreign)}, so it may not alter them"
        fix = "migrate as the role that owns the tables: migration_conn_string"
    else:
        return Check(name=name, status="ok", detail=detail)
    if not (store.config.auto_migrate or own):
        note = f"{detail}: {problem}; auto_migrate is off"
        return Check(name=name, status="ok", detail=note)
    return Check(name=name, status="warning", detail=f"{detail}: {problem}", fix=fix)


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
