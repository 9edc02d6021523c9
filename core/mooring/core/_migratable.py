"""What a store offers so that it can be migrated; `mooring.migrate` needs no more."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from mooring.core._config import StoreConfig

if TYPE_CHECKING:
    from mooring.core._migration_session import MigrationSession, Unfinished


class AppliedRow(NamedTuple):
    """A version that the database says is applied.

    Attributes:
        version: The version; row 0, which every version table begins with, is left out.
        applied_at: When, as ISO 8601 in UTC to the second, or "" if not recorded.
        digest: SHA-256 of the applied file in hex, None if not recorded.
        duration: Seconds that it took, None if not recorded.
        applied_by: Who applied it, as ``user@machine``, None if not recorded.
        undoing: Its way back was begun without a transaction, and did not end: a part
            of it is undone.
    """

    version: int
    applied_at: str
    digest: str | None
    duration: float | None
    applied_by: str | None = None
    undoing: bool = False


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

    def migration_unfinished(self, table: str) -> "Unfinished | None":
        """Return the file that was begun without a transaction and did not end.

        As `migration_versions`: no lock, nothing written.
        """
        ...

    def migration_session(
        self, table: str, *, timeout: float
    ) -> AbstractContextManager["MigrationSession"]:
        """Return a ``with`` block that holds the migration lock.

        Args:
            table: The version table.
            timeout: Seconds to wait for the lock, > 0.

        Raises:
            MigrationLockError: It was not free in time; nothing was changed.
        """
        ...
