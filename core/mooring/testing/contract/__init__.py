"""The contract: what a driver's stores must do, a group of tests in each file.

Each group is a class; `DriverContract` is all of them together.
"""

from mooring.testing.contract._capabilities import (
    lacks,
    lacks_sql,
    requires,
    requires_sql,
    why_not,
)
from mooring.testing.contract._contract_fixtures import LEFT_OUT, ContractFixtures
from mooring.testing.contract._driver_contract import GROUPS, DriverContract

__all__ = [
    "GROUPS",
    "LEFT_OUT",
    "ContractFixtures",
    "DriverContract",
    "lacks",
    "lacks_sql",
    "requires",
    "requires_sql",
    "why_not",
]
