"""One unit of a migration run on PostgreSQL: what is kept or undone together."""

import re
from collections.abc import Iterable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
from mooring.core import (
    StatementNotAllowedError,
    StoreError,
    Unfinished,
    split_statements,
)

from mooring_postgres import _lock
from mooring_postgres._dialect import DIALECT
from mooring_postgres._indexes import invalid_indexes
from mooring_postgres._session import PostgresSession
from mooring_postgres._versions import PostgresVersions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mooring.core import Result, Session, Statement

_CONCURRENT_INDEX: Final = re.compile(r"INDEX\s+CONCURRENTLY\b", re.IGNORECASE)
_COMMITS: Final = re.compile(r"(COMMIT|END)\b", re.IGNORECASE)
_BEGINS_OR_COMMITS: Final = re.compile(r"\b(BEGIN|START|COMMIT|END)\b", re.IGNORECASE)
# They would undo what the file did, and it would be noted as applied.
_UNDOES: Final = re.compile(
    r"(ABORT|ROLLBACK(?!\s+(WORK\s+|TRANSACTION\s+)?TO\b)|PREPARE\s+TRANSACTION)\b",
    re.IGNORECASE,
)
# What waits for a whole table and lets nobody behind it read that (PostgreSQL, section
# 13.3.1, "Table-Level Locks"); others wait for rows.
_LOCKS_TABLES: Final = re.compile(
    r"(ALTER|CLUSTER|CREATE|DROP|LOCK|REFRESH|REINDEX|TRUNCATE)\b", re.IGNORECASE
)
_SETS_WAIT: Final = re.compile(
    r"SET\s+((LOCAL|SESSION)\s+)?lock_timeout|set_config\s*\(\s*'lock_timeout",
    re.IGNORECASE,
)
_ROLLS_BACK: Final = re.compile(r"ROLLBACK\b", re.IGNORECASE)
# Deferrable constraints, and whether a transaction begins with them deferred. SET
# CONSTRAINTS takes all that have one name: those with one that cannot be are left out.
# So are those in schemas that this role may not use: it has changed nothing there.
_DEFERRABLE: Final = """
SELECT format('%I.%I', n.nspname, c.conname), bool_or(c.condeferred)
FROM pg_catalog.pg_constraint AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace
WHERE has_schema_privilege(n.oid, 'USAGE')
GROUP BY n.nspname, c.conname HAVING bool_and(c.condeferrable)
"""


def own_transaction(sql: str) -> int | None:
    """Return where *sql* begins or ends a transaction, None if it does not."""
    if _BEGINS_OR_COMMITS.search(sql):
        # What cannot be told apart is refused with its place when it is executed.
        with suppress(StatementNotAllowedError):
            for start, statement in split_statements(sql, DIALECT):
                if _BEGINS_OR_COMMITS.match(statement):
                    return start
    return None


