"""Migrating a PostgreSQL database: the lock, the version table, and safe units."""

import re
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

from mooring.core import (
    AppliedRow,
    MigrationError,
    StatementNotAllowedError,
    StoreError,
    split_statements,
)

from mooring_postgres import _lock
from mooring_postgres._dialect import DIALECT
from mooring_postgres._indexes import invalid_indexes
from mooring_postgres._session import PostgresSession
from mooring_postgres._versions import (
    CREATE,
    CREATE_SIDE,
    SIDE_TABLE,
    folded,
    read_versions,
    tables_present,
)

if TYPE_CHECKING:
    from mooring_postgres._store import PostgresStore

# What DISCARD ALL does, but for the session's advisory locks.
_RESET: Final = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DEALLOCATE ALL;"
    " UNLISTEN *; DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES"
)
_ENDS_TRANSACTION: Final = re.compile(
    r"(BEGIN|START|COMMIT|END|ABORT|ROLLBACK(?!\s+(WORK\s+|TRANSACTION\s+)?TO\b)"
    r"|PREPARE\s+TRANSACTION)\b",
    re.IGNORECASE,
)


class PostgresMigrationSession:
    """A connection of its own, for as long as this process may migrate the database."""

    def __init__(self, store: "PostgresStore", table: str, timeout: float) -> None:
        self._store = store
        self._table = table
        self._timeout = timeout

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
            _lock.acquire(self._session, max(deadline - monotonic(), 0.0))
            self._schema = self._current_schema()
        except BaseException:
            self._session.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Free the lock, and close the connection with whatever was set on it."""
        try:
            if self._session.reset():
                _lock.release(self._session)
        finally:
            self._session.close()

    def versions(self) -> Sequence[AppliedRow]:
        """Return what is applied. A missing version table is made by the first unit."""
        return read_versions(self._session, self._table) or ()

    def unit(self, *, transaction: bool) -> "PostgresUnit":
        """Return a block around statements that are kept or undone together."""
        return PostgresUnit(
            self._session, self._table, self._schema, transaction=transaction
        )

    def _current_schema(self) -> str:
        schema: str | None = self._session.query("SELECT current_schema()")[0][0]
        if schema is None:
            raise MigrationError(
                f"{self._session.target}: there is no schema to make tables in",
                hint="make the first schema of search_path, or set schema",
            )
        return schema


class PostgresUnit:
    """One unit of a migration run.

    Afterwards the session is as it was: what a file set would be found by the next
    one, and ``search_path`` would lead it to other tables.
    """

    def __init__(
        self, session: PostgresSession, table: str, schema: str, *, transaction: bool
    ) -> None:
        self._session = session
        self._table = table
        # With its schema: a file may change search_path.
        self._versions = f"{_quoted(schema)}.{folded(table)}"
        self._side = f"{_quoted(schema)}.{SIDE_TABLE}"
        self._transaction = transaction
        self._texts: list[str] = []

    def __enter__(self) -> Self:
        """Begin the unit."""
        if self._transaction:
            self._begin()
            return self
        self._begin()
        self._commit()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Commit, or roll back after an exception; the session is reset."""
        try:
            if kind is None and self._transaction:
                self._session.commit()
        finally:
            if not self._session.reset():
                raise StoreError(
                    "the connection was lost while migrating",
                    hint="look at the state of the database, and run again",
                )
            self._session.control(_RESET)

    def execute(self, sql: str) -> None:
        """Execute a piece of a migration, statement by statement."""
        if "\0" in sql:
            error = StoreError("the SQL holds a NUL character", hint="remove it")
            error.offset = sql.index("\0")
            raise error
        self._texts.append(sql)
        for start, statement in split_statements(sql, DIALECT):
            try:
                self._execute_one(statement)
            except StoreError as error:
                error.offset = start + (error.offset or 0)
                raise

    def record(self, version: int, *, digest: str, duration: float) -> None:
        """Note *version* as applied."""
        self._refuse_open_end()
        self._refuse_invalid_indexes()
        self._session.query(
            f"INSERT INTO {self._versions} (version_id, is_applied) VALUES (%s, true)"
            " RETURNING 1",
            (version,),
        )
        self._session.query(
            f"INSERT INTO {self._side} AS s VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (version_table, version_id) DO UPDATE"
            " SET digest = excluded.digest, seconds = excluded.seconds RETURNING 1",
            (self._table, version, digest, duration),
        )

    def unrecord(self, version: int) -> None:
        """Note *version* as not applied; goose deletes all of its rows, too."""
        self._refuse_open_end()
        self._session.query(
            f"DELETE FROM {self._versions} WHERE version_id = %s RETURNING 1",
            (version,),
        )
        self._session.query(
            f"DELETE FROM {self._side}"
            " WHERE version_table = %s AND version_id = %s RETURNING 1",
            (self._table, version),
        )

    def _begin(self) -> None:
        """Begin a transaction that holds the lock and finds both tables."""
        session = self._session
        session.begin(isolation=None, read_only=False)
        try:
            _lock.require(session)
            present = tables_present(session, self._table)
            if folded(self._table) not in present:
                session.control(CREATE.format(table=self._versions))
                session.control(
                    f"INSERT INTO {self._versions} (version_id, is_applied)"
                    " VALUES (0, true)"
                )
            if SIDE_TABLE not in present:
                session.control(CREATE_SIDE.format(table=self._side))
        except BaseException:
            session.rollback()
            raise

    def _commit(self) -> None:
        try:
            self._session.commit()
        finally:
            self._session.rollback()

    def _execute_one(self, statement: str) -> None:
        session = self._session
        if self._transaction and _ENDS_TRANSACTION.match(statement):
            word = statement.split(None, 1)[0].upper()
            raise StatementNotAllowedError(
                f"{word} in a file that runs in one transaction",
                hint="remove it, or put `-- +goose NO TRANSACTION` into the file",
            )
        try:
            session.control(statement)
        except StoreError as error:
            if not session.in_transaction:
                self._name_invalid_indexes(error)
            raise
        if self._transaction and not session.in_transaction:
            raise StoreError(
                "the statement ended the transaction of its file",
                hint="put `-- +goose NO TRANSACTION` into the file",
            )

    def _refuse_open_end(self) -> None:
        if not self._transaction and self._session.in_transaction:
            raise StoreError(
                "the file left a transaction open, which is rolled back",
                hint="end it with COMMIT in the same file",
            )

    def _refuse_invalid_indexes(self) -> None:
        """Refuse to call a file applied whose index is there, but of no use.

        CREATE INDEX CONCURRENTLY IF NOT EXISTS is content with one that an earlier
        attempt left behind (PostgreSQL, "CREATE INDEX", "Building Indexes
        Concurrently").
        """
        if not self._transaction and not self._session.in_transaction:
            error = StoreError("an earlier attempt to build an index failed")
            self._name_invalid_indexes(error)
            if error.hint is not None:
                raise error

    def _name_invalid_indexes(self, error: StoreError) -> None:
        """Say in *error* which INVALID indexes of this file there are."""
        try:
            names = invalid_indexes(self._session, "\n".join(self._texts))
        except StoreError:
            return  # the connection is gone: that is what the error is about
        if names:
            error.message += f"; it left the INVALID index {', '.join(names)}"
            drops = "; ".join(f"DROP INDEX CONCURRENTLY {name}" for name in names)
            error.hint = f"{drops}; then run again"


def _quoted(name: str) -> str:
    """Return an identifier in quotes (PostgreSQL, section 4.1.1)."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
