"""The contract on each mutant; the tests beside run it in a process of its own.

Not collected by itself: most of it fails, as it should.
"""

from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from mutant_drivers import CONTROLS, MUTANTS

# Under this mode of importing, a module of tests has no name to be imported by.
_found = spec_from_file_location(
    "contract_on_sqlite", Path(__file__).parents[1] / "contract" / "test_sqlite.py"
)
assert _found is not None
assert _found.loader is not None
_on_sqlite: Any = module_from_spec(_found)
_found.loader.exec_module(_on_sqlite)


def contract_of(name: str) -> type[Any]:
    """Return the contract on the driver *name*, held to it as the SQLite driver is."""

    class Contract(_on_sqlite.SqliteContract):  # type: ignore[misc]  # loaded from its file
        @pytest.fixture
        def config(self, tmp_path: Path) -> dict[str, object]:
            path = str(tmp_path / "app.db")
            return {"driver": name, "path": path, "password": "correct horse"}

        @pytest.fixture
        def unreachable_config(self, tmp_path: Path) -> Mapping[str, object]:
            (tmp_path / "file").touch()
            return {"driver": name, "path": str(tmp_path / "file" / "app.db")}

    Contract.__name__ = Contract.__qualname__ = f"Test_{name}"
    return Contract


globals().update({f"Test_{name}": contract_of(name) for name in [*CONTROLS, *MUTANTS]})
