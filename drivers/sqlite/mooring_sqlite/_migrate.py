"""Migrating a SQLite database: the lock, the version table, and safe units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING, Final, Self

from mooring.core import (
    AppliedRow,
    Lease,
    Pool,
    StatementNotAllowedError,
    StoreError,
)

from mooring_sqlite._foreign_keys import ForeignKeyCheck
from mooring_sqlite._lock import MigrationLock
from mooring_sqlite._path import Location
from mooring_sqlite._session import SqliteSession
from mooring_sqlite._split import first_word, first_word_at, split
from mooring_sqlite._versions import SqliteVersions

if TYPE_CHECKING:
    from mooring.core import Unfinished

# What a migration may set, beside the driver's own settings, and later statements
# would notice.
_LASTING: Final = (
    "cache_size",
    "defer_foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "locking_mode",
    "max_page_count",
    "recursive_triggers",
    "reverse_unordered_selects",
    "temp_store",
    "writable_schema",
)
_TRANSACTION_WORDS: Final = frozenset(("BEGIN", "COMMIT", "END", "ROLLBACK"))
# What may hide a table from later files: `CREATE TEMP TABLE x`, `CREATE TABLE temp.x`.
# A word that only holds it costs a look; a pattern would be compiled by every start.
_TEMPORARY: Final = "temp"


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
        self._timeout = timeout
        self.table = table
        # Our tables are there: seen in a unit that was kept.
        self.has_tables = False
        self.sets_pragmas = False
        self.statement_timeout: float | None = None
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
        self.connection = self._lease.connection
        self.settings = dict(self.connection.settings)
        self.foreign_keys = ForeignKeyCheck(self.connection)
        self.noted = SqliteVersions(self.connection, self.table)
        self.connection.unlimited()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the connection back as it was, and free the lock."""
        try:
            connection = self.connection
            fit = connection.reset() and connection.restore(connection.settings)
            # Some PRAGMAs cannot be read back: after any, a file gets a new connection.
            if not self._in_memory:
                fit = fit and not self.sets_pragmas and self._has_one_database()
            if fit:
                connection.limited()
            self._writers.release(self._lease, discard=not fit)
        finally:
            self._lock.__exit__(None, None, None)

    def _has_one_database(self) -> bool:
        """Return False if temporary tables, which hide others, or files stay on."""
        try:
            return len(self.connection.query("PRAGMA database_list")) == 1
        except StoreError:
            return False

    def versions(self) -> Sequence[AppliedRow]:
        """Return what is applied. A missing version table is made by the first unit."""
        return self.noted.read() or ()

    def unfinished(self) -> Unfinished | None:
        """Return the file that was begun without a transaction and did not end."""
        return self.noted.unfinished()

    def limit(self, *, statement: float | None, lock: float | None) -> None:
        """Bound what the files execute; see `core.LimitsStatements`.

        Other processes are waited for at the start of a file, for the lock to write.
        """
        self.statement_timeout = statement
        if lock is not None:
            milliseconds = max(round(lock * 1000), 1)
            self.connection.query(f"PRAGMA busy_timeout = {milliseconds}")
            self.settings["busy_timeout"] = milliseconds

    def expect_pragma(self) -> None:
        """Note what a file's PRAGMA may change, before the first of this run.

        Most runs have none, and are spared reading it.

        Raises:
            StoreError: The engine refused to tell.
        """
        if not self.sets_pragmas:
            for name in _LASTING:
                ((self.settings[name],),) = self.connection.query(f"PRAGMA {name}")
            self.sets_pragmas = True

    def enforce_keys(self, *, on: bool) -> None:
        """Let foreign keys be enforced, or not; they are again when the session ends.

        It makes SQLite prepare its statements anew, so only where it changes.
        """
        if self.settings["foreign_keys"] != int(on):
            self.connection.control(f"PRAGMA foreign_keys = {int(on)}")
            self.settings["foreign_keys"] = int(on)

    def lend(self, unit: SqliteUnit) -> AbstractContextManager[SqliteSession]:
        """Return a block that has the connection, in *unit*; see `LendsConnection`."""
        return unit.lend()

    def unit(self, *, transaction: bool) -> SqliteUnit:
        """Return a block around statements that are kept or undone together."""
        return SqliteUnit(self, transaction=transaction)


