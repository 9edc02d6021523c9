"""What a driver implements for one connection; the scopes do the rest."""

from collections.abc import Generator
from typing import Any, Protocol

from mooring.core._driver import Capability
from mooring.core._result import Description, Result
from mooring.core._statement import Statement

Values = tuple[object, ...]
Batches = Generator[tuple[Description, list[tuple[Any, ...]]], None, None]


class Session(Protocol):
    """One connection of an engine.

    Every method raises errors of ``mooring.core.errors``, the engine's own in
    ``__cause__``, and is bounded in time by the store's configuration. A session is
    used by one thread at a time.
    """

    @property
    def in_transaction(self) -> bool:
        """Whether the engine has a transaction open on this connection."""
        ...

    def run(self, statement: Statement, text: str, values: Values) -> Result:
        """Execute one statement and fetch all of its rows.

        Outside a transaction it is one of its own, and an error leaves none open.

        Args:
            statement: The statement as translated for the driver's dialect.
            text: Its text for these values, which may hold expanded lists.
            values: One value a placeholder, as the dialect's adapters made them.

        Raises:
            OutcomeUnknownError: The connection broke during a single write.
            StoreError: Any other failure; the statement had no effect.
        """
        ...

    def stream(
        self, statement: Statement, text: str, values: Values, size: int
    ) -> Batches:
        """Execute a query and yield its columns with *size* rows at a time.

        Closing the generator frees the engine's cursor.
        """
        ...

    def begin(self, *, isolation: str | None, read_only: bool) -> None:
        """Begin a transaction.

        Args:
            isolation: None for the engine's default, or ``"serializable"``, which is
                asked for only where the store has that capability.
            read_only: It is a snapshot: what it reads is one state, from its first
                statement on, and a write raises `ReadOnlyError`.
        """
        ...

    def commit(self) -> None:
        """Commit, and check that the engine did.

        Raises:
            OutcomeUnknownError: It is not known whether it did.
            StoreError: It did not; the transaction may still be open.
        """
        ...

    def rollback(self) -> None:
        """Roll back; nothing happens where no transaction is open."""
        ...

    def reset(self) -> bool:
        """Undo whatever is left over; return whether the connection is fit for use."""
        ...


class SavepointSession(Session, Protocol):
    """A connection of an engine with savepoints.

    Asked for only by stores that have the capability ``savepoints``.
    """

    def savepoint(self, name: str) -> None:
        """Set a savepoint."""
        ...

    def release(self, name: str) -> None:
        """Release a savepoint, keeping its work."""
        ...

    def rollback_to(self, name: str) -> None:
        """Undo what came after a savepoint, and release it."""
        ...


class GroupSession(SavepointSession, Protocol):
    """A connection of an engine on which transactions may share one COMMIT.

    Asked for only by stores with a ``group_commit`` other than ``"off"``.
    """

    def may_share(self) -> bool:
        """Say whether the open transaction may be joined by others.

        Not where what one of them does could make another one's COMMIT fail.
        """
        ...


class Owner(Protocol):
    """The store that a scope belongs to, as far as the scope asks it."""

    def require(self, capability: Capability) -> None:
        """Raise UnsupportedByDriver unless the store has *capability*."""


class Borrower(Protocol):
    """Has a connection for longer than one call."""

    def orphan(self) -> None:
        """Note that this is a forked child, which must not use the connection."""


class UnfinishedWork(Protocol):
    """What borrowers of a connection began together, and its next one may join."""

    def finish(self) -> None:
        """End it, whatever comes of that; it raises only what a signal raised."""
