"""Proxies in front of the server of the run, and what its tests share."""

from collections.abc import Iterator

import pytest
from mooring_postgres.testing import DatabaseServer, Proxy


@pytest.fixture
def proxy(postgres_server: DatabaseServer) -> Iterator[Proxy]:
    """A proxy in front of the server of the run; it forwards."""
    with Proxy(postgres_server) as proxy:
        yield proxy
