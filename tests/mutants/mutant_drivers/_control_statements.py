"""Statements that would outlive their caller are refused, and settings hold."""

from mooring.core import Statement
from mooring.core import translate as translate_for
from mooring_sqlite._config import SqliteConfig
from mooring_sqlite._path import Location

from mutant_drivers._driver import DIALECT, Session, Store
from mutant_drivers._mutant import caught_by


@caught_by(
    "test_statements_of_this_engine_that_would_leak_are_refused",
    "test_nothing_is_left_for_the_next_borrower",
)
class LetsPragmasThrough(Store):
    """A PRAGMA that changes the connection runs, and stays for who borrows it next."""

    def translated(self, sql: str) -> Statement:
        return translate_for(sql, DIALECT.replace(refuse=lambda _: None))


class _LetsThrough(Store):
    """Run a statement of control as any other."""

    words: tuple[str, ...]

    def translated(self, sql: str) -> Statement:
        if not sql.upper().startswith(self.words):
            return super().translated(sql)
        return Statement(
            sql, dialect=DIALECT, verb="", pieces=[sql], names=[], lists=[]
        )


@caught_by(
    "test_a_commit_does_not_keep_what_the_block_rolls_back",
    "test_statements_of_control_are_refused_everywhere",
)
class LetsCommitThrough(_LetsThrough):
    """BEGIN, COMMIT and ROLLBACK run as any other statement."""

    words = ("BEGIN", "COMMIT", "ROLLBACK")


@caught_by("test_statements_of_control_are_refused_everywhere")
class LetsTemporaryTablesThrough(_LetsThrough):
    """A temporary table is made, and hides another one from who comes next."""

    words = ("CREATE TEMP",)


@caught_by("test_statements_of_control_are_refused_everywhere")
class RunsTheFirstOfSeveral(Store):
    """Of several statements in one text the first is run, and the others are not."""

    def translated(self, sql: str) -> Statement:
        first, semicolon, _ = sql.partition(";")
        return super().translated(first if semicolon else sql)


@caught_by("test_foreign_keys_are_enforced_on_every_connection")
class ForeignKeysOfTheFirstConnection(Store):
    """Foreign keys are enforced on the first connection that writes, on no other."""

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        super().__init__(config, location)
        # As many as are configured, where the driver itself keeps one for good.
        self._writers._max_idle = config.max_idle_conns

    def _connect_writer(self, timeout: float) -> Session:
        first = not self._connected
        session = super()._connect_writer(timeout)
        assert isinstance(session, Session)
        if not first:
            session.control("PRAGMA foreign_keys = OFF")
        return session
