"""What doctor finds on a PostgreSQL server, each thing made wrong for real."""

import ssl
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from mooring import core
from mooring_postgres import PostgresStore, _health, _server
from mooring_postgres.testing import DatabaseServer, PgBouncer, Proxy

Open = Callable[..., PostgresStore]
MakeRole = Callable[..., dict[str, str]]
Plain = Any  # a psycopg.Connection, whose types take literal strings only

NAME = "db.example.org"


def look(store: core.Store, name: str, **options: Any) -> core.Check:
    """Return what a deep check finds, under its name."""
    health = core.health_check(store, deep=True, timeout=30, **options)
    (found,) = (check for check in health.checks if check.name == name)
    return found


def test_a_server_that_is_well_is_told_in_full(open_postgres: Open) -> None:
    health = core.health_check(open_postgres(), integrity=True, timeout=30)
    found = {check.name: check for check in health.checks}

    assert health.ok, health
    assert f"psycopg {psycopg.__version__}" in found["client"].detail
    assert found["server"].detail.startswith("PostgreSQL ")
    assert found["pooler"].detail == "none in front, pooler is 'none'"
    assert found["server_time_zone"].detail == "UTC"
    assert found["indexes"].detail == "all valid"
    assert found["references"].detail.startswith("every row of ")


def test_the_page_for_operators_has_each_check_and_no_other(
    open_postgres: Open, documented_checks: Callable[[str], set[str]]
) -> None:
    health = core.health_check(open_postgres(), integrity=True, timeout=30)

    assert {check.name for check in health.checks} == documented_checks("On PostgreSQL")


