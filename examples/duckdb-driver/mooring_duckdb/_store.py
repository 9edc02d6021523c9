"""The opened DuckDB database: one pool of connections that read and write."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from mooring.core import AppliedRow, Capability, Pool, SqlStoreBase

from mooring_duckdb._config import DuckdbConfig
from mooring_duckdb._database import Database
from mooring_duckdb._dialect import translate
from mooring_duckdb._session import DuckdbSession

if TYPE_CHECKING:
    from mooring.core import MigrationSession, Unfinished

    from mooring_duckdb._versions import DuckdbVersions


class DuckdbStore(SqlStoreBase[DuckdbSession]):
    """A DuckDB database.

    Writers do not wait for each other: one that meets what another changed gets a
    `SerializationError`. Readers see a snapshot and meet nobody.
    """

    config: DuckdbConfig

    def __init__(self, config: DuckdbConfig, database: Database) -> None:
        self.database = database
        pool = Pool(
            self._connect,
            DuckdbSession.close,
            name="connections",
            max_open=config.max_open_conns,
            max_idle=config.max_idle_conns,
            timeout=config.pool_timeout,
            max_lifetime=config.conn_max_lifetime,
            max_idle_time=config.conn_max_idle_time,
            check=self._is_same_file,
            check_period=config.health_check_period,
        )
        super().__init__(
            config,
            capabilities=_capabilities(config, database),
            target=config.path,
            translate=translate,
            writers=pool,
            readers=pool,
        )

    @property
    def pool(self) -> Pool[DuckdbSession]:
        """The pool of connections: for health checks."""
        return self._writers

    def session(self, timeout: float, *, statement_timeout: float) -> DuckdbSession:
        """Open a connection beside the pool; whoever asks for it closes it."""
        return DuckdbSession(
            self.database.connect(timeout),
            statement_timeout=statement_timeout,
            read=self._read_rows,
        )

    def close(self) -> None:
        """Close the store; see `core.Store`."""
        try:
            super().close()
        finally:
            if self._closed:
                self.database.close()

    def _connect(self, timeout: float) -> DuckdbSession:
        timeout = min(timeout, self.config.connect_timeout)
        return self.session(timeout, statement_timeout=self.config.statement_timeout)

    def _is_same_file(self, session: DuckdbSession, timeout: float) -> bool:  # noqa: ARG002 - a pool's check
        return self.database.has_same_file()

    def migration_versions(
        self, table: str, *, timeout: float | None = None
    ) -> Sequence[AppliedRow] | None:
        """Return what is applied, None if nothing ever was; see `core.Migratable`."""
        with self._versions(table, timeout) as versions:
            return versions.read()

    def migration_unfinished(self, table: str) -> "Unfinished | None":
        """Return the file that did not end; see `core.Migratable`."""
        with self._versions(table) as versions:
            return versions.unfinished()

    @contextmanager
    def _versions(
        self, table: str, timeout: float | None = None
    ) -> "Iterator[DuckdbVersions]":
        from mooring_duckdb._versions import DuckdbVersions

        lease = self._writers.acquire(timeout)
        try:
            yield DuckdbVersions(lease.connection, table)
        finally:
            self._writers.release(lease, discard=not lease.connection.reset())

    def migration_session(
        self, table: str, *, timeout: float
    ) -> "AbstractContextManager[MigrationSession]":
        """Return a block that holds the migration lock; see `core.Migratable`."""
        from mooring_duckdb._migrate import DuckdbMigrationSession

        self.refuse_nested()

        return DuckdbMigrationSession(self, table, timeout)


def open_duckdb(config: DuckdbConfig) -> DuckdbStore:
    """Open the database that *config* names; nothing is left behind if it fails.

    Raises:
        OpenError: It cannot be opened; says what to do.
        CorruptStoreError: The file is no database; it was not changed.
        StoreBusyError: Another process has it open.
    """
    database = Database(config)
    database.open(config.connect_timeout)
    return DuckdbStore(config, database)


def _capabilities(config: DuckdbConfig, database: Database) -> frozenset[Capability]:
    found = {Capability.TRANSACTIONAL_DDL}
    if config.max_open_conns > 1:
        found.add(Capability.CONCURRENT_SNAPSHOTS)
    if not database.in_memory:
        found.add(Capability.DURABLE)
    return frozenset(found)
