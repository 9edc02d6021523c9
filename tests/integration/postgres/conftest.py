"""Proxies in front of the server of the run, and what its tests share."""

from collections.abc import Iterator

import pytest
from mooring_postgres.testing import DatabaseServer, PgBouncer, Proxy


@pytest.fixture
def proxy(postgres_server: DatabaseServer) -> Iterator[Proxy]:
    """A proxy in front of the server of the run; it forwards."""
    with Proxy(postgres_server) as proxy:
        yield proxy


@pytest.fixture
def pgbouncer(postgres_server: DatabaseServer) -> Iterator[PgBouncer]:
    """A pooler by transaction in front of the server of the run."""
    with PgBouncer(postgres_server) as pgbouncer:
        yield pgbouncer
