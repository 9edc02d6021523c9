"""What a connection is made with."""

from pathlib import Path
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresConfig
from mooring_postgres._params import (
    connect_timeout,
    connection_params,
    described,
    secret_values,
    session_settings,
)
from psycopg.conninfo import conninfo_to_dict, make_conninfo

NOTHING: dict[str, str] = {}


def params(migration: bool = False, **options: Any) -> dict[str, Any]:
    config = PostgresConfig(**{"host": "localhost", **options})
    return dict(connection_params(config, migration=migration, environ=NOTHING))


@pytest.mark.parametrize("migration", [False, True])
def test_libpq_takes_every_keyword(migration: bool) -> None:
    found = params(
        migration,
        user="u ser",
        password="it's \\ 100%",  # noqa: S106 - no real one
        dbname="a b",
        schema="app",
        target_session_attrs="primary",
        sslcert="c",
        sslkey="k",
        sslrootcert="r",
    )

    assert conninfo_to_dict(make_conninfo(**found)) == {
        key: str(value) for key, value in found.items()
    }


def test_the_string_wins_and_the_parts_fill_it() -> None:
    found = params(
        conn_string="postgres://u@h/?application_name=own&keepalives_idle=9",
        host="other",
        port=6543,
        user="other",
        password="p",  # noqa: S106 - no real one
        dbname="app",
        application_name="other",
        target_session_attrs="primary",
    )

    assert {key: found[key] for key in ("host", "user", "application_name")} == {
        "host": "h",
        "user": "u",
        "application_name": "own",
    }
    assert {key: found[key] for key in ("port", "password", "dbname")} == {
        "port": "6543",
        "password": "p",
        "dbname": "app",
    }
    assert found["target_session_attrs"] == "primary"
    assert found["keepalives_idle"] == "9"


def test_the_default_port_leaves_pgport_and_services_alone() -> None:
    assert "port" not in params(conn_string="postgres://h")
    assert params(host="localhost")["port"] == "5432"


def test_nothing_is_given_that_libpq_finds_itself() -> None:
    assert params().keys().isdisjoint({"user", "password", "dbname", "sslrootcert"})


@pytest.mark.parametrize(
    ("seconds", "string", "expected"),
    [
        (5, "", 5),
        (0.5, "", 2),
        (2.1, "", 3),
        (5, "connect_timeout=10", 10),
        (5, "connect_timeout=0", 5),
        (5, "connect_timeout=-1", 5),
    ],
)
def test_the_time_to_connect_is_in_whole_seconds(
    seconds: float, string: str, expected: int
) -> None:
    config = PostgresConfig(
        conn_string=core.Secret(f"host=/run {string}"), connect_timeout=seconds
    )

    assert connection_params(config)["connect_timeout"] == expected
    assert connect_timeout(config) == (10 if "10" in string else seconds)


# -- settings of the session --------------------------------------------------


def test_settings_are_made_by_options_in_milliseconds() -> None:
    config = PostgresConfig(
        host="h",
        statement_timeout=1.5,
        lock_timeout=0.0001,
        idle_in_transaction_timeout=0,
        schema="app",
    )

    assert session_settings(config) == {
        "statement_timeout": "1500",
        "lock_timeout": "1",
        "idle_in_transaction_session_timeout": "0",
        "TimeZone": "UTC",
        "search_path": "app",
    }
    assert connection_params(config)["options"] == (
        "-c statement_timeout=1500 -c lock_timeout=1"
        " -c idle_in_transaction_session_timeout=0 -c TimeZone=UTC -c search_path=app"
    )


def test_a_statement_timeout_longer_than_the_server_counts_is_its_longest() -> None:
    config = PostgresConfig(host="h", statement_timeout=1e9)

    assert session_settings(config)["statement_timeout"] == "2147483647"


def test_migrations_have_no_limits_of_statements() -> None:
    config = PostgresConfig(host="h", statement_timeout=5, lock_timeout=5, schema="app")
    settings = session_settings(config, migration=True)

    # What locks whole tables waits as long as other statements of the store.
    assert (settings["statement_timeout"], settings["lock_timeout"]) == ("0", "5000")
    assert settings["search_path"] == "app"


