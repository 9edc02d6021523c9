"""The next file finds nothing of what one set, nor does its version row."""

from collections.abc import Callable
from typing import Any

import pytest
from mooring import core, migrate
from mooring_postgres import PostgresStore

OpenPostgres = Callable[..., PostgresStore]
MakeRole = Callable[..., dict[str, str]]
MigrationFile = Callable[..., migrate.Source]
Plain = Any  # a psycopg.Connection, whose types take literal strings only

NO_TRANSACTION = "-- +goose NO TRANSACTION"
HEADS = pytest.mark.parametrize("head", ["", NO_TRANSACTION])
# The two ways of a run: a new database's files share one transaction.
AT = pytest.mark.parametrize("at", [0, 1], ids=["new database", "migrated before"])


def tables(plain: Plain) -> set[str]:
    found = plain.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace"
        " AND relkind IN ('r', 'v', 'p')"
    )
    return {name for (name,) in found} - {"goose_db_version", "mooring_migrations"}


def versions(plain: Plain) -> list[int]:
    rows = plain.execute("SELECT version_id FROM goose_db_version ORDER BY id")
    return [version for (version,) in rows]


def up(store: PostgresStore, source: migrate.Source, *, at: int = 0) -> None:
    """Apply the files, those up to *at* in a run of their own."""
    migrator = migrate.Migrator(store, source)
    if at:
        migrator.up(to=at)
    migrator.up()


def test_constraints_where_its_role_may_not_look_are_no_matter(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    make_role: MakeRole,
    postgres_config: dict[str, Any],
) -> None:
    login = make_role()
    plain.execute(f"GRANT ALL ON SCHEMA {postgres_config['schema']} TO {login['user']}")
    hidden = f"{postgres_config['schema']}_hidden"
    plain.execute(f"CREATE SCHEMA {hidden}")
    plain.execute(f"CREATE TABLE {hidden}.t (x int UNIQUE DEFERRABLE)")
    try:
        source = migration_file("1_a.sql", "CREATE TABLE a (x int);")
        up(open_postgres(migrate="skip", **login), source)
    finally:
        plain.execute(f"DROP SCHEMA {hidden} CASCADE")

    assert versions(plain) == [0, 1]


@AT
@HEADS
@pytest.mark.parametrize(
    "statement",
    [
        "SET search_path = pg_catalog;",
        "SELECT pg_catalog.set_config('search_path', '', false);",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;",
        "SET default_transaction_isolation = 'serializable';",
        "SET statement_timeout = 54321;",
        "SET TimeZone = 'Asia/Tokyo';",
        "SET client_encoding = 'LATIN1';",
    ],
)
def test_a_setting_ends_with_its_file(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    statement: str,
    head: str,
    at: int,
) -> None:
    migration_file("1_a.sql", "CREATE TABLE a (x int);")
    migration_file("2_b.sql", statement, head=head)
    source = migration_file(
        "3_c.sql",
        "CREATE TABLE c AS SELECT current_setting('search_path') AS path,"
        " current_setting('default_transaction_read_only') AS read_only,"
        " current_setting('default_transaction_isolation') AS isolation,"
        " current_setting('statement_timeout') AS timeout,"
        " current_setting('TimeZone') AS zone,"
        " current_setting('client_encoding') AS encoding, 'é' AS letter,"
        " current_setting('client_connection_check_interval') AS watch;",
    )
    up(open_postgres(migrate="skip"), source, at=at)

    assert versions(plain) == [0, 1, 2, 3]
    schema = plain.execute("SELECT current_schema").fetchone()
    assert plain.execute("SELECT path FROM c").fetchone() == schema
    found = plain.execute("SELECT * FROM c").fetchone()
    assert found is not None
    assert found[1:] == ("off", "read committed", "0", "UTC", "UTF8", "é", "1s")


@AT
@HEADS
def test_what_a_session_keeps_ends_with_its_file(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    head: str,
    at: int,
) -> None:
    migration_file("1_a.sql", "CREATE TABLE a (x int);")
    kept = (
        "CREATE TEMP TABLE a (y text);",
        "LISTEN news;",
        "PREPARE plan AS SELECT 1;",
        "DECLARE rows CURSOR WITH HOLD FOR SELECT 1;",
    )
    migration_file("2_b.sql", *kept, head=head)
    source = migration_file(
        "3_c.sql",
        "INSERT INTO a (x) VALUES (1);",
        "CREATE TABLE c AS SELECT * FROM pg_listening_channels() AS name"
        " UNION ALL SELECT name FROM pg_prepared_statements"
        " UNION ALL SELECT name FROM pg_cursors WHERE name = 'rows';",
    )
    up(open_postgres(migrate="skip"), source, at=at)

    assert plain.execute("SELECT x FROM a").fetchall() == [(1,)]
    assert plain.execute("SELECT * FROM c").fetchall() == []


