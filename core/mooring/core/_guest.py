"""A connection inside of a transaction that others began, for one who joins them."""

from collections.abc import Callable
from threading import RLock
from typing import TYPE_CHECKING, Final

from mooring.core._lease import is_mine
from mooring.core.errors import SerializationError, StoreError

if TYPE_CHECKING:
    from mooring.core._result import Result
    from mooring.core._session import SavepointSession, Values
    from mooring.core._statement import Statement

_SAVEPOINT: Final = "mooring_guest"


class GuestSession:
    """A `Session` that sets a savepoint where others would begin.

    Those who wait for the COMMIT may lose their patience: they take the turn, undo what
    the guest did, and whatever it does next is refused.

    Args:
        session: The connection, with its transaction open.
    """

    __slots__ = ("_session", "_turn", "has_savepoint", "was_turned_out")

    def __init__(self, session: "SavepointSession") -> None:
        self._session = session
        self._turn = RLock()
        self.has_savepoint = False
        self.was_turned_out = False

    @property
    def in_transaction(self) -> bool:
        """Whether what the guest did can still be kept."""
        self._refuse()
        return self._session.in_transaction

    def run(self, statement: "Statement", text: str, values: "Values") -> "Result":
        """Execute one statement and fetch all of its rows; see `Session`."""
        with self._turn:
            if self.was_turned_out:
                self._refuse()
            return self._session.run(statement, text, values)

    def begin(self, *, isolation: str | None, read_only: bool) -> None:  # noqa: ARG002 - the transaction around it has them
        """Set the savepoint that stands for the beginning."""
        # Nobody takes the turn of a guest before it has one.
        self._session.savepoint(_SAVEPOINT)
        self.has_savepoint = True

    def commit(self) -> None:
        """Release it: what was done is part of the transaction now."""
        with self._turn:
            if self.was_turned_out:
                self._refuse()
            # Said before, so that a signal's exception behind it finds it true.
            self.has_savepoint = False
            try:
                self._session.release(_SAVEPOINT)
            except StoreError:
                self.has_savepoint = True
                raise

    def rollback(self) -> None:
        """Undo what was done; the transaction stays open."""
        with self._turn:
            self._undo()

    def savepoint(self, name: str) -> None:
        """Set a savepoint."""
        with self._turn:
            self._refuse()
            self._session.savepoint(name)

    def release(self, name: str) -> None:
        """Release a savepoint, keeping its work."""
        with self._turn:
            self._refuse()
            self._session.release(name)

    def rollback_to(self, name: str) -> None:
        """Undo what came after a savepoint, and release it."""
        with self._turn:
            self._refuse()
            self._session.rollback_to(name)

    def reset(self) -> bool:
        """Undo whatever is left over; return whether the transaction goes on."""
        self.rollback()
        return self._session.in_transaction

    def turn_out(self, patience: float, then: Callable[[], None]) -> None:
        """Undo what the guest did and call *then*, before it can go on.

        Nothing happens if it ended of itself, or if its statement runs too long.

        Args:
            patience: Seconds to wait for the end of the statement, >= 0.
            then: What is to be done without it.
        """
        try:
            if self._turn.acquire(timeout=patience) and (
                self.has_savepoint or self.was_turned_out
            ):
                self.was_turned_out = True
                self._undo()
                then()
        finally:
            # A signal's exception may have come behind it was taken.
            if is_mine(self._turn):
                self._turn.release()

    def drop(self) -> bool:
        """Undo what the guest did, which is gone; return False if somebody is at it."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            self._undo()
        finally:
            self._turn.release()
        return True

    def _undo(self) -> None:
        # Where the engine rolled everything back, the savepoint is gone with it.
        if self.has_savepoint and self._session.in_transaction:
            try:
                self._session.rollback_to(_SAVEPOINT)
            except StoreError:
                self._session.rollback()
        self.has_savepoint = False

    def _refuse(self) -> None:
        if self.was_turned_out:
            raise SerializationError(
                "the block took so long that those which share a COMMIT with it were"
                " committed without it; nothing of it is kept",
                hint="run it again; transaction(alone=True) may take its time",
            )
