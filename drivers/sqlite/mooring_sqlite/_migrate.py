"""Migrating a SQLite database: the lock, the version table, and safe units."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import Final, Self

from mooring.core import (
    AppliedRow,
    ForeignKeyViolation,
    Lease,
    Pool,
    StatementNotAllowedError,
    StoreError,
    Unfinished,
)

from mooring_sqlite._connect import Setting, read_settings
from mooring_sqlite._errors import translate_error
from mooring_sqlite._lock import MigrationLock
from mooring_sqlite._path import Location
from mooring_sqlite._session import SqliteSession
from mooring_sqlite._split import first_word, first_word_at, split
from mooring_sqlite._versions import SqliteVersions

# What a migration may set, beside the driver's own settings, and later statements
# would notice.
_LASTING: Final = (
    "cache_size",
    "defer_foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "locking_mode",
    "recursive_triggers",
    "reverse_unordered_selects",
    "temp_store",
    "writable_schema",
)
_TRANSACTION_WORDS: Final = frozenset(("BEGIN", "COMMIT", "END", "ROLLBACK"))


class SqliteMigrationSession:
    """The writing connection, for as long as this process may migrate the database."""

    def __init__(
        self,
        location: Location,
        writers: Pool[SqliteSession],
        table: str,
        timeout: float,
    ) -> None:
        self._writers = writers
        self._table = table
        self._timeout = timeout
        self._units: list[SqliteUnit] = []
        self._in_memory = location.in_memory
        # A private in-memory database has no other process, and its turn is a lock.
        self._lock: AbstractContextManager[object] = (
            nullcontext()
            if location.in_memory
            else MigrationLock(location.path, timeout)
        )

    def __enter__(self) -> Self:
        """Wait for the lock, then for the turn to write."""
        deadline = monotonic() + self._timeout
        self._lock.__enter__()
        try:
            left = max(deadline - monotonic(), 0.001)
            self._lease: Lease[SqliteSession] = self._writers.acquire(left)
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        self._session = self._lease.connection
        try:
            lasting = read_settings(self._session.connection, _LASTING)
        except sqlite3.Error as cause:
            self.__exit__()
            raise translate_error(cause, target=self._session.target) from cause
        self._settings = self._session.settings | lasting
        self._session.unlimited()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the connection back as it was, and free the lock."""
        try:
            fit = self._session.reset()
            # Some PRAGMAs cannot be read back: after any, a file gets a new connection.
            if not self._in_memory:
                set_any = any(unit.sets_pragmas for unit in self._units)
                fit = fit and not set_any and self._has_one_database()
            if fit:
                self._session.limited()
            self._writers.release(self._lease, discard=not fit)
        finally:
            self._lock.__exit__(None, None, None)

    def _has_one_database(self) -> bool:
        """Return False if temporary tables, which hide others, or files stay on."""
        try:
            return len(self._session.query("PRAGMA database_list")) == 1
        except StoreError:
            return False

    def versions(self) -> Sequence[AppliedRow]:
        """Return what is applied. A missing version table is made by the first unit."""
        return SqliteVersions(self._session, self._table).read() or ()

    def unfinished(self) -> Unfinished | None:
        """Return the file that was begun without a transaction and did not end."""
        return SqliteVersions(self._session, self._table).unfinished()

    def unit(self, *, transaction: bool) -> "SqliteUnit":
        """Return a block around statements that are kept or undone together."""
        unit = SqliteUnit(
            self._session, self._table, self._settings, transaction=transaction
        )
        self._units.append(unit)
        return unit


