"""Group commit: transactions that queue for one connection share its COMMIT.

The first of a group begins a transaction. When it is done and another one waits that
may join, the connection is handed on with the transaction open; that one is a guest,
whose work stands behind a savepoint. Whoever finds nobody to hand on to commits for
all. Each block runs in its own thread and context, and returns when what it wrote is
committed: nothing is acknowledged before. Where nobody waits, no statement is added and
no time is lost.

What one member can do to the others depends on what the engine did. An error of its own
is undone by its savepoint. Where the engine rolled the whole transaction back, or the
COMMIT failed, nothing of the group is kept: what may run again does, each by itself and
in order, before whoever else waits; the others get an error that says so.
"""

import sys
import threading
import weakref
from copy import copy
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from mooring.core._guest import GuestSession
from mooring.core._lease import Waiter
from mooring.core._transaction import RunAgain, Transaction, commit
from mooring.core.errors import (
    IntegrityError,
    OutcomeUnknownError,
    SerializationError,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from mooring.core._lease import Lease
    from mooring.core._pool import Pool
    from mooring.core._scope import Translate
    from mooring.core._session import GroupSession, Owner
    from mooring.core._transaction import Isolation

# Most transactions of a group; more gain little, as the flush is shared by then.
_MOST: Final = 64
# Seconds after which nobody joins any more, so that the first is not kept waiting.
_LONGEST: Final = 0.01
# Least patience, in seconds, with a guest that does not end.
_PATIENCE: Final = 1.0

S = TypeVar("S", bound="GroupSession")


class Member(Generic[S]):
    """A transaction whose block is done, and which waits for the group's COMMIT.

    Attributes:
        may_run_again: Whether its block may, if the group is lost.
        outcome: What became of it: True is committed, False is to run again; None
            until that is known.
        place: Where it waits to run again.
        signal: Released when its thread may go on.
    """

    __slots__ = ("may_run_again", "outcome", "place", "signal")

    def __init__(self, *, may_run_again: bool) -> None:
        self.may_run_again = may_run_again
        self.place: Waiter[S] | None = None
        self.signal = threading.Lock()
        self.signal.acquire()
        self.outcome: StoreError | bool | None = None

    def decide(self, outcome: StoreError | bool) -> None:
        """Let its thread go on with this outcome; only the first one counts."""
        if self.outcome is None:
            self.outcome = outcome
        if self.signal.locked():
            self.signal.release()

    def give_up(self, pool: "Pool[S]") -> None:
        """Wait for nothing any more, whatever becomes of it."""
        self.may_run_again = False
        if self.place is not None:
            pool.leave(self.place)


class Group(Generic[S]):
    """Transactions that share one COMMIT.

    Args:
        pool: Where the connection belongs.
        lease: The connection, whose transaction is open.
        began: When that began, in monotonic seconds.
    """

    __slots__ = (
        "_ending",
        "_guest",
        "_lease",
        "_open_until",
        "_outcome",
        "_pool",
        "_session",
        "members",
    )

    def __init__(self, pool: "Pool[S]", lease: "Lease[S]", began: float) -> None:
        self._pool = pool
        # Weakly: one that is dropped closes its connection.
        self._lease: Callable[[], Lease[S] | None] = weakref.ref(lease, self._dropped)
        self._session = lease.connection
        # Whose work is part of the open transaction.
        self.members: list[Member[S]] = []
        self._open_until = began + _LONGEST
        self._guest: GuestSession | None = None
        # What became of it, once that is known: True is committed.
        self._outcome: StoreError | bool | None = None
        self._ending = threading.RLock()

    def receive(self) -> GuestSession:
        """Return the connection as the next one is to use it."""
        self._guest = GuestSession(self._session)
        return self._guest

    def takes_more(self) -> bool:
        """Return whether another one may join."""
        return (
            len(self.members) < _MOST
            and monotonic() < self._open_until
            and self._session.in_transaction
        )

    def finish(self) -> None:
        """Commit, and tell each member what became of it; once, however often called.

        Raises:
            BaseException: Only what a signal raised meanwhile, such as a Ctrl-C; the
                group is finished all the same.
        """
        with self._ending:
            try:
                self._finish()
            except BaseException:
                self._finish()
                raise

    def _finish(self) -> None:
        lease = self._lease()
        if self._outcome is None:
            self._outcome = self._commit() if lease is not None else _lost()
        if lease is not None:
            lease.unfinished = None
        self._lease = _nothing  # what it calls would keep this one from being freed
        _tell(self._pool, self.members, self._outcome)

    def _commit(self) -> StoreError | bool:
        """Return what a COMMIT comes to; one that a signal kept off is to be repeated.

        Raises:
            BaseException: What a signal raised. The outcome is set if there is one.
        """
        before = sys.exc_info()[1]
        sent = False
        try:
            if not self._session.in_transaction:
                return _lost()
            sent = True
            commit(self._session)
        except StoreError as error:
            return error
        except BaseException as error:
            if sent and not self._session.in_transaction:
                # It came behind the COMMIT; while an error of that was handled, if
                # there is one which was not there before.
                clean = error.__context__ is None or error.__context__ is before
                self._outcome = clean or _unknown()
            raise
        return True

    def _dropped(self, _: object) -> None:
        """Commit what is good before the connection of a lost loan is closed.

        The collector may call it amid anything, so it waits for nobody.
        """
        if self._ending.acquire(blocking=False):
            try:
                if self._outcome is None and (
                    self._guest is None or self._guest.drop()
                ):
                    self._outcome = self._commit()
                self._finish()
            finally:
                self._ending.release()

    def finish_without_guest(self, patience: float) -> None:
        """Commit without the one whose block runs now; that one has to begin again.

        Its block takes too long, or waits itself for somebody who waits here.

        Args:
            patience: Seconds to wait for the end of its present statement, >= 0.
        """
        if self._lease() is None:
            self.finish()
        elif self._guest is not None:
            self._guest.turn_out(patience, self.finish)


class GroupedTransaction(Transaction[S]):
    """A transaction that may share its COMMIT with others.

    Args:
        may_run_again: Its block may run again if the group is lost; leaving it then
            raises `RunAgain`.
    """

    __slots__ = ("_began", "_group", "_may_run_again", "_member")

    def __init__(
        self,
        store: "Owner",
        translate: "Translate",
        pool: "Pool[S]",
        isolation: "Isolation",
        may_run_again: bool,
    ) -> None:
        super().__init__(store, translate, pool, isolation)
        self._may_run_again = may_run_again
        self._group: Group[S] | None = None
        self._member: Member[S] | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        raised: BaseException | None = None
        try:
            super().__exit__(kind, error, trace)
        except BaseException as caught:
            if self._member is None:
                raise
            raised = caught
        if self._group is None or self._member is None:
            return
        try:
            self._wait(self._group, self._member)
            _conclude(self._member, raised)
        except RunAgain:
            raise
        except BaseException:
            self._member.give_up(self._pool)
            raise
        finally:
            raised = None  # it refers to this frame, which would refer to it

    def _borrow(self) -> "Lease[S]":
        return self._pool.acquire(joins=True)

    def _begin(self) -> None:
        # A Group: nothing else is ever left unfinished.
        group: Any = self._lease.unfinished
        if group is not None:
            self._group = group
            self._session = group.receive()
        super()._begin()
        self._began = monotonic()

    def _commit(self) -> None:
        if self._group is not None:
            commit(self._session)
        elif self._pool.joiner_waits and self._session.may_share():
            self._group = Group(self._pool, self._lease, self._began)
            self._lease.unfinished = self._group
        else:
            super()._commit()
            return
        self._member = Member(may_run_again=self._may_run_again)
        self._group.members.append(self._member)

    def _clear(self) -> bool:
        if self._state == "new" and self._lease.unfinished is not None:
            return True  # nothing was done yet, and the others' work is good
        if self._session is not self._lease.connection:
            return self._session.reset()  # a guest's
        return super()._clear()

    def _give_back(self, *, fit: bool) -> None:
        group = self._group
        if fit and group is not None and group.takes_more():
            self._lease.borrower = None
            if self._pool.pass_on(self._lease):
                return
        super()._give_back(fit=fit)

    def _wait(self, group: Group[S], member: Member[S]) -> None:
        """Wait for the COMMIT, which a signal cannot change any more."""
        patience = max(self._pool.timeout, _PATIENCE)
        raised: BaseException | None = None
        while member.outcome is None:
            try:
                if not member.signal.acquire(timeout=patience):
                    group.finish_without_guest(patience)
            except BaseException as error:  # noqa: BLE001 - raised below
                raised = error
        try:
            if raised is not None:
                raise raised
        finally:
            raised = None  # it refers to this frame, which would refer to it


def _conclude(member: Member[Any], raised: BaseException | None) -> None:
    """Raise what a member's outcome asks for, or else what its thread raised."""
    try:
        if raised is not None:
            raise raised
    finally:
        raised = None  # as above
    if member.outcome is False:
        raise RunAgain(member.place)
    if isinstance(member.outcome, StoreError):
        raise member.outcome


def _nothing() -> None:
    """Stand in for a reference to what is not needed any more."""


def _tell(
    pool: "Pool[S]", members: list[Member[S]], outcome: StoreError | bool
) -> None:
    """Tell the members what became of their COMMIT; doing it twice is the same."""
    if not isinstance(outcome, StoreError):
        for member in members:
            member.decide(True)
    elif isinstance(outcome, SerializationError):
        _lose(pool, members)
    elif isinstance(outcome, OutcomeUnknownError) or len(members) == 1:
        for member in members:
            member.decide(_again(outcome))
    elif isinstance(outcome, IntegrityError):
        _lose(pool, members)  # it is one's, and nobody knows whose
    else:
        _lose(pool, members, outcome)


def _lose(
    pool: "Pool[S]", members: list[Member[S]], failure: StoreError | None = None
) -> None:
    """Let those run again who may, next and in order; tell the others why not."""
    places = []
    for member in members:
        if member.may_run_again:
            if member.place is None:
                member.place = Waiter()
            # Looked at again: its thread may have gone before it had the place.
            if member.may_run_again:
                places.append(member.place)
    pool.put_first(places)
    for member in members:
        if member.place is not None:
            member.decide(False)
        else:
            member.decide(_again(failure) if failure else _lost())


def _again(failure: StoreError) -> StoreError:
    """Return the same error for another thread: a raised one has its traceback."""
    copied = copy(failure)
    copied.__cause__ = failure.__cause__
    return copied


def _lost() -> SerializationError:
    return SerializationError(
        "another transaction, with which this one shared its COMMIT, made the engine"
        " roll back both; nothing of it is kept",
        hint="run it again; transaction(alone=True) shares its COMMIT with none",
    )


def _unknown() -> OutcomeUnknownError:
    return OutcomeUnknownError(
        "the COMMIT was interrupted while an error was handled: the change may be"
        " there or not",
        hint="look at the data before you write it again",
    )
