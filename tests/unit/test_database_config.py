"""The configuration tests that the task names, for both drivers."""

from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from mooring import core
from mooring.core import DriverInfo, Problem, Registry, StoreConfig, hookimpl, option
from mooring_sqlite import SqliteConfig

SSL_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")


def _port(instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    text = str(value) if type(value) in (int, str) else ""
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        problem = Problem(attribute.name, "must be between 1 and 65535")
        raise core.ConfigError([problem])


@attrs.frozen(kw_only=True)
class PostgresConfig(StoreConfig):
    """The rules of the task for PostgreSQL, in a plugin of this test's own."""

    driver: str = attrs.field(default="postgres", init=False)
    conn_string: core.Secret | None = option(None, "A whole URL.", secret=True)
    host: str = option("", "Name of the server.")
    port: int | str = attrs.field(default=5432, validator=_port)
    user: str = option("", "Who connects.")
    password: core.Secret | None = option(None, "Their password.", secret=True)
    dbname: str = option("", "Name of the database.")
    name: str = option("", "The same as dbname.")
    sslmode: str = option("prefer", "How to use TLS.", choices=SSL_MODES)
    ssl_mode: str = option("prefer", "The same as sslmode.", choices=SSL_MODES)

    def problems(self) -> Iterable[Problem]:
        yield from super().problems()
        if not self.host and not self.conn_string:
            yield Problem("host", "postgres requires host or conn_string")


class Postgres:
    @hookimpl
    def driver_info(self) -> DriverInfo:
        return DriverInfo(
            name="postgres", config_class=PostgresConfig, aliases=("postgresql",)
        )

    @hookimpl
    def open_store(self) -> None: ...

    @hookimpl
    def health_check(self) -> None: ...


class Sqlite:
    @hookimpl
    def driver_info(self) -> DriverInfo:
        return DriverInfo(name="sqlite", config_class=SqliteConfig)

    @hookimpl
    def open_store(self) -> None: ...

    @hookimpl
    def health_check(self) -> None: ...


@pytest.fixture(scope="module")
def registry() -> Registry:
    registry = Registry(discover=False)
    postgres = Postgres()
    registry.register(postgres, name="postgres")
    registry.register(postgres, name="postgresql")
    registry.register(Sqlite(), name="sqlite")
    return registry


def refused(registry: Registry, **options: object) -> core.ConfigError:
    with pytest.raises(core.ConfigError) as caught:
        core.configure(options, registry=registry)
    return caught.value


class TestDatabaseConfig:
    @pytest.mark.parametrize("driver", [{}, {"driver": ""}, {"driver": None}], ids=repr)
    def test_should_default_to_postgres_when_driver_empty(
        self, driver: dict[str, object], registry: Registry
    ) -> None:
        config = core.configure({**driver, "host": "db"}, registry=registry)

        assert type(config) is PostgresConfig
        assert config.driver == core.DEFAULT_DRIVER == "postgres"

    @pytest.mark.parametrize("driver", ["postgres", "postgresql", " Postgres "])
    @pytest.mark.parametrize(
        "options",
        [
            {"host": "db"},
            {"conn_string": "postgres://u:p@db/app"},
            {"host": "db", "port": 6543},
            {"host": "db", "port": "6543", "user": "u", "password": "p"},
            {"host": "db", "dbname": "app", "sslmode": "verify-full"},
            {"host": "db", "name": "app", "ssl_mode": "disable"},
        ],
        ids=repr,
    )
    def test_should_accept_postgres_driver_explicitly(
        self, driver: str, options: dict[str, Any], registry: Registry
    ) -> None:
        config = core.configure({"driver": driver, **options}, registry=registry)

        assert config == PostgresConfig(**options)
        assert config.driver == "postgres"

    @pytest.mark.parametrize("path", ["app.db", "/var/lib/app.db", ":memory:"])
    def test_should_accept_sqlite_driver(self, path: str, registry: Registry) -> None:
        config = core.configure({"driver": "sqlite", "path": path}, registry=registry)

        assert config == SqliteConfig(path=path)
        assert config.driver == "sqlite"

    @pytest.mark.parametrize("driver", ["mysql", "sqlit", "postgre", "x y", "5"])
    def test_should_reject_invalid_driver(
        self, driver: str, registry: Registry
    ) -> None:
        with pytest.raises(core.UnknownDriverError) as caught:
            core.configure({"driver": driver, "path": "app.db"}, registry=registry)

        assert caught.value.driver == driver
        assert f"unknown driver {driver!r}" in caught.value.message
        assert "postgres" in caught.value.message
        assert "sqlite" in caught.value.message

    @pytest.mark.parametrize("options", [{}, {"path": ""}, {"path": " "}], ids=repr)
    def test_should_require_path_for_sqlite(
        self, options: dict[str, object], registry: Registry
    ) -> None:
        error = refused(registry, driver="sqlite", **options)

        assert [problem.key for problem in error.problems] == ["path"]
        assert "sqlite driver requires path" in error.message

    @pytest.mark.parametrize(
        "options", [{}, {"host": ""}, {"conn_string": ""}, {"user": "u"}], ids=repr
    )
    @pytest.mark.parametrize("driver", ["postgres", "", None])
    def test_should_require_connection_params_for_postgres(
        self, options: dict[str, object], driver: str | None, registry: Registry
    ) -> None:
        error = refused(registry, driver=driver, **options)

        assert "postgres requires host or conn_string" in error.message
        assert ("driver is not set" in error.message) is (not driver)

    @pytest.mark.parametrize(
        "path", ["a\0b", "a\nb", "a\rb", "data/", ".", "..", "file:a.db?mode=ro"]
    )
    def test_should_validate_sqlite_path_format(
        self, path: str, registry: Registry
    ) -> None:
        error = refused(registry, driver="sqlite", path=path)

        assert [problem.key for problem in error.problems] == ["path"]

    @pytest.mark.parametrize(
        "port", [0, -1, 65536, "abc", "", "54 32", "5432.7", 5432.7, True, None]
    )
    def test_should_reject_a_port_that_is_none(
        self, port: object, registry: Registry
    ) -> None:
        error = refused(registry, driver="postgres", host="db", port=port)

        assert [problem.key for problem in error.problems] == ["port"]

    def test_should_never_show_a_password(self, registry: Registry) -> None:
        error = refused(
            registry,
            driver="postgres",
            password="hunter2",  # noqa: S106 - it must not be shown
            conn_string=5,
            sslmode="requre",
        )

        assert "hunter2" not in str(error)
        assert "did you mean 'require'?" in error.message

    def test_should_not_guess_sqlite_from_a_path(self, registry: Registry) -> None:
        error = refused(registry, path="app.db")

        assert "path: unknown option" in error.message
        assert "sqlite" in (error.hint or "")
