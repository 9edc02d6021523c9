"""Each migration once, under a lock, with its version in the same transaction."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from time import sleep
from typing import Any

from mooring import core
from mooring.core import AppliedRow, Unfinished
from mooring_sqlite._session import SqliteSession

from mutant_drivers._driver import MigrationSession, Store, Unit
from mutant_drivers._mutant import caught_by


@caught_by("test_a_lock_that_is_not_free_in_time_fails_and_changes_nothing")
class MigratesWithoutALock(MigrationSession):
    """A migration takes no lock: whoever comes at the same time applies it, too."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lock = nullcontext()


@caught_by("test_threads_at_once_apply_each_file_once")
class LooksBeforeTheLock(Store):
    """What is applied is read before the lock is held, and not again after."""

    def migration_session(self, table: str, *, timeout: float) -> MigrationSession:
        session = super().migration_session(table, timeout=timeout)
        found = self.migration_versions(table) or ()
        sleep(0.1)
        session.versions = lambda: found  # type: ignore[method-assign]  # the defect
        return session


@caught_by("test_an_interrupt_between_two_files_keeps_the_state_whole")
class NotesTheVersionApart(Unit):
    """The version is noted in a transaction of its own, after that of its file."""

    def record(self, version: int, *, digest: str, duration: float | None) -> None:
        if self._transaction:
            self._session.commit()
            self._session.control("BEGIN IMMEDIATE")
        super().record(version, digest=digest, duration=duration)


@caught_by(
    "test_malformed_sql_names_its_place_and_what_is_kept",
    "test_a_failure_leaves_nothing_of_its_file_and_the_way_open",
)
class KeepsHalfOfAFile(Unit):
    """A file that fails keeps what ran before the error."""

    def execute(self, sql: str) -> None:
        try:
            super().execute(sql)
        except core.StoreError:
            if self._connection.in_transaction:
                self._session.commit()
            raise


@caught_by("test_down_and_up_again_leaves_the_tables_new")
class ForgetsTheWayBack(Unit):
    """A migration that was undone is still noted as applied."""

    def unrecord(self, version: int) -> None:
        """Leave the row."""


@caught_by("test_they_apply_from_nothing_and_are_noted_with_time_digest_and_seconds")
class KeepsNoDigest(Unit):
    """What an applied file was is not kept, so that a change of it is not seen."""

    def record(self, version: int, *, digest: str, duration: float | None) -> None:  # noqa: ARG002 - that it does not matter is the defect
        super().record(version, digest="", duration=duration)


@caught_by("test_a_transaction_of_its_own_is_refused_with_its_line")
class LetsFilesCommit(Unit):
    """A file may commit in the middle of its transaction."""

    def _execute_one(self, statement: str) -> None:
        self._session.migrate(statement, limit=None)


@caught_by("test_a_transaction_that_a_file_leaves_open_is_an_error_and_not_applied")
class TakesOpenEndsForDone(Unit):
    """A file that leaves its own transaction open is noted as applied."""

    def _refuse_open_end(self) -> None:
        """Let it be."""


@caught_by("test_a_new_store_has_no_version_table_and_looking_makes_none")
class MakesTheTableWhenAsked(Store):
    """Looking what is applied makes the version table."""

    def migration_versions(
        self, table: str, *, timeout: float | None = None
    ) -> Sequence[AppliedRow] | None:
        found = super().migration_versions(table, timeout=timeout)
        if found is not None:
            return found
        session = self.migration_session(table, timeout=5)
        with session, session.unit(transaction=False):
            return ()


@caught_by(
    "test_on_a_new_database_a_failure_keeps_nothing_at_all",
    "test_all_in_one_transaction_a_failure_leaves_the_old_version",
)
class CommitsFileByFile(Unit):
    """A run in one transaction that fails leaves the files before its failure."""

    def record(self, version: int, *, digest: str, duration: float | None) -> None:
        super().record(version, digest=digest, duration=duration)
        if self._transaction:
            self._session.commit()
            self._session.control("BEGIN IMMEDIATE")


@caught_by("test_a_file_without_a_transaction_goes_on_behind_what_ran")
class ForgetsHowFarItCame(Unit):
    """How far a file without a transaction came is not kept: it begins anew."""

    def note(self, version: int, unfinished: Unfinished | None) -> bool:  # noqa: ARG002 - that it does not matter is the defect
        return True


@caught_by("test_a_file_in_python_that_fails_leaves_nothing_of_it")
class CommitsWhatPythonRuns(Unit):
    """What a file in Python ran before it failed is kept."""

    @contextmanager
    def lend(self) -> Iterator[Any]:
        with super().lend() as session:
            try:
                yield session
            finally:
                if self._transaction:
                    self._session.commit()
                    self._session.control("BEGIN IMMEDIATE")


@caught_by("test_a_file_in_python_runs_in_order_with_its_parameters")
class LendsAnotherConnection(MigrationSession):
    """A file in Python runs on a connection that is not that of its unit."""

    @contextmanager
    def lend(self, unit: Any) -> Iterator[Any]:  # noqa: ARG002 - that it does not matter is the defect
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as other:
            yield SqliteSession(
                other,
                settings={"query_only": 0},
                target="elsewhere",
                statement_timeout=0,
                read=lambda *_: [],
            )
