"""Open, used, closed: once, in order, by its own process, and without a trace."""

import socket
import sys
import threading
from typing import Any

from mooring import core
from mooring.core import _pool, hookimpl
from mooring.core._transaction import Isolation
from mooring_sqlite._config import SqliteConfig
from mooring_sqlite._path import Location

from mutant_drivers._driver import Config, Driver, Params, Store, Transaction
from mutant_drivers._mutant import caught_by


@caught_by("test_every_use_after_close_says_so")
class OpensAgainAfterClose(Store):
    """A store that was closed opens itself again at its next use."""

    def execute(self, sql: str, params: Params = None) -> core.Result:
        if not self.closed:
            return super().execute(sql, params)
        with type(self)(self.config, self.location) as again:
            return again.execute(sql, params)


@caught_by("test_closing_again_does_nothing")
class ClosesOnlyOnce(Store):
    """A second close is an error."""

    def close(self) -> None:
        if self.closed:
            raise core.StoreClosedError("the store is closed", hint="close it once")
        super().close()


@caught_by("test_close_is_patient_with_who_is_about_to_leave", waits=True)
class ClosesWithoutWaiting(Store):
    """``close`` does not wait for those who still have a connection."""

    def close(self) -> None:
        self._writers.close(0)
        super().close()


@caught_by("test_close_waits_a_bounded_time_and_says_who_has_a_connection", waits=True)
class ClosesQuietlyTooEarly(Store):
    """``close`` does not say that somebody still has a connection."""

    def close(self) -> None:
        try:
            super().close()
        except core.StoreBusyError:
            return


@caught_by("test_close_waits_a_bounded_time_and_says_who_has_a_connection", waits=True)
class CloseNeverEnds(Store):
    """``close`` waits until every connection came back, however long that takes."""

    def close(self) -> None:
        self._closed = True
        for pool in self.pools():
            pool.close(1e6)


@caught_by("test_a_store_that_is_forgotten_warns")
class IsForgottenQuietly(Store):
    """A store that was not closed does not warn."""

    def __del__(self, _warn: Any = None) -> None:
        """Say nothing."""


@caught_by("test_repr_names_the_driver_and_the_state_and_no_secret")
class HasNoName(Store):
    """The repr is that of any object."""

    __repr__ = object.__repr__


@caught_by("test_a_store_is_what_its_protocols_ask_for")
class CallsItselfAnother(Store):
    """The store has another driver's name in its configuration."""

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        super().__init__(config, location)
        self.config = Config(path=config.path)


@caught_by("test_a_forked_child_is_told_that_the_store_is_not_its_own")
class WorksInAForkedChild(Store):
    """A forked child goes on with the connections of its parent."""

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        super().__init__(config, location)
        for pool in self.pools():
            _pool._pools.discard(pool)


@caught_by(
    "test_what_was_committed_outlives_a_process_that_ends_at_once",
    "test_the_database_itself_has_what_was_committed_and_nothing_else",
    "test_what_was_committed_is_all_that_a_kill_leaves_in_the_database_itself",
)
class AcknowledgesTooEarly(Store):
    """A single write is acknowledged before it is committed, with the next one."""

    def _execute(self, statement: Any, text: str, values: Any) -> core.Result:
        lease = self._writers.acquire()
        connection = lease.connection.connection
        try:
            if statement.changes_rows and not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
        finally:
            self._writers.release(lease)
        if not statement.changes_rows:
            self._commit()
        return super()._execute(statement, text, values)

    def transaction(
        self, *, isolation: Isolation = None, **_other: Any
    ) -> Transaction[Any]:
        store = self

        class Late(Transaction[Any]):
            def _begin(self) -> None:
                if not self._session.in_transaction:
                    super()._begin()

        return Late(store, self.translate, self._writers, isolation)

    def _commit(self) -> None:
        lease = self._writers.acquire()
        if lease.connection.in_transaction:
            lease.connection.commit()
        self._writers.release(lease)


_kept: list[object] = []


@caught_by(
    "test_a_store_that_cannot_be_reached_says_so_in_time_and_leaves_nothing", waits=True
)
class LeaksAConnectionOnFailedOpen(Driver):
    """An open that fails leaves its connection open."""

    @hookimpl
    def open_store(self, config: Any) -> Store:
        attempt = socket.socket()
        try:
            store = super().open_store(config)
        except BaseException:
            _kept.append(attempt)
            raise
        attempt.close()
        return store


@caught_by(
    "test_after_writers_and_readers_no_thread_and_no_descriptor_is_left", waits=True
)
class LeavesAThread(Store):
    """A store leaves a thread of its own behind."""

    def close(self) -> None:
        if not self.closed:
            waiting = threading.Event()
            _kept.append(waiting)
            threading.Thread(target=waiting.wait, args=(3600,), daemon=True).start()
        super().close()


@caught_by("test_the_process_is_as_it_was")
class ChangesItsProcess(Store):
    """Opening a store changes a limit of the whole process."""

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        super().__init__(config, location)
        sys.setswitchinterval(sys.getswitchinterval() * 1.01)