class SqliteUnit:
    """One unit of a migration run.

    In a transaction, foreign keys are off, so that a table can be rebuilt without its
    children being deleted (sqlite.org/lang_altertable.html, section 7); before COMMIT
    the whole database is checked, and what a file broke is refused.
    """

    def __init__(self, run: SqliteMigrationSession, *, transaction: bool) -> None:
        self._run = run
        self._session = run.connection
        self._connection = run.connection.connection
        self._versions = run.noted
        self._transaction = transaction
        self._sets_pragmas = False
        self._hides_tables = False
        # Something ran since the last check of foreign keys; what can break them did.
        self._unchecked = self._touches_rows = False

    def __enter__(self) -> Self:
        """Begin the unit."""
        # Inside a transaction this PRAGMA would do nothing.
        self._run.enforce_keys(on=not self._transaction)
        if not self._transaction:
            with self._together():
                self._make_tables()
            self._run.has_tables = True
            return self
        try:
            self._session.control("BEGIN IMMEDIATE")
            self._run.foreign_keys.begin()
            self._make_tables()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Commit, or roll back after an exception; the settings are restored."""
        try:
            if kind is None and self._transaction:
                if self._unchecked:
                    self._run.foreign_keys.refuse_broken()
                self._session.commit()
                self._run.foreign_keys.committed()
                self._run.has_tables = True
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

    @contextmanager
    def lend(self) -> Iterator[SqliteSession]:
        """Lend the connection to a file in Python; see `core.LendsConnection`."""
        self._unchecked = self._touches_rows = True
        with self._session.bounded(self._run.statement_timeout):
            yield self._session

    def split(self, sql: str) -> Iterable[tuple[int, str]]:
        """Return the SQL statements of a piece, each with its offset."""
        return split(sql)

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
        if not self._transaction and self._connection.in_transaction:
            return False
        self._versions.note(version, unfinished)
        return True

    def _end_file(self) -> None:
        """Leave the connection to the next file of the unit as it was."""
        self._refuse_open_end()
        if self._transaction and self._touches_rows:
            # Here, not before COMMIT, where it would be told of another file.
            self._run.foreign_keys.refuse_broken()
            self._unchecked = self._touches_rows = False
        self._restore()

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
            self._run.expect_pragma()
            self._sets_pragmas = True
        if word == "ATTACH" or _TEMPORARY in statement.lower():
            self._hides_tables = True
        self._unchecked = True
        self._touches_rows = self._touches_rows or word != "CREATE"
        self._session.migrate(statement, limit=self._run.statement_timeout)
        if self._transaction and not self._connection.in_transaction:
            raise StoreError(
                "the statement ended the transaction of its file",
                hint="remove its ON CONFLICT ROLLBACK or RAISE(ROLLBACK)",
            )

    def _make_tables(self) -> None:
        if not self._run.has_tables:
            self._versions.make()

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

    def _restore(self) -> None:
        """Undo what the file set, and what would hide tables from the next."""
        if self._sets_pragmas:
            self._session.control("PRAGMA case_sensitive_like = 0")  # cannot be read
            if not self._session.restore(self._run.settings):
                raise StoreError(
                    "the connection could not be brought back to its settings",
                    hint="open the store again; look at what the migration set",
                )
            self._sets_pragmas = False
        if self._hides_tables:
            self._drop_temporary()
            # What was read in a transaction cannot be detached in it.
            if not self._connection.in_transaction:
                self._detach()
                self._hides_tables = False

    def _drop_temporary(self) -> None:
        """Drop temporary tables and views, which go with all that belongs to them."""
        query = self._session.query
        found = (
            "SELECT type, name FROM sqlite_temp_master WHERE type IN ('table', 'view')"
        )
        for kind, name in query(f"{found} AND name NOT LIKE 'sqlite_%'"):
            query(f"DROP {kind} temp.{_quoted(name)}")

    def _detach(self) -> None:
        for _, name, _ in self._session.query("PRAGMA database_list"):
            if name not in ("main", "temp"):
                self._session.control(f"DETACH {_quoted(name)}")

    def _leave(self) -> None:
        if not self._session.reset():
            raise StoreError(
                "the connection could not be brought back from its transaction",
                hint="open the store again; look at the state of the database",
            )
        if not self._transaction:
            self._run.foreign_keys.forget()
        self._restore()


def _quoted(name: str) -> str:
    """Return an identifier in quotes (sqlite.org/lang_keywords.html)."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
