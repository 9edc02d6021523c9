"""The tests that ``mooring driver check`` runs; only its plugin asks for them."""

import tempfile
from collections.abc import Iterator

import pytest

from mooring.testing._check_plugin import REQUEST
from mooring.testing._driver_contract import DriverContract
from mooring.testing._fresh import fill


class TestDriver(DriverContract):
    """The contract on a driver that the command line names."""

    @pytest.fixture
    def config(self, pytestconfig: pytest.Config) -> Iterator[dict[str, object]]:
        """Return options that no other test has."""
        options = pytestconfig.stash[REQUEST]["options"]
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            yield fill(options, folder)