@AT
@HEADS
@pytest.mark.parametrize("word", ["ROLE", "SESSION AUTHORIZATION"])
def test_a_role_ends_with_its_file_and_writes_no_version(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    head: str,
    word: str,
    at: int,
) -> None:
    migration_file("1_a.sql", "CREATE TABLE a (x int);")
    migration_file("2_b.sql", f"SET {word} pg_monitor;", head=head)
    source = migration_file("3_c.sql", "CREATE TABLE c (x int);")
    up(open_postgres(migrate="skip"), source, at=at)

    owners = plain.execute(
        "SELECT DISTINCT tableowner = current_user FROM pg_tables"
        " WHERE schemaname = current_schema"
    ).fetchall()
    assert owners == [(True,)]
    assert versions(plain) == [0, 1, 2, 3]


def test_a_role_that_the_server_sets_at_the_start_holds_for_each_file(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    make_role: MakeRole,
    postgres_config: dict[str, Any],
    plain: Plain,
) -> None:
    owner, login = make_role()["user"], make_role()
    name = login["user"]
    plain.execute(f"GRANT {owner} TO {name}; ALTER ROLE {name} SET role = {owner}")
    plain.execute(f"ALTER SCHEMA {postgres_config['schema']} OWNER TO {owner}")
    migration_file("1_a.sql", "CREATE TABLE a (x int);", head=NO_TRANSACTION)
    source = migration_file("2_b.sql", "CREATE TABLE b (x int);")
    up(open_postgres(migrate="skip", **login), source)

    owners = plain.execute(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = current_schema"
    ).fetchall()
    assert owners == [(owner,)]


@AT
def test_deferred_constraints_are_checked_at_the_end_of_their_file(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    at: int,
) -> None:
    migration_file(
        "1_a.sql",
        "CREATE TABLE a (id int PRIMARY KEY, next int REFERENCES a (id)"
        " DEFERRABLE INITIALLY DEFERRED, plain int CHECK (plain > 0));",
    )
    migration_file("2_b.sql", "INSERT INTO a VALUES (1, 2), (2, 1);")
    # Refused while checks of the table are still to come.
    migration_file("3_c.sql", "ALTER TABLE a ADD COLUMN name text;")
    migration_file(
        "4_d.sql",
        "INSERT INTO a (id, next) VALUES (3, 4);",
        "INSERT INTO a (id, next) VALUES (4, 3);",
    )
    source = migration_file("5_e.sql", "INSERT INTO a (id, next) VALUES (5, 99);")
    migration_file("6_f.sql", "CREATE TABLE f (x int);")

    with pytest.raises(core.MigrationFailedError) as caught:
        up(open_postgres(migrate="skip"), source, at=at)
    assert caught.value.file == "5_e.sql"
    assert isinstance(caught.value.__cause__, core.ForeignKeyViolation)
    assert tables(plain) == ({"a"} if at else set())


@HEADS
def test_a_unit_that_fails_leaves_the_session_as_it_was(
    open_postgres: OpenPostgres, plain: Plain, head: str
) -> None:
    def fail(session: core.MigrationSession) -> None:
        with session.unit(transaction=not head) as unit:
            unit.execute("SET search_path = nowhere; PREPARE p AS SELECT 1")
            raise KeyError

    store = open_postgres(migrate="skip")
    with store.migration_session("goose_db_version", timeout=20) as session:
        with pytest.raises(KeyError):
            fail(session)
        with session.unit(transaction=True) as unit:
            unit.execute("CREATE TABLE a (x int); PREPARE p AS SELECT 2")

    assert tables(plain) == {"a"}


def test_a_statement_timeout_of_the_role_stops_no_migration(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    make_role: MakeRole,
    plain: Plain,
) -> None:
    login = make_role("SUPERUSER")
    plain.execute(f"ALTER ROLE {login['user']} SET statement_timeout = '50ms'")
    sleep = "SELECT pg_sleep(0.2);"
    migration_file("1_a.sql", sleep, head=NO_TRANSACTION)
    source = migration_file("2_b.sql", sleep)
    up(open_postgres(migrate="skip", **login), source)

    assert versions(plain) == [0, 1, 2]
