"""A start at head looks, and does no more."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mooring import core, migrate
from mooring_postgres import PostgresStore
from mooring_postgres.testing import PostgresServer

MakeRole = Callable[..., dict[str, str]]
MigrationFile = Callable[..., migrate.Source]
OpenPostgres = Callable[..., PostgresStore]
Plain = Any  # a psycopg.Connection, whose types take literal strings only


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that logs what it is asked."""
    settings = {"log_statement": "all", "log_connections": "on"}
    with PostgresServer(settings=settings) as server:
        yield server


def test_one_connection_asks_three_things_and_writes_nothing(
    server: PostgresServer,
) -> None:
    config = {"driver": "postgres", **server.params()}
    next_number = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
    core.open(config).close()
    with server.connect() as plain:
        before = plain.execute(next_number).fetchone()
        plain.execute("SELECT 'from here'")
        core.open(config).close()
        *_, log = server.log.rpartition("from here")
        after = plain.execute(next_number).fetchone()

    asked = [line for line in log.splitlines() if "statement: " in line]
    asked += [line for line in log.splitlines() if "execute " in line]
    assert log.count("connection authorized") == 1
    assert len(asked) == 3, log
    assert "advisory" not in log
    assert before == after


def test_the_same_look_sees_what_a_first_start_does(
    server: PostgresServer, migration_file: MigrationFile
) -> None:
    source = migration_file("1_a.sql", "CREATE TABLE a (x int);", table="mine")
    with server.connect() as plain:
        plain.execute("SELECT 'from here'")
        config = {"driver": "postgres", **server.params()}
        with core.open(config, migrate="skip") as store:
            migrate.Migrator(store, source).up()

    assert "CREATE TABLE a" in server.log
    assert "pg_advisory_unlock" in server.log


@pytest.mark.parametrize("auto_migrate", [True, False])
def test_a_role_that_may_only_read_is_enough(
    open_postgres: OpenPostgres,
    make_role: MakeRole,
    plain: Plain,
    postgres_config: dict[str, Any],
    auto_migrate: bool,
) -> None:
    open_postgres().close()
    login = make_role()
    schema, role = postgres_config["schema"], login["user"]
    plain.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    plain.execute(f"GRANT SELECT ON goose_db_version, mooring_migrations TO {role}")
    store = open_postgres(auto_migrate=auto_migrate, **login)

    assert migrate.Migrator(store).at_head()
    with pytest.raises(core.StatementError, match="permission denied"):
        store.execute("SELECT count(*) FROM users")
