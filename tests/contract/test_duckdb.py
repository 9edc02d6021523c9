"""The contract on DuckDB, whose driver is a third party's: in a file, and in memory."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from mooring import core
from mooring.core import Capability
from mooring.testing import DriverContract
from mooring_duckdb._database import OPTIONS

NOT_IN_DUCKDB = {
    Capability.CASCADING_FOREIGN_KEYS,
    Capability.MULTI_PROCESS,
    Capability.SAVEPOINTS,
    Capability.SERIALIZABLE,
}


class DuckdbContract(DriverContract):
    """What the configurations of DuckDB share."""

    @pytest.fixture
    def leaky(self) -> tuple[str, ...]:
        return (
            "PRAGMA threads = 1",
            "pragma Enable_Profiling",
            "PRAGMA disable_checkpoint_on_shutdown",
            "CALL enable_logging()",
            "SET LOCAL threads = 1",
            "USE memory",
            "LOAD json",
            "INSTALL httpfs",
            "PREPARE other AS SELECT 1",
            "FORCE CHECKPOINT",
        )


class TestDuckdbFile(DuckdbContract):
    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, object]:
        return {"driver": "duckdb", "path": str(tmp_path / "app.duckdb")}

    @pytest.fixture
    def fresh_config(self, tmp_path: Path) -> Mapping[str, object]:
        return {"driver": "duckdb", "path": str(tmp_path / "other.duckdb")}

    @pytest.fixture
    def unreachable_config(self, tmp_path: Path) -> Mapping[str, object]:
        (tmp_path / "file").touch()
        return {"driver": "duckdb", "path": str(tmp_path / "file" / "app.duckdb")}

    @pytest.fixture
    def raw_query(
        self, config: dict[str, object]
    ) -> Callable[[str], list[tuple[Any, ...]]]:
        def query(sql: str) -> list[tuple[Any, ...]]:
            # The engine is one in a process, and is opened with the same options.
            where = str(config["path"])
            with duckdb.connect(where, config=dict(OPTIONS)) as connection:
                return connection.execute(sql).fetchall()

        return query

    @pytest.fixture
    def footprint(self) -> Callable[[core.SqlStore], object]:
        def files(store: core.SqlStore) -> object:
            path = Path(str(getattr(store.config, "path", "")))
            found = [file.stat() for file in sorted(path.parent.glob(f"{path.name}*"))]
            # Reading one by hand would drop the lock of this process.
            return [(file.st_ino, file.st_size, file.st_mtime_ns) for file in found]

        return files

    def test_lacks_what_the_engine_does_not_have(self, store: core.SqlStore) -> None:
        assert frozenset(Capability) - store.capabilities == NOT_IN_DUCKDB


class TestDuckdbMemory(DuckdbContract):
    @pytest.fixture
    def config(self) -> dict[str, object]:
        return {"driver": "duckdb", "path": ":memory:"}

    @pytest.fixture
    def fresh_config(self, config: dict[str, object]) -> Mapping[str, object]:
        return config

    @pytest.fixture
    def footprint(self) -> Callable[[core.SqlStore], object]:
        def tables(store: core.SqlStore) -> object:
            rows = store.execute(
                "SELECT table_name, estimated_size FROM duckdb_tables()"
            )
            return sorted(map(tuple, rows))

        return tables

    def test_ends_with_its_store(self, store: core.SqlStore) -> None:
        lacking = frozenset(Capability) - store.capabilities

        assert lacking == NOT_IN_DUCKDB | {Capability.DURABLE}
