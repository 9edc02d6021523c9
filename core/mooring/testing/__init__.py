"""Prove a driver: the contract as a class, and what authors of tests need.

The extra ``mooring[testing]`` brings pytest and hypothesis. Nothing here is loaded by
pytest unless it is asked for.
"""

import pytest

pytest.register_assert_rewrite("mooring.testing.contract")

from mooring.testing._capabilities import lacks, requires  # noqa: E402 - see above
from mooring.testing._driver_contract import DriverContract  # noqa: E402 - see above

__all__ = ["DriverContract", "lacks", "requires"]
