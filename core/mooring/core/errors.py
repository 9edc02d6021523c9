"""Every error that mooring raises; all are importable from ``mooring.core``.

::

    MooringError
    ├── ConfigError                     the configuration; all of its problems
    ├── DriverError                     a driver plugin, before it opened anything
    │   ├── UnknownDriverError          no such driver (also a LookupError)
    │   ├── DriverLoadError             its import or registration failed
    │   ├── DriverConflictError         two distributions claim one name
    │   ├── DriverDisabledError         left out by the allow-list
    │   ├── IncompatibleDriverError     written for another API version
    │   └── DriverProtocolError         it broke the contract of a hook
    ├── UnsupportedByDriver             a capability the store does not have
    ├── ArgumentError                   a call with an argument out of range
    ├── StoreError                      an opened store, or one that could not be
    │   ├── OpenError                   it could not be opened
    │   │   └── UnavailableError        it does not answer now, but may do so later
    │   ├── StoreClosedError            used after close, or in a forked child
    │   ├── CorruptStoreError           the data is damaged or not a database
    │   ├── StorageError                the disk failed under it
    │   │   └── StorageFullError        ... or is full
    │   ├── StoreBusyError              waited for a lock held by somebody else
    │   ├── PoolTimeoutError            waited for a connection of the pool
    │   ├── StatementTimeoutError       a statement ran past its deadline
    │   ├── SnapshotExpiredError        a read() block was open for too long
    │   ├── ConnectionLostError         the connection broke; nothing was committed
    │   ├── OutcomeUnknownError         it broke while committing: done or not done
    │   ├── SerializationError          conflict with another transaction
    │   ├── NestedTransactionError      a second scope in one context
    │   ├── TransactionAbortedError     the scope failed before; nothing is committed
    │   ├── ReadOnlyError               a write where only reads are possible
    │   ├── StatementError              the engine refused the statement
    │   │   ├── StatementNotAllowedError    it would leak into the next borrower
    │   │   └── ParameterError          placeholders and values
    │   ├── IntegrityError              a constraint
    │   │   ├── UniqueViolation
    │   │   ├── ForeignKeyViolation
    │   │   ├── CheckViolation
    │   │   └── NotNullViolation
    │   └── ResultError                 the rows are not what was asked for
    └── MigrationError                  schema migrations
        ├── MigrationParseError         a file that cannot be read as a migration
        ├── MigrationLockError          the lock was not free in time
        ├── MigrationFailedError        a statement failed; says what state was left
        ├── MigrationsPendingError      the database is behind, and may not be changed
        ├── DatabaseAheadError          it was migrated by a newer release
        ├── MigrationChangedError       an applied file is not what was applied
        ├── MigrationOrderError         a file appeared below the current version
        └── MigrationUnfinishedError    a file without a transaction did not end

Each carries ``message`` (one line), ``hint`` (what to do next, or None),
``retryable`` (whether the same call can succeed later without a change) and ``code``,
which stays the same for programs even if a class or a text changes.
The cause, where there is one, is the driver's own exception in ``__cause__``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from mooring.core._problem import Problem


class MooringError(Exception):
    """Root of all errors of this package."""

    code: ClassVar[str] = "mooring"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def message(self) -> str:
        """What happened, without the hint."""
        return str(self.args[0])

    @message.setter
    def message(self, message: str) -> None:
        self.args = (message, *self.args[1:])

    def __str__(self) -> str:
        if self.hint is None:
            return self.message
        return f"{self.message}\nhint: {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments are lost by Exception.__reduce__.
        return _restore, (type(self), self.args, self.__dict__.copy())


def _restore(
    cls: type[MooringError], args: tuple[object, ...], state: dict[str, object]
) -> MooringError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(MooringError):
    """The configuration is wrong; nothing was opened.

    Attributes:
        problems: Every problem found, in the order of the fields.
    """

    code = "config"

    def __init__(
        self, problems: Iterable[Problem | str], *, hint: str | None = None
    ) -> None:
        from mooring.core._problem import Problem

        self.problems: Sequence[Problem] = tuple(
            Problem("", p) if isinstance(p, str) else p for p in problems
        )
        if len(self.problems) == 1:
            message = str(self.problems[0])
        else:
            message = f"{len(self.problems)} problems in the store configuration:"
            message += "".join(f"\n  {line}" for line in _aligned(self.problems))
        super().__init__(message, hint=hint)


def _aligned(problems: Sequence[Problem]) -> list[str]:
    """Return a line for each problem, in columns where places are known."""
    if not any(problem.source for problem in problems):
        return [str(problem) for problem in problems]
    rows = [(p.source, p.what, p.message) for p in problems]
    # A long one breaks out of its column, rather than to push all others away.
    wide = [min(max(len(row[i]) for row in rows), 40) for i in (0, 1)]
    return [
        "  ".join([source.ljust(wide[0]), what.ljust(wide[1]), message])
        for source, what, message in rows
    ]


class DriverError(MooringError):
    """A driver plugin cannot be used.

    Attributes:
        driver: The name that was asked for.
    """

    code = "driver"

    def __init__(self, message: str, *, driver: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.driver = driver


class UnknownDriverError(DriverError, LookupError):
    """No registered driver has that name.

    Attributes:
        installed: Names of the drivers that could be used.
        broken: Names of those that could not, with the reason.
        suggestion: The known name that looks most like the one asked for, or None.
    """

    code = "unknown_driver"

    def __init__(
        self,
        message: str,
        *,
        driver: str,
        installed: Sequence[str] = (),
        broken: dict[str, str] | None = None,
        suggestion: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, driver=driver, hint=hint)
        self.installed = tuple(installed)
        self.broken = dict(broken or {})
        self.suggestion = suggestion


class DriverLoadError(DriverError):
    """Importing or registering the driver failed; ``__cause__`` says how."""

    code = "driver_load"


class DriverConflictError(DriverError):
    """Two distributions claim one name; ``distributions`` names them."""

    code = "driver_conflict"

    def __init__(
        self,
        message: str,
        *,
        driver: str,
        distributions: Sequence[str],
        hint: str | None = None,
    ) -> None:
        super().__init__(message, driver=driver, hint=hint)
        self.distributions = tuple(distributions)


class DriverDisabledError(DriverError):
    """The allow-list of this process leaves the driver out."""

    code = "driver_disabled"


class IncompatibleDriverError(DriverError):
    """The driver was written for an API version that this core does not speak."""

    code = "incompatible_driver"


class DriverProtocolError(DriverError):
    """A hook of the driver returned what the contract does not allow."""

    code = "driver_protocol"


class UnsupportedByDriver(MooringError):  # noqa: N818 - named in the design's contract
    """The store does not have a capability that the call needs.

    Attributes:
        driver: Name of the store's driver.
        capability: The missing capability.
    """

    code = "unsupported_by_driver"

    def __init__(
        self, message: str, *, driver: str, capability: str, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.driver = driver
        self.capability = capability


class ArgumentError(MooringError, ValueError):
    """A call was made with an argument that it does not take; it had no effect."""

    code = "argument"


class StoreError(MooringError):
    """Something about a store: it could not be opened, or a call on it failed.

    Attributes:
        offset: Position in the SQL text where the engine saw the error, or None
            where it does not tell.
    """

    code = "store"
    offset: int | None = None


class OpenError(StoreError):
    """The store could not be opened; nothing is left open."""

    code = "open"


class UnavailableError(OpenError):
    """The store cannot be reached now, or takes no connection; it may do so later."""

    code = "unavailable"
    retryable = True


class StoreClosedError(StoreError):
    """The store is closed, or belongs to the parent of this forked process."""

    code = "store_closed"


class CorruptStoreError(StoreError):
    """The data is damaged or is not a database; no byte of it was changed."""

    code = "corrupt_store"


class StorageError(StoreError):
    """Reading or writing the storage failed; the transaction was rolled back."""

    code = "storage"


class StorageFullError(StorageError):
    """No space is left; the transaction was rolled back."""

    code = "storage_full"
    retryable = True


class StoreBusyError(StoreError):
    """Waited in vain for a lock that another thread or process holds."""

    code = "store_busy"
    retryable = True


class PoolTimeoutError(StoreError):
    """Waited in vain for a connection of the pool."""

    code = "pool_timeout"
    retryable = True


class StatementTimeoutError(StoreError):
    """A statement ran past its deadline and was stopped; it had no effect."""

    code = "statement_timeout"


class SnapshotExpiredError(StoreError):
    """A snapshot was open for longer than it may be, and was given up.

    What it returned before was one state; what comes after would be another.
    """

    code: ClassVar[str] = "snapshot_expired"


class ConnectionLostError(StoreError):
    """The connection broke; what was not committed is rolled back."""

    code = "connection_lost"
    retryable = True


class OutcomeUnknownError(StoreError):
    """It is not known whether the work was committed. Never retried by mooring."""

    code = "outcome_unknown"


class SerializationError(StoreError):
    """Conflict with another transaction; run the whole transaction again."""

    code = "serialization"
    retryable = True


class NestedTransactionError(StoreError):
    """This context already has an open scope of this store."""

    code = "nested_transaction"


class TransactionAbortedError(StoreError):
    """The scope failed at an earlier statement; nothing of it is committed."""

    code = "transaction_aborted"


class ReadOnlyError(StoreError):
    """A write in a snapshot or on a read-only store; it had no effect."""

    code = "read_only"


class StatementError(StoreError):
    """The engine refused the statement; it had no effect."""

    code = "statement"


class StatementNotAllowedError(StatementError):
    """The statement would change a connection that others borrow next."""

    code = "statement_not_allowed"


class ParameterError(StatementError, ValueError):
    """Placeholders and values do not fit; the statement did not run."""

    code = "parameter"


class IntegrityError(StoreError):
    """A constraint refused the change; the statement had no effect."""

    code = "integrity"


class UniqueViolation(IntegrityError):  # noqa: N818 - the SQL standard's term
    """A row with this key exists (SQLSTATE 23505)."""

    code = "unique_violation"


class ForeignKeyViolation(IntegrityError):  # noqa: N818 - the SQL standard's term
    """A referenced row is missing, or still referenced (SQLSTATE 23503)."""

    code = "foreign_key_violation"


class CheckViolation(IntegrityError):  # noqa: N818 - the SQL standard's term
    """A CHECK failed, or its JSON function met malformed JSON (SQLSTATE 23514)."""

    code = "check_violation"


class NotNullViolation(IntegrityError):  # noqa: N818 - the SQL standard's term
    """A required column got no value (SQLSTATE 23502)."""

    code = "not_null_violation"


class ResultError(StoreError):
    """The rows are not what was asked for: none, too many, or not convertible."""

    code = "result"


class MigrationError(MooringError):
    """Schema migrations could not be read or applied."""

    code = "migration"


class MigrationParseError(MigrationError):
    """A file cannot be read as a migration; nothing of the run was applied.

    Attributes:
        file: Name of the migration file.
        line: 1-based line the message is about, or None for the whole file.
    """

    code = "migration_parse"

    def __init__(
        self, message: str, *, file: str, line: int | None, hint: str | None = None
    ) -> None:
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {message}", hint=hint)
        self.file = file
        self.line = line


class MigrationLockError(MigrationError):
    """The migration lock was not free in time; nothing was changed."""

    code = "migration_lock"
    retryable = True


class MigrationFailedError(MigrationError):
    """A statement of a migration failed, or its function raised.

    Attributes:
        file: Name of the migration file.
        version: Its version.
        line: 1-based line of the statement; in Python, the innermost of the file that
            the exception, which is the cause, came by.
        column: 1-based column of the error in that line, or None where the engine
            does not tell.
        statement: The statement's text; in Python, the line.
        state: What the database is left with, in words.
    """

    code = "migration_failed"

    def __init__(
        self,
        message: str,
        *,
        file: str,
        version: int,
        line: int,
        column: int | None,
        statement: str,
        state: str,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.version = version
        self.line = line
        self.column = column
        self.statement = statement
        self.state = state


class MigrationsPendingError(MigrationError):
    """The database is behind this program, and the program may not migrate it.

    Attributes:
        versions: The pending versions, ascending.
    """

    code = "migrations_pending"

    def __init__(
        self, message: str, *, versions: Sequence[int], hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.versions = tuple(versions)


class DatabaseAheadError(MigrationError):
    """The database was migrated by a newer release of the program.

    Attributes:
        database: Newest version in the database.
        known: Newest version this program knows, 0 if none.
    """

    code = "database_ahead"

    def __init__(
        self, message: str, *, database: int, known: int, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.database = database
        self.known = known


class MigrationChangedError(MigrationError):
    """An applied migration's file is no longer what was applied.

    Attributes:
        version: The version.
        recorded: SHA-256 of what was applied, in hex.
        found: SHA-256 of the file as it is now, in hex.
    """

    code = "migration_changed"

    def __init__(
        self,
        message: str,
        *,
        version: int,
        recorded: str,
        found: str,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.version = version
        self.recorded = recorded
        self.found = found


class MigrationOrderError(MigrationError):
    """Pending files have versions below the newest applied one.

    Attributes:
        versions: Those versions, ascending.
    """

    code = "migration_order"

    def __init__(
        self, message: str, *, versions: Sequence[int], hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.versions = tuple(versions)


class MigrationUnfinishedError(MigrationError):
    """A file that runs without a transaction was begun, and did not end.

    Nothing of this run was changed: somebody has to say how to go on.

    Attributes:
        file: Name of the migration file.
        version: Its version.
        direction: ``up`` or ``down``.
        done: How many of its statements ran and stay, from the first on.
        running: Whether the next one was begun, and nobody knows if it ended.
    """

    code = "migration_unfinished"

    def __init__(
        self,
        message: str,
        *,
        file: str,
        version: int,
        direction: str,
        done: int,
        running: bool,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.version = version
        self.direction = direction
        self.done = done
        self.running = running
