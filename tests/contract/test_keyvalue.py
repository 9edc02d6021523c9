"""The contract on a store that speaks no SQL, whose driver is a third party's."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from mooring import core
from mooring.testing import DriverContract
from mooring_keyvalue import KeyValueStore


class TestKeyValue(DriverContract):
    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, object]:
        return {"driver": "keyvalue", "path": str(tmp_path / "values")}

    @pytest.fixture
    def fresh_config(self, tmp_path: Path) -> Mapping[str, object]:
        return {"driver": "keyvalue", "path": str(tmp_path / "others")}

    @pytest.fixture
    def unreachable_config(self, tmp_path: Path) -> Mapping[str, object]:
        (tmp_path / "file").touch()
        return {"driver": "keyvalue", "path": str(tmp_path / "file" / "values")}

    @pytest.fixture
    def write(self) -> Callable[[KeyValueStore, str], object]:
        return lambda store, name: store.put(name, b"1")

    @pytest.fixture
    def holds(self) -> Callable[[KeyValueStore, str], bool]:
        return lambda store, name: store.get(name) is not None

    @pytest.fixture
    def footprint(self, tmp_path: Path) -> Callable[[core.Store], object]:
        return lambda _: {
            file.name: (file.read_bytes(), file.stat().st_mtime_ns)
            for file in tmp_path.iterdir()
        }
