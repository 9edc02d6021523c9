"""Migrating a PostgreSQL database: a session of its own, and the lock."""

from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

from mooring.core import AppliedRow, MigrationError, StoreError, Unfinished

from mooring_postgres import _lock
from mooring_postgres._connect import MARGIN
from mooring_postgres._params import milliseconds
from mooring_postgres._session import PostgresSession
from mooring_postgres._unit import PostgresUnit, own_transaction
from mooring_postgres._versions import PostgresVersions

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mooring.core import Session

    from mooring_postgres._store import PostgresStore

# What DISCARD ALL does, but for the session's advisory locks. RESET ROLE is for a role
# that ALTER ROLE sets at the start: servers from before November 2024 undo it as well
# with the statement before.
_RESET: Final = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RESET ALL;"
    " DEALLOCATE ALL; UNLISTEN *; DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES"
)
_PLACE: Final = "SELECT current_database(), current_schema()"


class PostgresMigrationSession:
    """A connection of its own, for as long as this process may migrate the database."""

    def __init__(self, store: "PostgresStore", table: str, timeout: float) -> None:
        self._store = store
        self._table = table
        self._timeout = timeout
        self._limit: float | None = None
        self._has_bounds = False

    def __enter__(self) -> Self:
        """Connect past any pooler, and wait for the lock."""
        config = self._store.config
        if config.pooler == "transaction" and not config.migration_conn_string:
            raise MigrationError(
                "migrations are pending, and cannot go through a transaction pooler:"
                " it lends another session each time, so no lock would hold",
                hint="set migration_conn_string to a connection string that leads to"
                " the server itself",
            )
        deadline = monotonic() + self._timeout
        self._session = self._store.session(timeout=self._timeout, migration=True)
        try:
            self._reset = "; ".join(filter(None, (_RESET, _watched(self._session))))
            _lock.acquire(self._session, self._timeout, deadline=deadline)
            self._schema = self._current_schema()
        except BaseException:
            self._session.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Free the lock, and close the connection with whatever was set on it."""
        try:
            # Where that fails the session is gone, and the lock with it.
            with suppress(StoreError):
                if self._session.reset():
                    _lock.release(self._session)
        finally:
            self._session.close()

    def versions(self) -> Sequence[AppliedRow]:
        """Return what is applied. A missing version table is made by the first unit."""
        return self._tables().read() or ()

    def unfinished(self) -> Unfinished | None:
        """Return the file that was begun without a transaction and did not end."""
        return self._tables().unfinished()

    def limit(self, *, statement: float | None, lock: float | None) -> None:
        """Bound what the files execute; see `core.LimitsStatements`."""
        self._has_bounds = lock is not None
        bounds = {"statement_timeout": statement, "lock_timeout": lock}
        settings = "; ".join(
            f"SET {name} = {milliseconds(seconds)}"
            for name, seconds in bounds.items()
            if seconds is not None
        )
        if settings:
            self._session.control(settings)
            # Behind the RESET ALL at the end of each file.
            self._reset = f"{self._reset}; {settings}"
        # The server's own comes first; this is for one that does not answer.
        self._limit = None if statement is None else statement + MARGIN

    def commits_in(self, sql: str) -> int | None:
        """Return where a piece begins or ends a transaction; see `LetsFilesCommit`."""
        return own_transaction(sql)

    def lend(self, unit: PostgresUnit) -> "AbstractContextManager[Session]":
        """Return a block that has the session, in *unit*; see `LendsConnection`."""
        return unit.lend()

    def unit(self, *, transaction: bool) -> PostgresUnit:
        """Return a block around statements that are kept or undone together."""
        return PostgresUnit(
            self._session,
            self._tables(),
            reset=self._reset,
            limit=self._limit,
            transaction=transaction,
            waits=not self._has_bounds and self._store.config.lock_timeout > 0,
        )

    def _tables(self) -> PostgresVersions:
        # With the schema's name: a file may change search_path.
        return PostgresVersions(self._session, self._table, schema=self._schema)

    def _current_schema(self) -> str:
        """Return where tables are made, which is where the store looks for them."""
        database, schema = self._session.query(_PLACE)[0]
        if self._store.config.migration_conn_string:
            expected = tuple(self._store.execute(_PLACE).one())
            if (database, schema) != expected:
                raise MigrationError(
                    "migration_conn_string leads to another place than the store:"
                    f" schema {schema!r} of database {database!r}, not"
                    f" {expected[1]!r} of {expected[0]!r}",
                    hint="correct it; set schema if the two roles have other schemas",
                )
        if schema is None:
            raise MigrationError(
                f"{self._session.target}: there is no schema to make tables in",
                hint="make the first schema of search_path, or set schema",
            )
        found: str = schema
        return found


def _watched(session: PostgresSession) -> str:
    """Let the server notice within a second that this process died; return how.

    It would otherwise notice, and free the lock, only at the end of the statement that
    it executes. "" where it cannot: before PostgreSQL 14, and on some systems.
    """
    watch = "SET client_connection_check_interval = '1s'"
    try:
        session.control(watch)
    except StoreError:
        return ""
    return watch
