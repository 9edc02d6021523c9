"""Which of several sources wins, and what `explain` says of it."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresConfig
from mooring_postgres._dsn import parse

Write = Callable[[str, str], None]

SQLITE = """
[database]
driver = "sqlite"
path = "app.db"
busy_timeout = "1m30s"
max_open_conns = 7
"""
POSTGRES = """
[database]
driver = "postgres"
conn_string = "postgresql://ada:file@one:6000/app"
"""


def source_of(key: str, **arguments: Any) -> str:
    found = core.explain(**arguments)
    assert found.error is None, found.error
    return {setting.key: setting.source for setting in found.settings}[key]


def connects_to(**arguments: Any) -> dict[str, str]:
    config: Any = core.load(**arguments)
    assert config.conn_string
    return parse(config.conn_string.reveal())


def test_each_layer_beats_the_ones_below_it(write: Write) -> None:
    write("mooring.toml", SQLITE + "[profiles.big]\nmax_open_conns = 8\n")
    write("vars", "DB_MAX_OPEN_CONNS=9\n")
    arguments: dict[str, Any] = {"env": {}}
    steps: list[tuple[str, Any, int, str]] = [
        ("env", {}, 7, "mooring.toml:6"),
        ("env_file", "vars", 9, "vars:1 DB_MAX_OPEN_CONNS"),
        ("env", {"DB_MAX_OPEN_CONNS": "10"}, 10, "env DB_MAX_OPEN_CONNS"),
        ("profile", "big", 8, "mooring.toml:8"),
        ("flags", {"max_open_conns": "11"}, 11, "--max_open_conns"),
        ("overrides", {"max_open_conns": 12}, 12, "argument"),
    ]
    for name, value, wanted, source in steps:
        arguments[name] = value
        assert core.load(**arguments).max_open_conns == wanted
        assert source_of("max_open_conns", **arguments) == source
    assert source_of("pool_timeout", **arguments) == "default"


def test_the_file_is_the_argument_or_the_variable_or_the_one_that_is_there(
    write: Write,
) -> None:
    for name in ("a.toml", "b.toml", "mooring.toml"):
        write(name, f'[database]\ndriver = "sqlite"\npath = "{name}"\n')
    write("mooring.yaml", "database:\n  driver: sqlite\n  path: mooring.yaml\n")
    env = {"MOORING_CONFIG": "b.toml"}
    assert core.explain("a.toml", env=env).file == "a.toml"
    assert core.explain(env=env).file == "b.toml"
    found = core.explain(env={})
    assert found.file == "mooring.toml"
    assert found.warnings == ("mooring.yaml is ignored: mooring.toml is there too",)
    Path("mooring.toml").unlink()
    assert core.explain(env={}).file == "mooring.yaml"
    config: Any = core.load(env={})
    assert config.path == "mooring.yaml"


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("DB_PORT", "6000", "port", 6000),
        ("DB_NAME", "app", "dbname", "app"),
        ("DB_DBNAME", "app", "dbname", "app"),
        ("DB_SSL_MODE", "require", "sslmode", "require"),
        ("DB_SSLMODE", "require", "sslmode", "require"),
        ("DB_AUTO_MIGRATE", "False", "auto_migrate", False),
        ("DB_AUTO_MIGRATE", "0", "auto_migrate", False),
        ("DB_MIGRATION_TIMEOUT", "1m30s", "migration_timeout", 90.0),
        ("DB_CONNECT_TIMEOUT", "250ms", "connect_timeout", 0.25),
        ("DB_PING_TIMEOUT", " 4 ", "ping_timeout", 4.0),
        ("DB_OPT_APPLICATION_NAME", "shop", "application_name", "shop"),
        ("DB_PASSWORD_FILE", "/run/secret", "password_file", "/run/secret"),
    ],
)
def test_a_variable_is_named_like_its_option(
    name: str, text: str, key: str, value: object
) -> None:
    config = core.load(env={"DB_DRIVER": " Postgres ", "DB_HOST": "db", name: text})
    assert getattr(config, key) == value
    assert type(getattr(config, key)) is type(value)


def test_an_empty_variable_is_not_set(write: Write) -> None:
    write("mooring.toml", SQLITE)
    config: Any = core.load(env={"DB_PATH": "", "DB_DRIVER": "", "DATABASE_URL": ""})
    assert config.path == "app.db"


def test_an_application_may_have_a_prefix_of_its_own() -> None:
    env = {"SHOP_DRIVER": "sqlite", "SHOP_PATH": "shop.db", "DB_PATH": "other.db"}
    found = core.explain(
        env={**env, "DATABASE_URL": "postgresql://u:p@db/app"}, prefix="SHOP_"
    )
    config: Any = found.config
    assert (config.driver, config.path) == ("sqlite", "shop.db")
    assert found.warnings == ()


def test_an_unknown_variable_is_a_warning_with_a_suggestion(
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = {"DB_DRIVER": "sqlite", "DB_PATH": "a.db", "DB_BUSY_TIMOUT": "hunter2"}
    with caplog.at_level(logging.WARNING):
        core.load(env=env)
    (record,) = caplog.records
    assert record.getMessage() == (
        "env DB_BUSY_TIMOUT is ignored: it is no option of sqlite; did you mean"
        " 'DB_BUSY_TIMEOUT'?"
    )
    assert vars(record)["event_name"] == "config.ignored"


def test_the_urls_of_platforms_are_the_weakest_of_the_environment() -> None:
    env = {"DATABASE_URL": "postgres://ada:pw@one:6000/app"}
    assert connects_to(env=env)["host"] == "one"
    assert connects_to(env={**env, "DB_HOST": "two"}) == {
        "user": "ada",
        "password": "pw",
        "port": "6000",
        "dbname": "app",
    }
    assert getattr(core.load(env={**env, "DB_HOST": "two"}), "host") == "two"  # noqa: B009 - of PostgresConfig
    other = {**env, "DB_DRIVER": "sqlite", "DB_PATH": "a.db"}
    found = core.explain(env=other)
    assert found.config is not None
    assert found.config.driver == "sqlite"
    assert found.warnings == ("env DATABASE_URL is ignored: the driver is sqlite",)


@pytest.mark.parametrize(
    "given", [{"url": "sqlite:a%20b.db"}, {"driver": "sqlite", "path": "a b.db"}]
)
def test_a_url_stands_for_its_options(given: dict[str, str]) -> None:
    config: Any = core.load(overrides=given, env={})
    assert config.path == "a b.db"
    assert core.load(flags=given, env={}) == config
    assert core.load(env={f"DB_{key.upper()}": given[key] for key in given}) == config


# -- a connection string beside options ---------------------------------------


def test_in_one_layer_the_connection_string_wins_and_the_others_are_named(
    write: Write,
) -> None:
    write(
        "mooring.toml", POSTGRES + 'host = "two"\nuser = "eve"\nsslmode = "require"\n'
    )
    found = core.explain(env={})
    assert isinstance(found.config, PostgresConfig)
    assert (found.config.host, found.config.sslmode) == ("", "require")
    assert found.warnings == (
        "mooring.toml:5 (host) is ignored: the connection string says it too",
        "mooring.toml:6 (user) is ignored: the connection string says it too",
    )


def test_a_stronger_option_beats_what_a_weaker_string_says(write: Write) -> None:
    write("mooring.toml", POSTGRES)
    env = {"DB_HOST": "two", "DB_PASSWORD": "it's \\ here"}
    found: Any = core.load(env=env)
    assert found.host == "two"
    assert found.password.reveal() == "it's \\ here"
    said = parse(found.conn_string.reveal())
    assert said == {"user": "ada", "port": "6000", "dbname": "app"}


def test_a_stronger_string_beats_weaker_options(write: Write) -> None:
    write("mooring.toml", '[database]\nhost = "one"\ndbname = "app"\n')
    found: Any = core.load(env={"DB_CONN_STRING": "postgresql://two"})
    assert parse(found.conn_string.reveal())["host"] == "two"
    assert (found.host, found.dbname) == ("", "app")


def test_a_stronger_password_replaces_the_file_of_a_weaker_one(write: Write) -> None:
    write("mooring.toml", '[database]\nhost = "db"\npassword_file = "/run/pw"\n')
    found: Any = core.load(env={"DB_PASSWORD": "pw"})
    assert (found.password_file, found.password.reveal()) == ("", "pw")


def test_two_names_of_one_option_are_one_option_across_layers(write: Write) -> None:
    write("mooring.toml", '[database]\nhost = "db"\nname = "one"\nsslmode = "prefer"\n')
    found: Any = core.load(env={"DB_DBNAME": "two", "DB_SSL_MODE": "require"})
    assert (found.dbname, found.name) == ("two", "")
    assert (found.sslmode, found.ssl_mode) == ("require", "")


# -- profiles, drivers, own options -------------------------------------------


def test_a_profile_lies_over_the_section_and_over_the_environment(
    write: Write,
) -> None:
    profile = '[profiles.prod]\nurl = "postgresql://db/app"\nmax_open_conns = 3\n'
    write("mooring.toml", SQLITE + profile)
    found = core.explain(profile="prod", env={"DATABASE_URL": "postgresql://x/y"})
    assert isinstance(found.config, PostgresConfig)
    assert found.config.max_open_conns == 3
    assert source_of("conn_string", profile="prod", env={}) == "mooring.toml:8"
    # The section is for another driver: what only that one has cannot be meant.
    assert "mooring.toml:4 (path) is ignored" in found.warnings[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no configuration file"),
        (SQLITE, "there is no profile 'prod'"),
        (SQLITE + "[profiles.pord]\n", "did you mean 'pord'?"),
        (SQLITE + "[profiles]\nprod = 5\n", "profiles.prod: must be a table"),
    ],
)
def test_a_profile_that_is_not_there_is_an_error(
    write: Write, text: str | None, says: str
) -> None:
    if text is not None:
        write("mooring.toml", text)
    with pytest.raises(core.ConfigError) as caught:
        core.load(profile="prod", env={})
    assert says in caught.value.message


def test_a_drivers_own_options_may_stand_in_a_table_of_their_own(write: Write) -> None:
    text = '[database]\ndriver = "sqlite"\npath = "a.db"\n[database.options]\n'
    write("mooring.toml", text + 'synchronous = "off"\n')
    config: Any = core.load(env={})
    assert config.synchronous == "off"
    write("mooring.toml", text + 'path = "b.db"\n')
    with pytest.raises(
        core.ConfigError, match=r"mooring\.toml:5: path: is given twice"
    ):
        core.load(env={})


def test_a_section_may_have_another_name(write: Write) -> None:
    write("app.toml", '[tool.shop.store]\ndriver = "sqlite"\npath = "a.db"\n')
    assert core.load("app.toml", section="tool.shop.store", env={}).driver == "sqlite"


# -- a secret in a file of its own --------------------------------------------


def test_a_secret_may_stand_in_a_file(write: Write) -> None:
    write("secret", "postgresql://u:hunter2@db/app\n")
    found = connects_to(env={"DB_CONN_STRING_FILE": "secret"})
    assert found["password"] == "hunter2"  # noqa: S105 - of this test
    for env in ({"DB_CONN_STRING": "postgresql://db"}, {}):
        name = "secret" if env else "none"
        with pytest.raises(core.ConfigError) as caught:
            core.load(env={"DB_CONN_STRING_FILE": name, **env})
        assert "hunter2" not in str(caught.value)
        assert "DB_CONN_STRING_FILE" in str(caught.value)


def test_nothing_of_explain_shows_a_secret(write: Write) -> None:
    write("mooring.toml", POSTGRES.replace("file", "hunter2"))
    found = core.explain(env={"DB_PASSWORD": "hunter2"})
    assert found.error is None
    assert "hunter2" not in repr(found)
    shown = {s.key: s.value for s in found.settings}
    assert (shown["conn_string"], shown["password"]) == ("***", "***")
    assert shown["migration_conn_string"] is None


def test_the_mapping_that_open_takes_may_hold_durations_too() -> None:
    config = core.configure({"driver": "sqlite", "path": "a", "busy_timeout": "2s"})
    assert config == core.configure(
        {"driver": "sqlite", "path": "a", "busy_timeout": 2.0}
    )


def test_the_log_says_where_the_settings_of_an_open_store_came_from(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("mooring.toml", SQLITE)
    write("vars", "DB_PING_TIMEOUT=2s\n")
    config = core.load(
        env={"DB_BUSY_TIMEOUT": "1s"},
        env_file="vars",
        flags={"max_open_conns": "3"},
        overrides={"path": ":memory:"},
    )
    with caplog.at_level(logging.INFO, "mooring"):
        core.open(config).close()
    (record,) = (r for r in caplog.records if vars(r)["event_name"] == "store.opened")
    assert {*vars(record)["settings_from"].split(", ")} == {
        "mooring.toml",
        "environment",
        "vars",
        "flags",
        "arguments",
    }
