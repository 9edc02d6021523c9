"""The contract on PostgreSQL: with a pool, and on a single connection."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from mooring import core
from mooring.core import Capability
from mooring.testing import DriverContract
from mooring_postgres.testing import DatabaseServer
from psycopg import sql


class PostgresContract(DriverContract):
    """What the configurations of PostgreSQL share."""

    @pytest.fixture
    def unreachable_config(self) -> Mapping[str, object]:
        # Nobody listens on port 1, which only root may do.
        return {
            "driver": "postgres",
            "host": "127.0.0.1",
            "port": 1,
            "user": "nobody",
            "dbname": "none",
        }

    @pytest.fixture
    def fresh_config(self, config: dict[str, Any]) -> Mapping[str, object]:
        # The database of the run ends with it, and this schema with that.
        return {**config, "schema": f"{config['schema']}_other"}

    @pytest.fixture
    def raw_query(
        self,
        config: dict[str, Any],
        postgres_server: DatabaseServer,
        postgres_database: str,
    ) -> Callable[[str], list[tuple[Any, ...]]]:
        path = sql.SQL("SET search_path TO {}").format(sql.Identifier(config["schema"]))

        def query(text: str) -> list[tuple[Any, ...]]:
            with postgres_server.connect(postgres_database) as connection:
                connection.execute(path)
                return connection.execute(text.encode()).fetchall()

        return query

    @pytest.fixture
    def hasty(self) -> Mapping[str, object]:
        return {"pool_timeout": 0.15, "lock_timeout": 0.15}

    @pytest.fixture
    def leaky(self) -> tuple[str, ...]:
        return (
            "LISTEN other",
            "PREPARE other AS SELECT 1",
            "DEALLOCATE ALL",
            "DECLARE other CURSOR WITH HOLD FOR SELECT 1",
            "SELECT set_config('search_path', 'other', false)",
            "SELECT set_config('search_path', 'other', NOT true)",
            "UPDATE pg_settings SET setting = 'other' WHERE name = 'search_path'",
            "UPDATE ONLY pg_catalog.pg_settings SET setting = 'other'",
            "CREATE TABLE pg_temp.users (id text)",
            'CREATE FUNCTION "pg_temp".f() RETURNS int LANGUAGE sql AS $$SELECT 1$$',
            "SELECT 1 AS id INTO pg_temp.users",
            "SELECT pg_advisory_lock(1), 2",
            "select 1 FROM pg_catalog.pg_try_advisory_lock_shared (1)",
            "LOAD 'auto_explain'",
        )

    @pytest.fixture
    def footprint(self) -> Callable[[core.SqlStore], object]:
        # The number that the next transaction gets, if it writes.
        sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
        return lambda store: store.execute(sql).scalar()


class TestPostgres(PostgresContract):
    @pytest.fixture
    def config(self, postgres_config: dict[str, Any]) -> dict[str, Any]:
        return postgres_config

    def test_has_every_capability(self, store: core.SqlStore) -> None:
        assert store.capabilities == frozenset(Capability)


class TestPostgresOneConnection(PostgresContract):
    @pytest.fixture
    def config(self, postgres_config: dict[str, Any]) -> dict[str, Any]:
        return {**postgres_config, "max_open_conns": 1}

    def test_has_no_concurrent_snapshots(self, store: core.SqlStore) -> None:
        lacking = frozenset(Capability) - store.capabilities

        assert lacking == {Capability.CONCURRENT_SNAPSHOTS}
