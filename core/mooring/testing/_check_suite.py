"""The tests that ``mooring driver check`` runs; only its plugin asks for them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mooring.testing._check_plugin import REQUEST
from mooring.testing._fresh import fill
from mooring.testing.contract import DriverContract


class TestDriver(DriverContract):
    """The contract on a driver that the command line names."""

    @pytest.fixture
    def config(self, pytestconfig: pytest.Config) -> Iterator[dict[str, object]]:
        """Return options that no other test has."""
        with _filled(pytestconfig) as options:
            yield options

    @pytest.fixture
    def fresh_config(self, pytestconfig: pytest.Config) -> Iterator[dict[str, object]]:
        """Return the options of a second store."""
        with _filled(pytestconfig) as options:
            yield options


@contextmanager
def _filled(pytestconfig: pytest.Config) -> Iterator[dict[str, object]]:
    options = pytestconfig.stash[REQUEST]["options"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield fill(options, folder)
