"""Prove a driver: the contract as a class, and what authors of tests need.

The extra ``mooring[testing]`` brings pytest and hypothesis. Nothing here is loaded by
pytest unless it is asked for.
"""

import pytest

pytest.register_assert_rewrite("mooring.testing.contract")

from mooring.testing.contract import (  # noqa: E402 - it must be asked for before
    DriverContract,
    lacks,
    requires,
)

__all__ = ["DriverContract", "lacks", "requires"]