def test_an_invalid_index_is_named_with_what_builds_it_again(
    open_postgres: Open, plain: Plain
) -> None:
    store = open_postgres()
    plain.execute("CREATE TABLE doubled AS SELECT 1 AS x FROM generate_series(1, 2)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        plain.execute("CREATE UNIQUE INDEX CONCURRENTLY doubled_x ON doubled (x)")
    found = look(store, "indexes")

    assert found.status == "warning"
    assert "doubled_x" in found.detail
    assert "REINDEX INDEX CONCURRENTLY" in found.fix


def test_a_transaction_that_is_open_for_long_is_named(
    open_postgres: Open, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_server, "_LONG", -1.0)
    store = open_postgres()
    plain.execute("BEGIN")
    plain.execute("SELECT 1")
    found = look(store, "transactions")
    plain.execute("ROLLBACK")

    assert found.status == "warning"
    assert "pg_terminate_backend(" in found.fix


def test_a_connection_that_is_lent_for_long_names_its_thread(
    open_postgres: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_postgres()
    assert look(store, "pool").status == "ok"
    monkeypatch.setattr(_health, "_LONG", 0.0)
    with store.read() as snapshot:
        snapshot.execute("SELECT 1")
        found = look(store, "pool")

    assert found.status == "warning"
    assert "thread MainThread for" in found.detail


def test_a_pool_that_the_server_cannot_serve_is_told(
    open_postgres: Open, make_role: MakeRole, plain: Plain
) -> None:
    assert look(open_postgres(max_open_conns=3), "max_connections").status == "ok"
    found = look(open_postgres(max_open_conns=100_000), "max_connections")
    assert found.status == "warning"
    assert "max_open_conns is 100000" in found.detail
    assert "lower max_open_conns" in found.fix

    role = make_role("CONNECTION LIMIT 2 IN ROLE pg_read_all_data")
    store = open_postgres(**role, max_open_conns=3, migrate="skip")
    assert ", 2 allowed here" in look(store, "max_connections").detail


def test_a_superuser_is_more_than_an_application_needs(open_postgres: Open) -> None:
    found = look(open_postgres(), "privileges")

    assert found.status == "warning"
    assert "superuser" in found.detail


def test_what_a_role_may_not_do_is_told_for_work_and_for_migrations(
    open_postgres: Open,
    postgres_config: dict[str, Any],
    postgres_server: DatabaseServer,
    make_role: MakeRole,
    plain: Plain,
) -> None:
    open_postgres()
    schema, role = postgres_config["schema"], make_role()
    name = role["user"]
    plain.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    plain.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {name}")
    store = open_postgres(**role)
    working, migrating = look(store, "privileges"), look(store, "migration_privileges")
    assert working.status == "warning"
    assert "may not read and write" in working.detail
    assert f"TO {name}" in working.fix
    assert migrating.status == "warning"
    assert migrating.fix == f"GRANT CREATE ON SCHEMA {schema} TO {name}"
    # Where it is not to migrate, that is as it should be.
    store = open_postgres(**role, auto_migrate=False)
    assert look(store, "migration_privileges").status == "ok"

    plain.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {name}")
    plain.execute(f"GRANT CREATE ON SCHEMA {schema} TO {name}")
    store = open_postgres(**role)
    assert look(store, "privileges").status == "ok"
    found = look(store, "migration_privileges")
    assert "does not own" in found.detail
    assert "migration_conn_string" in found.fix

    # With another role to migrate, that one is looked at.
    url = postgres_server.url(postgres_config["dbname"])
    store = open_postgres(**role, migration_conn_string=url)
    assert look(store, "migration_privileges").status == "ok"


def test_a_schema_that_is_not_there_is_told(
    open_postgres: Open, make_role: MakeRole, plain: Plain
) -> None:
    role = make_role()
    plain.execute(f"ALTER ROLE {role['user']} SET search_path = nowhere")
    store = open_postgres(**role, schema="", migrate="skip")
    found = look(store, "privileges")

    assert found.status == "failed"
    assert "schema none" in found.detail
    assert "set schema" in found.fix
    assert "set schema" in look(store, "migration_privileges").fix


def test_a_pooler_that_is_not_there_is_told(
    open_postgres: Open,
    postgres_config: dict[str, Any],
    postgres_server: DatabaseServer,
) -> None:
    options = {"schema": "", "pooler": "transaction", "migrate": "skip"}
    found = look(open_postgres(**options), "pooler")
    migrating = look(open_postgres(**options), "migration_privileges")

    assert found.status == "warning"
    assert 'set pooler to "none"' in found.fix
    assert "migration_conn_string" in migrating.fix


@pytest.mark.needs_pgbouncer
def test_a_pooler_in_front_is_noticed(
    open_postgres: Open, pgbouncer: PgBouncer
) -> None:
    options = {"host": pgbouncer.host, "port": pgbouncer.port, "schema": ""}
    pooled = open_postgres(**options, pooler="transaction", migrate="skip")
    told = look(pooled, "pooler")
    # One that takes settings, as newer ones can, is not noticed when it opens.
    lease = pooled.pool.acquire()
    (untold,) = _server._pooler(open_postgres(), lease.connection)
    pooled.pool.release(lease)
    pooled.close()

    assert told.status == "ok"
    assert told.detail.startswith("one in front")
    assert untold.status == "warning"
    assert 'set pooler to "transaction"' in untold.fix


def test_a_session_in_another_zone_is_told(
    open_postgres: Open, make_role: MakeRole, plain: Plain
) -> None:
    role = make_role()
    plain.execute(f"ALTER ROLE {role['user']} SET TimeZone = 'Europe/Berlin'")
    options = {**role, "schema": "", "pooler": "transaction", "migrate": "skip"}
    found = look(open_postgres(**options), "server_time_zone")

    assert (found.status, found.detail.partition(":")[0]) == (
        "warning",
        "Europe/Berlin",
    )
    assert "ALTER ROLE" in found.fix


def test_an_encoding_that_does_not_hold_all_text_has_failed(
    open_postgres: Open, plain: Plain
) -> None:
    name = "mooring_test_ascii"
    plain.execute(
        f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
    )
    try:
        store = open_postgres(dbname=name, schema="", migrate="skip")
        found = look(store, "encoding")
        store.close()
    finally:
        plain.execute(f"DROP DATABASE {name} WITH (FORCE)")

    assert found.status == "failed"
    assert "ENCODING 'UTF8'" in found.fix


def test_a_version_without_fixes_is_told(
    open_postgres: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_postgres()
    assert look(store, "server").status == "ok"
    monkeypatch.setattr(_server, "_today", lambda: date(2100, 1, 1))

    assert look(store, "server").status == "warning"


def test_a_clock_that_differs_is_told(
    open_postgres: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_postgres()
    assert look(store, "server_clock").status == "ok"
    now = _server._now
    monkeypatch.setattr(_server, "_now", lambda: now() + 3600)
    found = look(store, "server_clock")

    assert found.status == "warning"
    assert found.detail.startswith("3600.")


def test_encryption_is_told_with_whom_it_trusts(
    open_postgres: Open,
    postgres_server: DatabaseServer,
    authority: trustme.CA,
    tmp_path: Path,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    with Proxy(postgres_server, tls=context) as proxy:
        # A name that is elsewhere, and the number where it is.
        where = f"host={NAME} hostaddr=127.0.0.1 port={proxy.port}"
        root = str(tmp_path / "ca.pem")
        found = look(open_postgres(conn_string=where, sslrootcert=root), "tls")
        weak = look(open_postgres(conn_string=where, sslmode="require"), "tls")

    assert (found.status, found.detail) == ("ok", "encrypted, sslmode verify-full")
    # It is on this machine, where nobody listens in between.
    assert (weak.status, weak.detail) == ("ok", "encrypted, sslmode require")
    assert look(open_postgres(), "tls").detail == "not encrypted, on this machine"


def test_rows_that_refer_to_none_are_found_where_nothing_checked_them(
    open_postgres: Open, plain: Plain
) -> None:
    store = open_postgres()
    plain.execute("SET session_replication_role = replica")
    plain.execute(
        "INSERT INTO api_keys (id, user_id, hash, prefix) VALUES ('k', 'u9', '', 'p')"
    )
    told: list[tuple[str, int, int]] = []

    def progress(what: str, done: int, total: int) -> None:
        told.append((what, done, total))

    found = look(store, "references", integrity=True, progress=progress)

    assert found.status == "failed"
    assert found.detail.startswith("rows that refer to none: 1 in api_keys (")
    assert "VALIDATE CONSTRAINT" in found.fix
    assert told[0] == ("references", 0, told[-1][2])
    assert told[-1][1] == told[-1][2]


def test_what_the_role_may_not_see_is_unknown_and_the_rest_is_looked_at(
    open_postgres: Open,
    make_role: MakeRole,
    postgres_config: dict[str, Any],
    plain: Plain,
) -> None:
    open_postgres()
    role = make_role()
    plain.execute(
        f"GRANT USAGE ON SCHEMA {postgres_config['schema']} TO {role['user']}"
    )
    store = open_postgres(**role, migrate="skip")
    health = core.health_check(store, integrity=True, timeout=30)
    found = {check.name: check for check in health.checks}

    # It may not read the rows.
    assert found["references"].status == "unknown"
    assert found["references"].fix
    assert found["privileges"].status == "warning"
    assert found["integrity"].status in ("ok", "warning")
