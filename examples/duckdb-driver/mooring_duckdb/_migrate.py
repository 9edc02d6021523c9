"""Migrating a DuckDB database: the lock, the version table, and safe units."""

import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

from mooring.core import (
    AppliedRow,
    MigrationLockError,
    StatementNotAllowedError,
    StoreError,
    Unfinished,
    split_statements,
)

from mooring_duckdb._dialect import DIALECT
from mooring_duckdb._session import DuckdbSession
from mooring_duckdb._versions import DuckdbVersions

if TYPE_CHECKING:
    from mooring_duckdb._store import DuckdbStore

_BEGINS: Final = frozenset({"BEGIN", "START"})
_ENDS: Final = frozenset({"ABORT", "COMMIT", "END", "ROLLBACK"})
# After these, what is set is compared with what was.
_SETS: Final = frozenset({"CALL", "PRAGMA", "RESET", "SET", "USE"})


class _Mutex:
    """A lock that a weak dictionary can hold."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


# One process at a time has a file open, so that its threads are all who could migrate
# it. By path, since several stores of the process may have the same file.
_guard = threading.Lock()
_mutexes: "weakref.WeakValueDictionary[str, _Mutex]" = weakref.WeakValueDictionary()


class DuckdbMigrationSession:
    """A connection of its own, for as long as this thread may migrate the database."""

    def __init__(self, store: "DuckdbStore", table: str, timeout: float) -> None:
        self._store = store
        self._table = table
        self._timeout = timeout
        database = store.database
        key = f"{id(database)}" if database.in_memory else database.path
        with _guard:
            self._mutex = _mutexes.setdefault(key, _Mutex())

    def __enter__(self) -> Self:
        """Wait for the lock, and connect."""
        deadline = monotonic() + self._timeout
        if not self._mutex.lock.acquire(
            timeout=min(self._timeout, threading.TIMEOUT_MAX)
        ):
            raise MigrationLockError(
                "another thread of this process holds the migration lock; gave up after"
                f" {self._timeout:g} s, nothing was changed",
                hint="wait and run again, or raise migration_timeout",
            )
        try:
            left = max(deadline - monotonic(), 0.001)
            # A migration has its own bounds.
            self._session = self._store.session(left, statement_timeout=0)
        except BaseException:
            self._mutex.lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection with whatever was set on it, and free the lock."""
        try:
            self._session.reset()
            self._session.close()
        finally:
            self._mutex.lock.release()

    def versions(self) -> Sequence[AppliedRow]:
        """Return what is applied. A missing version table is made by the first unit."""
        return DuckdbVersions(self._session, self._table).read() or ()

    def unfinished(self) -> Unfinished | None:
        """Return the file that was begun without a transaction and did not end."""
        return DuckdbVersions(self._session, self._table).unfinished()

    @contextmanager
    def lend(self, unit: "DuckdbUnit") -> Iterator[DuckdbSession]:  # noqa: ARG002 - the session is that of every unit
        """Lend the session to a file in Python; see `core.LendsConnection`."""
        yield self._session

    def unit(self, *, transaction: bool) -> "DuckdbUnit":
        """Return a block around statements that are kept or undone together."""
        return DuckdbUnit(self._session, self._table, transaction=transaction)


class DuckdbUnit:
    """One unit of a migration run.

    After each file the settings are as they were, those too that all connections
    share: what a file set would be found by the next one, and by the application.
    """

    def __init__(
        self, session: DuckdbSession, table: str, *, transaction: bool
    ) -> None:
        self._session = session
        self._versions = DuckdbVersions(session, table)
        self._transaction = transaction
        # Taken when a statement is about to change them.
        self._settings: Mapping[str, str | None] | None = None

    def __enter__(self) -> Self:
        """Begin the unit."""
        self._session.begin(isolation=None, read_only=False)
        try:
            self._versions.make()
            if not self._transaction:
                self._session.commit()
        except BaseException:
            self._session.reset()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Commit, or roll back after an exception; the settings are restored."""
        try:
            if kind is None and self._transaction:
                self._session.commit()
        finally:
            if not self._session.reset():
                raise StoreError(
                    "the connection was lost while migrating",
                    hint="look at the state of the database, and run again",
                )
            self._restore_settings()

    def execute(self, sql: str) -> None:
        """Execute a piece of a migration, statement by statement."""
        if "\0" in sql:
            error = StoreError("the SQL holds a NUL character", hint="remove it")
            error.offset = sql.index("\0")
            raise error
        for start, statement in self.split(sql):
            try:
                self._execute_one(statement)
            except StoreError as error:
                error.offset = start + (error.offset or 0)
                raise

    def split(self, sql: str) -> Iterable[tuple[int, str]]:
        """Return the SQL statements of a piece, each with its offset."""
        return split_statements(sql, DIALECT)

    def record(self, version: int, *, digest: str, duration: float | None) -> None:
        """Note *version* as applied."""
        self._end_file()
        with self._together():
            self._versions.record(version, digest=digest, duration=duration)

    def unrecord(self, version: int) -> None:
        """Note *version* as not applied; goose deletes all of its rows, too."""
        self._end_file()
        with self._together():
            self._versions.unrecord(version)

    def amend(self, version: int, *, digest: str) -> None:
        """Note another digest for a version that is applied."""
        self._versions.amend(version, digest=digest)

    def note(self, version: int, unfinished: Unfinished | None) -> bool:
        """Note how far the file of *version* is; in its own transaction, nothing."""
        if not self._transaction and self._session.in_transaction:
            return False
        self._versions.note(version, unfinished)
        return True

    def _execute_one(self, statement: str) -> None:
        session = self._session
        word = statement.split(None, 1)[0].upper()
        if word in _BEGINS | _ENDS:
            if self._transaction:
                raise StatementNotAllowedError(
                    f"{word} in a file that runs in one transaction",
                    hint="remove it, or put `-- +goose NO TRANSACTION` into the file",
                )
            session.control(statement)
            session.in_transaction = word in _BEGINS
            return
        if word in _SETS and self._settings is None:
            self._settings = self._read_settings()
        session.control(statement)

    def _end_file(self) -> None:
        if not self._transaction and self._session.in_transaction:
            raise StoreError(
                "the file left a transaction open, which is rolled back",
                hint="end it with COMMIT in the same file",
            )
        self._restore_settings()

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Keep or undo together what the block writes, in the unit's transaction."""
        if self._transaction:
            yield
            return
        self._session.begin(isolation=None, read_only=False)
        yield
        self._session.commit()

    def _read_settings(self) -> Mapping[str, str | None]:
        return dict(self._session.query("SELECT name, value FROM duckdb_settings()"))

    def _restore_settings(self) -> None:
        before, self._settings = self._settings, None
        if before is None:
            return
        for name, value in self._read_settings().items():
            wanted = before.get(name)
            if value == wanted:
                continue
            if wanted is None:
                self._session.control(f"RESET {name}")
            else:
                quoted = wanted.replace("'", "''")
                self._session.control(f"SET {name} = '{quoted}'")
