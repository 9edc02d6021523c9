"""What every connection adapts values with."""

import psycopg
import pytest
from mooring_postgres._adapt import adapters
from psycopg.pq import Format


@pytest.mark.parametrize("name", ["date", "time", "timestamptz", "interval", "jsonb"])
def test_connections_share_their_classes(name: str) -> None:
    """Or each leaves some behind: psycopg forgets none that it loaded with."""
    oid = psycopg.adapters.types[name].oid
    one, other = (adapters().get_loader(oid, Format.TEXT) for _ in range(2))

    assert one is other
    assert one is not psycopg.adapters.get_loader(oid, Format.TEXT)
