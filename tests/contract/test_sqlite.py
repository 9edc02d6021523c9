"""The contract on SQLite: in a file, in memory, and on a single connection."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mooring import core
from mooring.core import Capability
from mooring.testing import DriverContract


class SqliteContract(DriverContract):
    """What the configurations of SQLite share."""

    @pytest.fixture
    def unreachable_config(self, tmp_path: Path) -> Mapping[str, object]:
        (tmp_path / "file").touch()
        return {"driver": "sqlite", "path": str(tmp_path / "file" / "app.db")}

    @pytest.fixture
    def fresh_config(
        self, config: dict[str, object], tmp_path: Path
    ) -> Mapping[str, object]:
        return {**config, "path": str(tmp_path / "other.db")}

    @pytest.fixture
    def raw_query(
        self, config: dict[str, object]
    ) -> Callable[[str], list[tuple[Any, ...]]] | None:
        def query(sql: str) -> list[tuple[Any, ...]]:
            with closing(sqlite3.connect(str(config["path"]))) as connection:
                return connection.execute(sql).fetchall()

        return query

    @pytest.fixture
    def hasty(self) -> Mapping[str, object]:
        return {"busy_timeout": 0.15, "pool_timeout": 0.15}

    @pytest.fixture
    def leaky(self) -> tuple[str, ...]:
        return (
            "PRAGMA foreign_keys = OFF",
            "pragma Query_Only(1)",
            "PRAGMA main.synchronous = 0",
            "ATTACH ':memory:' AS other",
            "DETACH other",
        )

    @pytest.fixture
    def footprint(self) -> Callable[[core.SqlStore], object]:
        def files(store: core.SqlStore) -> object:
            path = Path(str(getattr(store.config, "path", "")))
            both = (path, path.with_name(path.name + "-wal"))
            return [(file.read_bytes(), file.stat().st_mtime_ns) for file in both]

        return files


class TestSqliteFile(SqliteContract):
    """Where all share a COMMIT who can: it must hold there as well."""

    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, object]:
        path = str(tmp_path / "app.db")
        return {"driver": "sqlite", "path": path, "group_commit": "all"}

    def test_has_every_capability(self, store: core.SqlStore) -> None:
        assert store.capabilities == frozenset(Capability)


class TestSqliteOneConnection(SqliteContract):
    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, object]:
        path = str(tmp_path / "app.db")
        return {"driver": "sqlite", "path": path, "max_open_conns": 1}

    def test_has_no_concurrent_snapshots(self, store: core.SqlStore) -> None:
        lacking = frozenset(Capability) - store.capabilities

        assert lacking == {Capability.CONCURRENT_SNAPSHOTS}


class TestSqliteMemory(SqliteContract):
    @pytest.fixture
    def config(self) -> dict[str, object]:
        return {"driver": "sqlite", "path": ":memory:"}

    @pytest.fixture
    def fresh_config(self, config: dict[str, object]) -> Mapping[str, object]:
        return config

    @pytest.fixture
    def raw_query(self) -> None:
        """There is no way to it but the store."""

    @pytest.fixture
    def footprint(self) -> Callable[[core.SqlStore], object]:
        def counters(store: core.SqlStore) -> object:
            changes = store.execute("SELECT total_changes()").scalar()
            return changes, store.execute("PRAGMA schema_version").scalar()

        return counters

    def test_ends_with_its_store(self, store: core.SqlStore) -> None:
        lacking = frozenset(Capability) - store.capabilities

        assert lacking == {
            Capability.CONCURRENT_SNAPSHOTS,
            Capability.DURABLE,
            Capability.MULTI_PROCESS,
        }
