"""The contract on a store that speaks no SQL, as its driver's own tests have it."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[2] / "examples/keyvalue-driver/tests/test_contract.py"
_found = spec_from_file_location("contract_on_keyvalue", _FILE)
assert _found is not None
assert _found.loader is not None
_own: Any = module_from_spec(_found)
_found.loader.exec_module(_own)


KeyValueContract = _own.KeyValueContract


class TestKeyValue(_own.TestKeyValue):  # type: ignore[misc]  # loaded from its file
    """Nothing is added here: what others get to see is what is tried."""
