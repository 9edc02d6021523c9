"""What users write, with the types that they see: run, and read by both checkers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_type

import attrs
import pytest
from mooring import core, migrate
from mooring_sqlite import SqliteConfig, SqliteStore

ADD = "INSERT INTO users (id, email, role) VALUES (:id, :email, :role)"
ALL = "SELECT id, email FROM users ORDER BY id"


@attrs.frozen
class User:
    id: str
    email: str


@pytest.fixture
def config(tmp_path: Path) -> dict[str, object]:
    return {"driver": "sqlite", "path": str(tmp_path / "app.db")}


def test_a_mapping_a_url_and_an_instance_open_a_sql_store(tmp_path: Path) -> None:
    path = str(tmp_path / "app.db")
    with core.open({"driver": "sqlite", "path": path}) as store:
        assert_type(store, core.SqlStore)
    with core.open(f"sqlite:{path}") as store:
        assert_type(store, core.SqlStore)
    with core.open(SqliteConfig(path=path, busy_timeout=1)) as store:
        assert_type(store, core.SqlStore)
        assert_type(store.config, core.StoreConfig)
        assert_type(store.driver, str)
        assert_type(store.capabilities, frozenset[core.Capability])


def test_an_opened_store_is_the_drivers_class_where_that_is_needed() -> None:
    with core.open("sqlite::memory:") as store:
        assert isinstance(store, SqliteStore)
        assert_type(store.config, SqliteConfig)
        assert store.config.path == ":memory:"


def test_a_transaction_lends_what_runs_statements(config: dict[str, object]) -> None:
    with core.open(config) as store:
        with store.transaction() as tx:
            assert_type(tx, core.Transaction)
            result = tx.execute(ADD, {"id": "u1", "email": "a@b.c", "role": "admin"})
            assert_type(result, core.Result)
            assert_type(result.rowcount, int | None)
            with tx.savepoint() as inner:
                assert_type(inner, core.Transaction)
        assert result.rowcount == 1


def test_rows_are_read_into_the_class_that_is_given(config: dict[str, object]) -> None:
    with core.open(config) as store:
        store.execute(ADD, {"id": "u1", "email": "a@b.c", "role": "admin"})
        with store.read() as snapshot:
            assert_type(snapshot, core.Snapshot)
            user = snapshot.execute(ALL).one(User)
            assert_type(user, User)
            assert_type(snapshot.execute(ALL).all(User), list[User])
            found = snapshot.execute(ALL).one_or_none(User)
            assert_type(found, User | None)
        assert user == found == User("u1", "a@b.c")


def test_without_a_class_rows_carry_the_engines_values(
    config: dict[str, object],
) -> None:
    with core.open(config) as store:
        row = store.execute("SELECT 1 AS one, 'x' AS letter").one()
        assert_type(row, core.Row)
        assert_type(row.keys(), list[str])
        assert_type(store.execute(ALL).all(), list[core.Row])
        assert_type(store.execute(ALL).one_or_none(), core.Row | None)
        count: int = store.execute("SELECT count(*) FROM users").scalar()
        assert (row["one"], row[1], count) == (1, "x", 0)
        for each in store.execute(ALL):
            assert_type(each, core.Row)


def test_run_returns_what_the_function_returns(config: dict[str, object]) -> None:
    def count(tx: core.Transaction) -> int:
        found: int = tx.execute("SELECT count(*) FROM users").scalar()
        return found

    with core.open(config) as store:
        found = store.run(count)
        assert_type(found, int)
        assert found == 0


def test_health_is_a_value(config: dict[str, object]) -> None:
    with core.open(config) as store:
        health = core.health_check(store, deep=True, timeout=2)
    assert_type(health, core.Health)
    assert_type(health.ok, bool)
    assert_type(health.checks, tuple[core.Check, ...])
    assert health.ok


def test_drivers_and_migrations_are_values(config: dict[str, object]) -> None:
    assert_type(core.drivers(), list[core.DriverEntry])
    with core.open(config) as store:
        folder = core.driver_folder(store)
        assert_type(folder, core.Folder | None)
        assert folder is not None
        migrator = migrate.Migrator(store, migrate.Source(folder))
        assert_type(migrator.at_head(), bool)
        statuses: Sequence[migrate.MigrationStatus] = migrator.status()
    assert [status.state for status in statuses] == ["applied"] * 4


def test_a_migration_in_python_is_typed_and_tried_on_a_store(
    config: dict[str, object],
) -> None:
    def up(connection: core.Autocommit) -> None:
        with connection.transaction() as tx:
            assert_type(tx, core.Transaction)
            tx.execute("INSERT INTO users (id, email, role) VALUES ('u', 'e', 'admin')")
        assert_type(connection.execute("SELECT 1"), core.Result)

    with core.open(config) as store:
        up(store)
        assert store.execute("SELECT count(*) FROM users").scalar() == 1


def test_errors_carry_data() -> None:
    with pytest.raises(core.ConfigError) as raised:
        core.configure({"driver": "sqlite", "path": 5, "busy_timeout": -1})
    error = raised.value
    assert_type(error.hint, str | None)
    assert_type(error.message, str)
    keys: list[str] = [problem.key for problem in error.problems]
    assert keys == ["path", "busy_timeout"]


def test_a_driver_is_registered_without_being_installed() -> None:
    class Plugin:
        @core.hookimpl
        def driver_info(self) -> core.DriverInfo:
            raise NotImplementedError

    registry = core.Registry(discover=False)
    plugin: Any = Plugin()
    registry.register(plugin, name="mine")
    assert [entry.name for entry in registry.drivers()] == ["mine"]
