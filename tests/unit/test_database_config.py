"""The configuration tests that the task names, for both drivers."""

from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresConfig
from mooring_sqlite import SqliteConfig


def refused(**options: object) -> core.ConfigError:
    with pytest.raises(core.ConfigError) as caught:
        core.configure(options)
    return caught.value


class TestDatabaseConfig:
    @pytest.mark.parametrize("driver", [{}, {"driver": ""}, {"driver": None}], ids=repr)
    def test_should_default_to_postgres_when_driver_empty(
        self, driver: dict[str, object]
    ) -> None:
        config = core.configure({**driver, "host": "db"})

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
        self, driver: str, options: dict[str, Any]
    ) -> None:
        config = core.configure({"driver": driver, **options})

        assert config == PostgresConfig(**options)
        assert config.driver == "postgres"

    @pytest.mark.parametrize("path", ["app.db", "/var/lib/app.db", ":memory:"])
    def test_should_accept_sqlite_driver(self, path: str) -> None:
        config = core.configure({"driver": "sqlite", "path": path})

        assert config == SqliteConfig(path=path)
        assert config.driver == "sqlite"

    @pytest.mark.parametrize("driver", ["mysql", "sqlit", "postgre", "x y", "5"])
    def test_should_reject_invalid_driver(self, driver: str) -> None:
        with pytest.raises(core.UnknownDriverError) as caught:
            core.configure({"driver": driver, "path": "app.db"})

        assert caught.value.driver == driver
        assert f"unknown driver {driver!r}" in caught.value.message
        assert "postgres" in caught.value.message
        assert "sqlite" in caught.value.message

    @pytest.mark.parametrize("options", [{}, {"path": ""}, {"path": " "}], ids=repr)
    def test_should_require_path_for_sqlite(self, options: dict[str, object]) -> None:
        error = refused(driver="sqlite", **options)

        assert [problem.key for problem in error.problems] == ["path"]
        assert "sqlite driver requires path" in error.message

    @pytest.mark.parametrize(
        "options", [{}, {"host": ""}, {"conn_string": ""}, {"user": "u"}], ids=repr
    )
    @pytest.mark.parametrize("driver", ["postgres", "", None])
    def test_should_require_connection_params_for_postgres(
        self, options: dict[str, object], driver: str | None
    ) -> None:
        error = refused(driver=driver, **options)

        assert "postgres requires host or conn_string" in error.message
        assert ("driver is not set" in error.message) is (not driver)

    @pytest.mark.parametrize(
        "path", ["a\0b", "a\nb", "a\rb", "data/", ".", "..", "file:a.db?mode=ro"]
    )
    def test_should_validate_sqlite_path_format(self, path: str) -> None:
        error = refused(driver="sqlite", path=path)

        assert [problem.key for problem in error.problems] == ["path"]

    @pytest.mark.parametrize(
        "port", [0, -1, 65536, "abc", "", "54 32", "5432.7", 5432.7, True, None]
    )
    def test_should_reject_a_port_that_is_none(self, port: object) -> None:
        error = refused(driver="postgres", host="db", port=port)

        assert [problem.key for problem in error.problems] == ["port"]

    def test_should_never_show_a_password(self) -> None:
        error = refused(
            driver="postgres",
            password="hunter2",  # noqa: S106 - it must not be shown
            conn_string=5,
            sslmode="requre",
        )

        assert "hunter2" not in str(error)
        assert "did you mean 'require'?" in error.message

    def test_should_not_guess_sqlite_from_a_path(self) -> None:
        error = refused(path="app.db")

        assert "path: unknown option" in error.message
        assert "sqlite" in (error.hint or "")