def test_options_of_the_string_come_first_then_those_of_the_environment() -> None:
    environ = {"PGOPTIONS": "-c geqo=off"}
    string = core.Secret("host=/run options='-c jit=off'")
    own = connection_params(PostgresConfig(conn_string=string), environ=environ)
    other = connection_params(PostgresConfig(host="/run"), environ=environ)

    assert str(own["options"]).startswith("-c jit=off -c statement_timeout=")
    assert str(other["options"]).startswith("-c geqo=off -c statement_timeout=")


def test_a_transaction_pooler_gets_no_options() -> None:
    config = PostgresConfig(host="/run", pooler="transaction")

    assert session_settings(config) == {}
    assert "options" not in connection_params(config, environ=NOTHING)
    assert "options" in connection_params(config, migration=True, environ=NOTHING)


# -- migrations ---------------------------------------------------------------


def test_a_string_for_migrations_stands_for_itself() -> None:
    found = params(
        migration=True,
        conn_string="postgres://app:p@localhost:6432/app",
        migration_conn_string="host=/run user=owner",
        dbname="app",
        port=6432,
    )

    assert found["host"] == "/run"
    assert found["user"] == "owner"
    assert found.keys().isdisjoint({"password", "dbname", "port"})


def test_without_one_migrations_connect_as_everybody_else() -> None:
    mine, theirs = (
        params(conn_string="host=/run"),
        params(True, conn_string="host=/run"),
    )
    differing = {key for key in mine if mine[key] != theirs[key]}

    assert differing == {"options"}


# -- passwords ----------------------------------------------------------------


def test_a_password_file_is_read_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.touch(0o600)
    config = PostgresConfig(host="/run", password_file=str(file))
    read = []
    for password in ("first", "second"):
        file.write_text(password)
        read.append(connection_params(config)["password"])

    assert read == ["first", "second"]


def test_a_password_file_is_not_read_where_the_string_has_a_password() -> None:
    found = params(conn_string="postgres://u:p@localhost", password_file="/missing")  # noqa: S106 - a path
    migrating = params(
        True,
        password_file="/missing",  # noqa: S106 - a path
        migration_conn_string="host=/run",
    )

    assert found["password"] == "p"  # noqa: S105 - no real one
    assert "password" not in migrating


def test_every_secret_of_a_string_is_known_as_one() -> None:
    found = params(
        conn_string="host=/run password=a sslpassword=b oauth_client_secret=c user=d"
    )

    assert secret_values(found) == ["a", "b", "c"]


# -- descriptions -------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        ({"host": "db.example.org", "dbname": "app"}, {}, "db.example.org:5432/app"),
        ({"host": "db", "name": "app", "port": 6432}, {}, "db:6432/app"),
        ({"host": "a,b", "port": "1,2"}, {}, "a:1,b:2"),
        ({"host": "a,b", "port": "1"}, {}, "a:1,b:1"),
        ({"host": "::1"}, {}, "[::1]:5432"),
        ({"host": "/run", "dbname": "app"}, {}, "/run:5432/app"),
        ({"conn_string": "postgres://u:p@h:5/d"}, {}, "h:5/d"),
        ({"conn_string": "postgres://"}, {}, "socket:5432"),
        (
            {"conn_string": "postgres://"},
            {"PGHOST": "h", "PGPORT": "7", "PGDATABASE": "d"},
            "h:7/d",
        ),
        (
            {"conn_string": "service=s", "sslmode": "require", "dbname": "d"},
            {},
            "service s/d",
        ),
    ],
    ids=repr,
)
def test_a_description_says_where_and_not_as_whom(
    options: dict[str, Any], environ: dict[str, str], expected: str
) -> None:
    assert described(PostgresConfig(**options), environ=environ) == expected


def test_a_description_can_be_of_where_migrations_go() -> None:
    config = PostgresConfig(
        host="pooler", migration_conn_string=core.Secret("host=db dbname=app")
    )

    assert described(config, migration=True, environ=NOTHING) == "db:5432/app"
