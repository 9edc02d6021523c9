"""The opened SQLite database: one connection that writes, and a pool that reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING

from mooring.core import (
    Capability,
    MooringError,
    OpenError,
    Pool,
    PoolStats,
    SqlStoreBase,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    import_safely,
)

from mooring_sqlite._config import MIB, SqliteConfig
from mooring_sqlite._connect import connect, refuse_old_library, settings_for
from mooring_sqlite._dialect import translate
from mooring_sqlite._path import (
    Location,
    file_identity,
    is_on_disk,
    locate,
    prepare_file,
)
from mooring_sqlite._session import SqliteSession

if TYPE_CHECKING:
    from mooring.core import AppliedRow, Lease, MigrationSession, Unfinished

    from mooring_sqlite._upkeep import Upkeep
    from mooring_sqlite._versions import SqliteVersions

# SQLite moves the log at 4 MiB, so that one of this size was kept from it.
_ORDINARY = 8 * MIB
# "perhaps once per day or once per hour": sqlite.org/pragma.html, "PRAGMA optimize".
_OPTIMIZE_PERIOD = 3600.0
# Fewer changed rows tell the planner nothing new.
_WORTH_OPTIMIZING = 1000

_ALL = frozenset(Capability)
_IN_MEMORY = _ALL - {
    Capability.CONCURRENT_SNAPSHOTS,
    Capability.DURABLE,
    Capability.MULTI_PROCESS,
}


class SqliteStore(SqlStoreBase[SqliteSession]):
    """A SQLite database.

    Writers queue in the process for the one connection that writes, so that threads
    never meet a busy database; readers have connections of their own, which refuse to
    write. In memory, or with ``max_open_conns`` 1, all of them share one connection.
    """

    config: SqliteConfig

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        self.location = location
        self._file = None if location.in_memory else file_identity(location.path)
        self._shared = location.in_memory or config.max_open_conns == 1
        self._connected = False
        self._upkeep: Upkeep | None = None
        self._optimize_at = monotonic() + _OPTIMIZE_PERIOD
        self._changes = 0  # rows that were changed when that was done last
        writers = Pool(
            self._connect_writer,
            SqliteSession.close,
            name="writers",
            max_open=1,
            max_idle=1,
            timeout=max(config.busy_timeout, 0.001),
            check=self._is_same_file,
            check_period=config.health_check_period,
            # What is in memory only would be lost with its connection.
            reset=SqliteSession.reset if location.in_memory else None,
            busy=self._turn_error,
        )
        readers = writers if self._shared else self._reader_pool(config)
        super().__init__(
            config,
            capabilities=_capabilities(config, location),
            target=config.path,
            translate=translate,
            writers=writers,
            readers=readers,
        )
        # In memory there is no flush to share.
        self.group_commit = "off" if location.in_memory else config.group_commit

    def _reader_pool(self, config: SqliteConfig) -> Pool[SqliteSession]:
        return Pool(
            self._connect_reader,
            SqliteSession.close,
            name="readers",
            max_open=config.max_open_conns - 1,  # the writer counts
            max_idle=config.max_idle_conns,
            timeout=config.pool_timeout,
            max_lifetime=config.conn_max_lifetime,
            max_idle_time=config.conn_max_idle_time,
            check=self._is_same_file,
            check_period=config.health_check_period,
        )

    def _connect_writer(self, timeout: float) -> SqliteSession:
        if self._connected and self.location.in_memory:
            raise StoreClosedError(
                "the in-memory database was lost with its connection",
                hint="open a new store; keep what must last in a file",
            )
        session = self._session(read_only=False, timeout=timeout)
        self._connected = True
        return session

    def _connect_reader(self, timeout: float) -> SqliteSession:
        return self._session(read_only=True, timeout=timeout)

    def _session(self, *, read_only: bool, timeout: float) -> SqliteSession:
        config, location = self.config, self.location
        # Before opening, too: what stands there now is not for us to touch.
        self._require_same_file()
        settings = settings_for(config, location, read_only=read_only)
        session = SqliteSession(
            connect(
                config,
                location,
                settings,
                timeout=min(timeout, config.connect_timeout),
            ),
            settings=settings,
            target=config.path,
            statement_timeout=config.statement_timeout,
            read=self._read_rows,
            read_deadline=config.read_deadline,
            upkeep=None if read_only or location.in_memory else self._look_after,
        )
        try:
            self._require_same_file()
        except BaseException:
            session.close()
            raise
        return session

    def _look_after(self, session: SqliteSession) -> None:
        """See to the log and to statistics, between two transactions.

        What was committed is committed: nothing that fails here is an error of it.
        """
        with suppress(OSError, StoreError):
            if os.stat(f"{self.location.path}-wal").st_size > _ORDINARY:
                if self._upkeep is None:
                    import_safely("mooring_sqlite._upkeep")
                    from mooring_sqlite._upkeep import Upkeep

                    self._upkeep = Upkeep(self)
                self._upkeep.look(session)
            if monotonic() >= self._optimize_at:
                self._optimize(session)

    def _optimize(self, session: SqliteSession) -> None:
        """Have statistics brought up to date, if enough was changed since."""
        self._optimize_at = monotonic() + _OPTIMIZE_PERIOD
        changes = session.connection.total_changes
        # Another connection counts anew.
        if abs(changes - self._changes) < _WORTH_OPTIMIZING:
            return
        self._changes = changes
        import_safely("mooring_sqlite._upkeep")
        from mooring_sqlite._upkeep import optimize

        optimize(session)

    def close(self) -> None:
        """Close the store; see `SqlStore`."""
        # As PRAGMA optimize is meant: just before the connection is closed. Where
        # somebody still writes, or nothing is open, there is no such moment.
        if not self._closed and not self.location.in_memory and not self.inherited:
            with suppress(MooringError):
                if self._writers.stats.idle:
                    lease = self._writers.acquire(0)
                    try:
                        self._optimize(lease.connection)
                    finally:
                        self._writers.release(lease)
        super().close()

    def has_same_file(self) -> bool:
        """Say whether the path still leads to the file that was opened."""
        if self.location.in_memory:
            return True
        return file_identity(self.location.path) == self._file

    def _is_same_file(self, *_: object) -> bool:
        return self.has_same_file()

    def _require_same_file(self) -> None:
        if not self.has_same_file():
            raise OpenError(
                f"{self.location.path} was removed or replaced while the store is open",
                hint="close the store and open it again; copy databases with the"
                " backup API, not over an open one",
            )

    def _turn_error(
        self, waited: float, stats: PoolStats, holders: list[str]
    ) -> MooringError:
        who = f"; {holders[0]} has it" if holders else ""
        kind = "connection" if self._shared else "turn to write"
        return StoreBusyError(
            f"{self.target}: waited {waited:.1f} s for the {kind} (busy_timeout)"
            f"{who}, {stats.waiting} wait behind",
            hint="keep transactions short; if this thread holds it in another context,"
            " use the transaction that is open; or raise busy_timeout",
        )

    def migration_versions(
        self, table: str, *, timeout: float | None = None
    ) -> Sequence[AppliedRow] | None:
        """Return what is applied, None if nothing ever was; see `Migratable`."""
        with self._versions(table, timeout) as versions:
            return versions.read()

    def migration_unfinished(self, table: str) -> Unfinished | None:
        """Return the file that did not end; see `Migratable`."""
        with self._versions(table) as versions:
            return versions.unfinished()

    @contextmanager
    def _versions(
        self, table: str, timeout: float | None = None
    ) -> Iterator[SqliteVersions]:
        from mooring_sqlite._versions import SqliteVersions

        # Right after opening, the connection that is there already serves.
        pool = self._writers if self._writers.stats.idle else self._readers
        if Capability.CONCURRENT_SNAPSHOTS not in self.capabilities:
            self.refuse_nested()  # there is one connection, and the scope has it
        lease = pool.acquire(timeout)
        try:
            yield SqliteVersions(lease.connection, table)
        finally:
            pool.release(lease)

    def migration_session(
        self, table: str, *, timeout: float
    ) -> AbstractContextManager[MigrationSession]:
        """Return a block that holds the migration lock; see `Migratable`."""
        from mooring_sqlite._migrate import SqliteMigrationSession

        self.refuse_nested()

        return SqliteMigrationSession(self.location, self._writers, table, timeout)

    def pools(self) -> list[Pool[SqliteSession]]:
        """Return the pools of connections, each once: for health checks."""
        return [self._writers] if self._shared else [self._writers, self._readers]

    def read_leases(self) -> list[Lease[SqliteSession]]:
        """Return the connections that are lent for reading beside the one that writes.

        Those whose snapshot was given up hold nothing. Who had his for longest comes
        first.
        """
        lent = [] if self._shared else self._readers.leases()[1]
        holding = [lease for lease in lent if lease.connection.may_read]
        return sorted(holding, key=lambda lease: lease.since)

    def _state(self) -> str:
        writers = self._writers.stats
        if self._shared:
            return f"{writers.lent}/1 connection"
        readers = self._readers.stats
        return f"1 writer, {readers.lent}/{readers.max_open} readers"


def open_sqlite(config: SqliteConfig) -> SqliteStore:
    """Open the database that *config* names; nothing is left behind if it fails.

    Raises:
        OpenError: It cannot be opened; says what to do.
        CorruptStoreError: It is damaged or no database; no byte was changed.
    """
    refuse_old_library()
    location = locate(config.path, create=config.create)
    made = not location.in_memory and prepare_file(location)
    store = SqliteStore(config, location)
    try:
        if not (
            location.in_memory
            or config.network_file_system
            or is_on_disk(location.path)
        ):
            from mooring_sqlite._mount import refuse_network

            refuse_network(location.path)
        # One connection now, so that what is wrong shows here with its own cause.
        store.connect()
    except BaseException:
        store.close()
        if made and os.path.getsize(location.path) == 0:
            os.unlink(location.path)
        raise
    return store


def _capabilities(config: SqliteConfig, location: Location) -> frozenset[Capability]:
    if location.in_memory:
        return _IN_MEMORY
    found = _ALL
    if config.max_open_conns == 1:
        found -= {Capability.CONCURRENT_SNAPSHOTS}
    if config.synchronous != "full":
        found -= {Capability.DURABLE}
    return found
