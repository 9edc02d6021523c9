"""What a driver offers for migrations: a store, a session with the lock, and its units.

A start makes none of these classes.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from mooring.core._config import StoreConfig
from mooring.core._versions import AppliedRow


class Unfinished(NamedTuple):
    """How far a file is that runs without a transaction, statement by statement.

    Attributes:
        version: Its version.
        direction: ``up`` or ``down``.
        done: How many of its statements ran and stay, >= 0.
        running: Whether the next one was begun and is not known to have ended: its
            process died, or lost the connection.
        ran: SHA-256 in hex of the statements that ran, as the file has them.
    """

    version: int
    direction: Literal["up", "down"]
    done: int
    running: bool
    ran: str


class MigrationUnit(Protocol):
    """Statements that the engine keeps or undoes together."""

    def execute(self, sql: str) -> None:
        """Execute a piece of a migration: maybe many SQL statements.

        Raises:
            StoreError: One of them failed. Its ``offset`` is the position in *sql*
                where the engine saw the error, or None.
        """
        ...

    def split(self, sql: str) -> Iterable[tuple[int, str]]:
        """Return the SQL statements of a piece, each with the offset where it begins.

        Each can be given to `execute` alone; comments between them are left out.
        """
        ...

    def record(self, version: int, *, digest: str, duration: float | None) -> None:
        """Note *version* as applied, with the file's digest and seconds.

        Without a duration it was not run: somebody says that it is applied.
        """
        ...

    def unrecord(self, version: int) -> None:
        """Note *version* as not applied."""
        ...

    def amend(self, version: int, *, digest: str) -> None:
        """Note another digest for a version that is applied; all else stays."""
        ...

    def note(self, version: int, unfinished: Unfinished | None) -> bool:
        """Note how far the file of *version* is, None if it is not under way.

        `record` and `unrecord` note None as well. In a unit without a transaction it
        is durable when the call returns; inside a transaction that the file itself has
        begun it does nothing, since that may yet be undone.

        Returns:
            Whether it was noted.
        """
        ...


class MigrationSession(Protocol):
    """A direct connection that holds the database's migration lock."""

    def versions(self) -> Sequence[AppliedRow]:
        """Return what is applied, by version.

        A version table that is missing is not made here: the first unit makes it, with
        its row 0, so that a run that fails at once leaves nothing.
        """
        ...

    def unfinished(self) -> Unfinished | None:
        """Return the file that was begun without a transaction and did not end."""
        ...

    def unit(self, *, transaction: bool) -> AbstractContextManager[MigrationUnit]:
        """Return a ``with`` block around one unit.

        With *transaction* it commits on exit and rolls back on any exception; without,
        each statement stands alone. Either way the connection's own state is as it was
        when the block is left, whatever the statements set.
        """
        ...


@runtime_checkable
class LimitsStatements(Protocol):
    """What a `MigrationSession` has, too, where its statements can be given bounds."""

    def limit(self, *, statement: float | None, lock: float | None) -> None:
        """Bound each statement of the files that follow, until the session ends.

        It is stopped with a `StatementTimeoutError`, or with a `StoreBusyError` if it
        waited for a lock. What a file sets itself holds for the rest of that file.

        Args:
            statement: Seconds that one may run, > 0; None: as long as it takes.
            lock: Seconds that it may wait for locks of others, > 0; None: as long as
                the engine lets it.
        """
        ...


@runtime_checkable
class LetsFilesCommit(Protocol):
    """What a `MigrationSession` has, too, where a file may end its own transaction.

    Its units, of one transaction, run the file's BEGIN and COMMIT. They have a
    ``kept``: how many of the pieces given to ``execute`` stay whatever happens, from
    the first on. Other engines refuse both with `StatementNotAllowedError`.
    """

    def commits_in(self, sql: str) -> int | None:
        """Return the offset of the first such statement in a piece, None without."""
        ...


@runtime_checkable
class Migratable(Protocol):
    """A store that can be migrated: the side of it that `migrate.Migrator` sees."""

    @property
    def config(self) -> StoreConfig:
        """The configuration it was opened with."""
        ...

    def migration_versions(
        self, table: str, *, timeout: float | None = None
    ) -> Sequence[AppliedRow] | None:
        """Return what is applied by version, None if there is no such table.

        It takes no lock, writes nothing, and may be called beside open scopes.

        Args:
            table: The version table.
            timeout: Seconds to wait for a connection, >= 0; the store's own by default.
        """
        ...

    def migration_unfinished(self, table: str) -> Unfinished | None:
        """Return the file that was begun without a transaction and did not end.

        As `migration_versions`: no lock, nothing written.
        """
        ...

    def migration_session(
        self, table: str, *, timeout: float
    ) -> AbstractContextManager[MigrationSession]:
        """Return a ``with`` block that holds the migration lock.

        Args:
            table: The version table.
            timeout: Seconds to wait for the lock, > 0.

        Raises:
            MigrationLockError: It was not free in time; nothing was changed.
        """
        ...
