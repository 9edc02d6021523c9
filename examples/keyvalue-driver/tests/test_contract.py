"""The contract on the key-value driver: what every store owes, SQL or none."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from mooring import core
from mooring.testing import DriverContract
from mooring_keyvalue import KeyValueStore


class KeyValueContract(DriverContract):
    """How the contract writes and reads, where the store is left to the driver."""

    @pytest.fixture
    def write(self) -> Callable[[KeyValueStore, str], object]:
        """Keep a value under a name."""
        return lambda store, name: store.put(name, b"1")

    @pytest.fixture
    def holds(self) -> Callable[[KeyValueStore, str], bool]:
        """Say whether there is a value under a name."""
        return lambda store, name: store.get(name) is not None

    @pytest.fixture
    def footprint(self, tmp_path: Path) -> Callable[[core.Store], object]:
        """Tell all that a write changes: what is in the files, and their times."""
        return lambda _: {
            file.name: (file.read_bytes(), file.stat().st_mtime_ns)
            for file in tmp_path.iterdir()
        }


class TestKeyValue(KeyValueContract):
    """The contract on new files in each test."""

    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, object]:
        """Return options of a new store."""
        return {"driver": "keyvalue", "path": str(tmp_path / "values")}

    @pytest.fixture
    def fresh_config(self, tmp_path: Path) -> Mapping[str, object]:
        """Return options of another new one."""
        return {"driver": "keyvalue", "path": str(tmp_path / "others")}

    @pytest.fixture
    def unreachable_config(self, tmp_path: Path) -> Mapping[str, object]:
        """Return options of a store in a folder that is none."""
        (tmp_path / "file").touch()
        return {"driver": "keyvalue", "path": str(tmp_path / "file" / "values")}
