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

Each carries ``message`` (one line), ``hint`` (what to do next, or None) and
``retryable`` (whether the same call can succeed later without a change).
The cause, where there is one, is the driver's own exception in ``__cause__``.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple


class MooringError(Exception):
    """Root of all errors of this package."""

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


class Problem(NamedTuple):
    """One thing that is wrong in a configuration.

    Attributes:
        key: The option it is about, or "" for the whole.
        message: What is wrong and what would be right; never a secret's value.
    """

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message


class ConfigError(MooringError):
    """The configuration is wrong; nothing was opened.

    Attributes:
        problems: Every problem found, in the order of the fields.
    """

    def __init__(
        self, problems: Iterable[Problem | str], *, hint: str | None = None
    ) -> None:
        self.problems: Sequence[Problem] = tuple(
            Problem("", p) if isinstance(p, str) else p for p in problems
        )
        texts = [str(p) for p in self.problems]
        if len(texts) == 1:
            message = texts[0]
        else:
            message = f"{len(texts)} problems in the store configuration:" + "".join(
                f"\n  {text}" for text in texts
            )
        super().__init__(message, hint=hint)


class DriverError(MooringError):
    """A driver plugin cannot be used.

    Attributes:
        driver: The name that was asked for.
    """

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


class DriverConflictError(DriverError):
    """Two distributions claim one name; ``distributions`` names them."""

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


class IncompatibleDriverError(DriverError):
    """The driver was written for an API version that this core does not speak."""


class DriverProtocolError(DriverError):
    """A hook of the driver returned what the contract does not allow."""


class UnsupportedByDriver(MooringError):  # noqa: N818 - named in the design's contract
    """The store does not have a capability that the call needs.

    Attributes:
        driver: Name of the store's driver.
        capability: The missing capability.
    """

    def __init__(
        self, message: str, *, driver: str, capability: str, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.driver = driver
        self.capability = capability


class ArgumentError(MooringError, ValueError):
    """A call was made with an argument that it does not take; it had no effect."""


class StoreError(MooringError):
    """Something about a store: it could not be opened, or a call on it failed.

    Attributes:
        offset: Position in the SQL text where the engine saw the error, or None
            where it does not tell.
    """

    offset: int | None = None


class OpenError(StoreError):
    """The store could not be opened; nothing is left open."""


class UnavailableError(OpenError):
    """The store cannot be reached now, or takes no connection; it may do so later."""

    retryable = True


class StoreClosedError(StoreError):
    """The store is closed, or belongs to the parent of this forked process."""


class CorruptStoreError(StoreError):
    """The data is damaged or is not a database; no byte of it was changed."""


class StorageError(StoreError):
    """Reading or writing the storage failed; the transaction was rolled back."""


class StorageFullError(StorageError):
    """No space is left; the transaction was rolled back."""

    retryable = True


class StoreBusyError(StoreError):
    """Waited in vain for a lock that another thread or process holds."""

    retryable = True


class PoolTimeoutError(StoreError):
    """Waited in vain for a connection of the pool."""

    retryable = True


class StatementTimeoutError(StoreError):
    """A statement ran past its deadline and was stopped; it had no effect."""


class ConnectionLostError(StoreError):
    """The connection broke; what was not committed is rolled back."""

    retryable = True


class OutcomeUnknownError(StoreError):
    """It is not known whether the work was committed. Never retried by mooring."""


class SerializationError(StoreError):
    """Conflict with another transaction; run the whole transaction again."""

    retryable = True


class NestedTransactionError(StoreError):
    """This context already has an open scope of this store."""


class TransactionAbortedError(StoreError):
    """The scope failed at an earlier statement; nothing of it is committed."""


class ReadOnlyError(StoreError):
    """A write in a snapshot or on a read-only store; it had no effect."""


class StatementError(StoreError):
    """The engine refused the statement; it had no effect."""


class StatementNotAllowedError(StatementError):
    """The statement would change a connection that others borrow next."""


class ParameterError(StatementError, ValueError):
    """Placeholders and values do not fit; the statement did not run."""


class IntegrityError(StoreError):
    """A constraint refused the change; the statement had no effect."""


class UniqueViolation(IntegrityError):  # noqa: N818 - the SQL standard's term
    """A row with this key exists (SQLSTATE 23505)."""


class ForeignKeyViolation(IntegrityError):  # noqa: N818 - the SQL standard's term
    """A referenced row is missing, or still referenced (SQLSTATE 23503)."""


class CheckViolation(IntegrityError):  # noqa: N818 - the SQL standard's term
    """A CHECK failed, or its JSON function met malformed JSON (SQLSTATE 23514)."""


class NotNullViolation(IntegrityError):  # noqa: N818 - the SQL standard's term
    """A required column got no value (SQLSTATE 23502)."""


class ResultError(StoreError):
    """The rows are not what was asked for: none, too many, or not convertible."""


class MigrationError(MooringError):
    """Schema migrations could not be read or applied."""


class MigrationParseError(MigrationError):
    """A file cannot be read as a migration; nothing of the run was applied.

    Attributes:
        file: Name of the migration file.
        line: 1-based line the message is about, or None for the whole file.
    """

    def __init__(
        self, message: str, *, file: str, line: int | None, hint: str | None = None
    ) -> None:
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {message}", hint=hint)
        self.file = file
        self.line = line


class MigrationLockError(MigrationError):
    """The migration lock was not free in time; nothing was changed."""

    retryable = True


class MigrationFailedError(MigrationError):
    """A statement of a migration failed.

    Attributes:
        file: Name of the migration file.
        version: Its version.
        line: 1-based line of the statement.
        column: 1-based column of the error in that line, or None where the engine
            does not tell.
        statement: The statement's text.
        state: What the database is left with, in words.
    """

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
