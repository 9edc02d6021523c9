"""The opened PostgreSQL database: one pool of connections that read and write."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from mooring.core import (
    AppliedRow,
    Capability,
    MooringError,
    OpenError,
    Pool,
    SqlStoreBase,
    UniqueViolation,
)

from mooring_postgres._config import PostgresConfig
from mooring_postgres._connect import connect
from mooring_postgres._connection import LEAST
from mooring_postgres._dialect import translate
from mooring_postgres._params import connect_timeout, described
from mooring_postgres._session import PostgresSession

if TYPE_CHECKING:
    from mooring.core import MigrationSession, Unfinished

    from mooring_postgres._versions import PostgresVersions


class PostgresStore(SqlStoreBase[PostgresSession]):
    """A PostgreSQL database.

    A connection is looked at each time before it is lent, for a few microseconds, so
    that those which a restart of the server cut off are replaced without an error.
    """

    config: PostgresConfig

    def __init__(self, config: PostgresConfig) -> None:
        pool = Pool(
            self._connect,
            PostgresSession.close,
            name="connections",
            max_open=config.max_open_conns,
            max_idle=config.max_idle_conns,
            timeout=config.pool_timeout,
            max_lifetime=config.conn_max_lifetime,
            max_idle_time=config.conn_max_idle_time,
            check=PostgresSession.is_alive,
            check_period=config.health_check_period,
            glance=PostgresSession.is_quiet,
        )
        super().__init__(
            config,
            capabilities=_capabilities(config),
            target=described(config),
            translate=translate,
            writers=pool,
            readers=pool,
        )

    @property
    def pool(self) -> Pool[PostgresSession]:
        """The pool of connections: for health checks."""
        return self._writers

    def session(self, *, timeout: float, migration: bool = False) -> PostgresSession:
        """Open a connection beside the pool; whoever asks for it closes it."""
        timeout = min(timeout, connect_timeout(self.config, migration=migration))
        return PostgresSession(
            connect(self.config, timeout=timeout, migration=migration),
            target=described(self.config, migration=migration),
            ping_timeout=self.config.ping_timeout,
            read=self._read_rows,
        )

    def _connect(self, timeout: float) -> PostgresSession:
        return self.session(timeout=timeout)

    def make_schema(self) -> None:
        """Make sure that there is the schema of the configuration, if it names one.

        Raises:
            OpenError: There is none, and it must not or cannot be made.
        """
        name = self.config.schema
        lease = self._writers.acquire()
        try:
            session = lease.connection
            if not name or session.query("SELECT current_schema()") == [(name,)]:
                return
            if not self.config.create:
                raise OpenError(
                    f"{self.target} has no schema {name!r}",
                    hint="make it, or set create to let the driver make it",
                )
            # Two that make it at once can both find that it is not there.
            for _ in range(2):
                try:
                    session.control(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
                except UniqueViolation:
                    continue
                except MooringError as cause:
                    raise OpenError(
                        f"{self.target}: schema {name!r} cannot be made:"
                        f" {cause.message}",
                        hint="make it with a role that may, and grant USAGE on it",
                    ) from cause
                return
        finally:
            self._writers.release(lease)

    def migration_versions(
        self, table: str, *, timeout: float | None = None
    ) -> Sequence[AppliedRow] | None:
        """Return what is applied, None if nothing ever was; see `Migratable`."""
        with self._versions(table, timeout) as versions:
            return versions.read()

    def migration_unfinished(self, table: str) -> "Unfinished | None":
        """Return the file that did not end; see `Migratable`."""
        with self._versions(table) as versions:
            return versions.unfinished()

    @contextmanager
    def _versions(
        self, table: str, timeout: float | None = None
    ) -> "Iterator[PostgresVersions]":
        from mooring_postgres._versions import PostgresVersions

        if Capability.CONCURRENT_SNAPSHOTS not in self.capabilities:
            self.refuse_nested()  # there is one connection, and the scope has it
        started = monotonic()
        lease = self._writers.acquire(timeout)
        limit = lease.connection.connection.limit
        if timeout is not None:
            limit = max(timeout - (monotonic() - started), LEAST)
        try:
            with lease.connection.limited(limit):
                yield PostgresVersions(lease.connection, table)
        finally:
            self._writers.release(lease, discard=not lease.connection.reset())

    def migration_session(
        self, table: str, *, timeout: float
    ) -> "AbstractContextManager[MigrationSession]":
        """Return a block that holds the migration lock; see `Migratable`."""
        from mooring_postgres._migrate import PostgresMigrationSession

        self.refuse_nested()

        return PostgresMigrationSession(self, table, timeout)


def open_postgres(config: PostgresConfig) -> PostgresStore:
    """Open the database that *config* names; nothing is left behind if it fails.

    Raises:
        OpenError: It cannot be opened; says what to do.
    """
    store = PostgresStore(config)
    try:
        # One connection now, so that what is wrong shows here with its own cause.
        store.connect(connect_timeout(config))
        if config.schema:
            store.make_schema()
    except BaseException:
        store.close()
        raise
    return store


def _capabilities(config: PostgresConfig) -> frozenset[Capability]:
    found = frozenset(Capability)
    if config.max_open_conns == 1:
        found -= {Capability.CONCURRENT_SNAPSHOTS}
    return found
