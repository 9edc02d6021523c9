"""Prove a driver with the contract, and test applications on real databases.

The extra ``mooring[testing]`` brings pytest and hypothesis. Nothing here is loaded by
pytest unless it is asked for, and names are imported when they are first used: the
tests of an application do not wait for the contract.
"""

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

pytest.register_assert_rewrite("mooring.testing.contract")

if TYPE_CHECKING:
    from mooring.testing._faults import Fault
    from mooring.testing._faulty_store import FaultyStore
    from mooring.testing._rollback import rolled_back
    from mooring.testing._scratch import ScratchDatabases, TemplateDatabases
    from mooring.testing.contract import DriverContract, lacks, requires

_HOME = {
    "_faults": "Fault",
    "_faulty_store": "FaultyStore",
    "_rollback": "rolled_back",
    "_scratch": "ScratchDatabases TemplateDatabases",
    "contract": "DriverContract lacks requires",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "DriverContract",
    "Fault",
    "FaultyStore",
    "ScratchDatabases",
    "TemplateDatabases",
    "lacks",
    "requires",
    "rolled_back",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