class PostgresUnit:
    """One unit of a migration run.

    After each file the session is as it was before: what one file set would be found by
    the next one, and ``search_path`` would lead it to other tables.

    Args:
        session: The one that holds the migration lock.
        versions: The version table.
        reset: The statements that undo what a file set.
        limit: Seconds to wait for the end of a file's statement, None without end.
        transaction: Whether the unit is one. A file may end it itself, as with goose:
            what comes behind stands alone, the note of its version too.
        waits: Whether only what locks whole tables has the session's ``lock_timeout``,
            so that it is tried again, and all else waits as long as it takes: what
            locks rows keeps no reader waiting, and what stays is never tried again.
            Else everything has it.

    Attributes:
        kept: How many pieces stay if the unit fails, from the first on.
    """

    def __init__(
        self,
        session: PostgresSession,
        versions: PostgresVersions,
        *,
        reset: str,
        limit: float | None,
        transaction: bool,
        waits: bool,
    ) -> None:
        self._waits = waits
        # Whether lock_timeout is set to 0; None where nobody knows.
        self._without_end: bool | None = False
        # The file sets its own.
        self._sets_wait = False
        self._session = session
        self._versions = versions
        self._reset = reset
        self._limit = limit
        self._transaction = transaction
        self._texts: list[str] = []
        # The file ended the transaction, so that it was noted in one of its own.
        self._was_committed = self._is_noted = False
        self.kept = 0

    def __enter__(self) -> Self:
        """Begin the unit."""
        self._begin()
        try:
            self._make_tables()
            if not self._transaction:
                self._session.commit()
        except BaseException:
            self._session.rollback()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Commit, or roll back after an exception; the session is reset."""
        try:
            if kind is None and self._transaction and not self._is_noted:
                self._session.commit()
        finally:
            # On a lost connection the next statement says so, if there is one.
            if self._session.reset():
                self._session.control(self._reset)

    def execute(self, sql: str) -> None:
        """Execute a piece of a migration, statement by statement."""
        if "\0" in sql:
            error = StoreError("the SQL holds a NUL character", hint="remove it")
            error.offset = sql.index("\0")
            raise error
        self._texts.append(sql)
        for start, statement in self.split(sql):
            try:
                self._execute_one(statement)
            except StoreError as error:
                error.offset = start + (error.offset or 0)
                raise
        if self._is_alone:
            if _CONCURRENT_INDEX.search(sql):
                # Here, so that this is the statement that failed.
                self._refuse_invalid_indexes()
            self.kept = len(self._texts)

    @contextmanager
    def lend(self) -> "Iterator[Session]":
        """Lend the session to a file in Python; see `core.LendsConnection`."""
        with self._session.limited(self._limit):
            lent: Any = _Lent(self._session, self._run, self._forget_wait)
            yield lent

    def split(self, sql: str) -> Iterable[tuple[int, str]]:
        """Return the SQL statements of a piece, each with its offset."""
        return split_statements(sql, DIALECT)

    def record(self, version: int, *, digest: str, duration: float | None) -> None:
        """Note *version* as applied."""
        self._refuse_open_end()
        self._refuse_invalid_indexes()
        self._end_file()
        self._versions.record(version, digest=digest, duration=duration)
        self._noted()

    def unrecord(self, version: int) -> None:
        """Note *version* as not applied; goose deletes all of its rows, too."""
        self._refuse_open_end()
        self._end_file()
        self._versions.unrecord(version)
        self._noted()

    def amend(self, version: int, *, digest: str) -> None:
        """Note another digest for a version that is applied."""
        self._versions.amend(version, digest=digest)

    def note(self, version: int, unfinished: Unfinished | None) -> bool:
        """Note how far the file of *version* is; in its own transaction, nothing."""
        if not self._transaction and self._session.in_transaction:
            return False
        self._versions.note(version, unfinished)
        return True

    @property
    def _is_alone(self) -> bool:
        """Whether each statement that comes now stands alone."""
        ended = not self._transaction or self._was_committed
        return ended and not self._session.in_transaction

    def _begin(self) -> None:
        self._session.begin(isolation=None, read_only=False)

    def _make_tables(self) -> None:
        """Make the tables that are missing, in a transaction that holds the lock."""
        _lock.require(self._session)
        self._versions.make()

    def _execute_one(self, statement: str) -> None:
        session = self._session
        if self._transaction and _UNDOES.match(statement):
            word = statement.split(None, 1)[0].upper()
            raise StatementNotAllowedError(
                f"{word} in a file that runs in one transaction",
                hint="remove it, or put `-- +goose NO TRANSACTION` into the file",
            )
        was_in_transaction = session.in_transaction
        if self._waits:
            self._bound_wait(statement)
        try:
            with session.limited(self._limit):
                session.control_single(statement)
        except StoreError as error:
            if session.is_busy:
                raise StatementNotAllowedError(
                    "COPY from or to the client, which only psql does",
                    hint="write INSERT, or let pg_dump do so: --inserts",
                ) from error
            if _runs_alone(error.__cause__):
                error.hint = "put `-- +goose NO TRANSACTION` into the file"
            if not session.in_transaction:
                self._name_invalid_indexes(error)
            raise
        if self._transaction and _COMMITS.match(statement):
            self._was_committed = True
            self.kept = len(self._texts)
        elif self._transaction and was_in_transaction and not session.in_transaction:
            raise StoreError(
                "the statement ended the transaction of its file",
                hint="put `-- +goose NO TRANSACTION` into the file",
            )

    def _run(
        self, statement: "Statement", text: str, values: tuple[object, ...]
    ) -> "Result":
        """Run a statement of a file in Python."""
        if self._waits:
            # From its verb on: a comment may stand before it.
            start = max(statement.sql.upper().find(statement.verb), 0)
            self._bound_wait(statement.sql[start:])
        builds_index = _CONCURRENT_INDEX.search(statement.sql) is not None
        if builds_index:
            self._texts.append(statement.sql)
        try:
            result = self._session.run(statement, text, values)
        except StoreError as error:
            if _runs_alone(error.__cause__):
                error.hint = "write `transaction = False` into the file"
            if builds_index and not self._session.in_transaction:
                self._name_invalid_indexes(error)
            raise
        if builds_index:
            self._refuse_invalid_indexes()
        return result

    def _forget_wait(self) -> None:
        """Note that what was set may have gone back, with what was rolled back."""
        self._without_end = None

    def _bound_wait(self, statement: str) -> None:
        """Let *statement* wait for whole tables for a time, for rows without end."""
        if self._sets_wait or _SETS_WAIT.search(statement):
            self._sets_wait = True
            return
        stays = not self._transaction or self._was_committed
        without_end = stays or _LOCKS_TABLES.match(statement) is None
        if without_end != self._without_end:
            setting = "SET lock_timeout = 0" if without_end else "RESET lock_timeout"
            self._session.control(setting)
        # To a savepoint, settings go back as well.
        self._without_end = None if _ROLLS_BACK.match(statement) else without_end

    def _end_file(self) -> None:
        """Leave the session to the version tables, and to the next file, as it was."""
        self._is_noted = self._is_alone
        if not self._is_noted:
            with self._session.limited(self._limit):
                self._check_constraints()
        self._session.control(self._reset)
        self._without_end = self._sets_wait = False
        if self._is_noted:
            self._begin()  # both tables change together

    def _noted(self) -> None:
        if self._is_noted:
            self._session.commit()

    def _check_constraints(self) -> None:
        """Check deferred constraints here, as the end of a file's own transaction does.

        Later it would be told of another file; and a table with checks that are still
        to come cannot be altered (PostgreSQL, "SET CONSTRAINTS").
        """
        found = self._session.query(_DEFERRABLE)
        if found:
            names = ", ".join(name for name, _ in found)
            self._session.control(f"SET CONSTRAINTS {names} IMMEDIATE")
        deferred = ", ".join(name for name, is_deferred in found if is_deferred)
        if deferred:
            self._session.control(f"SET CONSTRAINTS {deferred} DEFERRED")

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
        if self._is_alone:
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


class _Lent:
    """The session of a unit, whose statements the unit looks at."""

    def __init__(
        self,
        session: PostgresSession,
        run: "Callable[..., Result]",
        rolled_back: "Callable[[], None]",
    ) -> None:
        self._session = session
        self._rolled_back = rolled_back
        self.run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def rollback(self) -> None:
        """Roll back; see `core.Session`."""
        self._session.rollback()
        self._rolled_back()

    def rollback_to(self, name: str) -> None:
        """Undo what came after a savepoint, and release it."""
        self._session.rollback_to(name)
        self._rolled_back()


def _runs_alone(cause: BaseException | None) -> bool:
    """Return whether the server refused what must not run in a transaction."""
    return (
        isinstance(cause, psycopg.Error)
        and cause.diag.source_function == "PreventInTransactionBlock"
    )
