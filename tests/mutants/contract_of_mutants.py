"""The contract on each mutant; the tests beside run it in a process of its own.

Not collected by itself: most of it fails, as it should.
"""

from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from mutant_drivers import CONTROLS, MUTANTS
from mutant_drivers._plain_driver import PlainDriver

FOLDER = Path(__file__).parents[1] / "contract"


def _loaded(name: str) -> Any:
    """Return a module of tests, which under this mode of importing has no name."""
    found = spec_from_file_location(f"contract_on_{name}", FOLDER / f"test_{name}.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


# By whether it speaks SQL, the contract that the driver itself is held to.
CONTRACTS = {
    True: _loaded("sqlite").SqliteContract,
    False: _loaded("keyvalue").KeyValueContract,
}


def contract_of(name: str, driver: Any) -> type[Any]:
    """Return the contract on a driver, held to it as the one that it was made of."""
    kind = CONTRACTS[not isinstance(driver, PlainDriver)]

    class Contract(kind):  # type: ignore[misc, valid-type]  # loaded from its file
        @pytest.fixture
        def config(self, tmp_path: Path) -> dict[str, object]:
            return options(tmp_path / "app.db")

        @pytest.fixture
        def fresh_config(self, tmp_path: Path) -> Mapping[str, object]:
            return options(tmp_path / "other.db")

        @pytest.fixture
        def unreachable_config(self, tmp_path: Path) -> Mapping[str, object]:
            (tmp_path / "file").touch()
            return {"driver": name, "path": str(tmp_path / "file" / "app.db")}

    def options(path: Path) -> dict[str, object]:
        return {"driver": name, "path": str(path), "password": "correct horse"}

    Contract.__name__ = Contract.__qualname__ = f"Test_{name}"
    return Contract


DRIVERS = {**CONTROLS, **{name: mutant.driver for name, mutant in MUTANTS.items()}}
globals().update({f"Test_{name}": contract_of(name, d) for name, d in DRIVERS.items()})