class SqliteUnit:
    """One unit of a migration run.

    In a transaction, foreign keys are off, so that a table can be rebuilt without its
    children being deleted (sqlite.org/lang_altertable.html, section 7); before COMMIT
    the whole database is checked, and what the unit broke is refused.
    """

    def __init__(
        self,
        session: SqliteSession,
        table: str,
        settings: Mapping[str, Setting],
        *,
        transaction: bool,
    ) -> None:
        self._session = session
        self._connection = session.connection
        self._versions = SqliteVersions(session, table)
        self._settings = settings
        self._transaction = transaction
        self._broken_before: Counter[tuple[object, ...]] | None = None
        self.sets_pragmas = False

    def __enter__(self) -> Self:
        """Begin the unit."""
        if not self._transaction:
            with self._together():
                self._versions.make()
            return self
        # Inside a transaction this PRAGMA would do nothing.
        self._session.control("PRAGMA foreign_keys = OFF")
        self._session.control("BEGIN IMMEDIATE")
        try:
            try:
                self._broken_before = self._broken_keys()
            except StoreError:
                # A mismatch that was there before, and is not this unit's to mend.
                self._broken_before = None
            self._versions.make()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Commit, or roll back after an exception; the settings are restored."""
        try:
            if kind is None and self._transaction:
                self._refuse_broken_keys()
                self._session.commit()
        finally:
            self._leave()

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
                error.offset = start + (error.offset or first_word_at(statement))
                raise

    def split(self, sql: str) -> Iterable[tuple[int, str]]:
        """Return the SQL statements of a piece, each with its offset."""
        return split(sql)

    def record(self, version: int, *, digest: str, duration: float | None) -> None:
        """Note *version* as applied."""
        self._refuse_open_end()
        with self._together():
            self._versions.record(version, digest=digest, duration=duration)

    def unrecord(self, version: int) -> None:
        """Note *version* as not applied; goose deletes all of its rows, too."""
        self._refuse_open_end()
        with self._together():
            self._versions.unrecord(version)

    def amend(self, version: int, *, digest: str) -> None:
        """Note another digest for a version that is applied."""
        self._versions.amend(version, digest=digest)

    def note(self, version: int, unfinished: Unfinished | None) -> None:
        """Note how far the file of *version* is."""
        self._versions.note(version, unfinished)

    def _refuse_open_end(self) -> None:
        if not self._transaction and self._connection.in_transaction:
            raise StoreError(
                "the file left a transaction open, which is rolled back",
                hint="end it with COMMIT in the same file",
            )

    def _execute_one(self, statement: str) -> None:
        word = first_word(statement)
        if self._transaction and word in _TRANSACTION_WORDS:
            raise StatementNotAllowedError(
                f"{word} in a file that runs in one transaction",
                hint="remove it, or put `-- +goose NO TRANSACTION` into the file",
            )
        if word in ("PRAGMA", "EXPLAIN"):  # SQLite runs an explained PRAGMA, too
            self.sets_pragmas = True
        self._change(statement)
        if self._transaction and not self._connection.in_transaction:
            raise StoreError(
                "the statement ended the transaction of its file",
                hint="remove its ON CONFLICT ROLLBACK or RAISE(ROLLBACK)",
            )

    def _change(self, sql: str, values: tuple[object, ...] = ()) -> None:
        try:
            self._connection.execute(sql, values).fetchall()
        except (sqlite3.Error, sqlite3.Warning, ValueError) as cause:
            raise translate_error(
                cause, target=self._session.target, text=sql, changes_rows=True
            ) from cause

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Keep or undo together what the block writes, in the unit's transaction."""
        if self._transaction:
            yield
            return
        self._session.control("BEGIN IMMEDIATE")
        try:
            yield
            self._session.commit()
        finally:
            self._session.rollback()

    def _broken_keys(self) -> Counter[tuple[object, ...]]:
        # Counted: rows of a table WITHOUT ROWID all look the same.
        return Counter(self._session.query("PRAGMA foreign_key_check"))

    def _refuse_broken_keys(self) -> None:
        if self._broken_before is None:
            return
        broken = self._broken_keys() - self._broken_before
        if broken:
            table, rowid, parent, _ = min(broken, key=repr)
            raise ForeignKeyViolation(
                f"it would leave {broken.total()} rows without their parent, such as"
                f" {table} rowid {rowid} without its {parent}",
                hint="keep or delete both sides: foreign keys are off while a"
                " migration runs, so nothing cascades",
            )

    def _leave(self) -> None:
        if self.sets_pragmas:
            self._session.control("PRAGMA case_sensitive_like = 0")  # cannot be read
        settings = self._settings
        if not self.sets_pragmas:  # only this one was set, by us
            settings = {"foreign_keys": settings["foreign_keys"]}
        if not (self._session.reset() and self._session.restore(settings)):
            raise StoreError(
                "the connection could not be brought back to its settings",
                hint="open the store again; look at what the migration set",
            )
