"""The table of applied migrations, as goose makes it, and our own table beside it."""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from mooring.core.errors import StatementError, StoreError

if TYPE_CHECKING:
    from mooring.core._migration_session import Unfinished

# What goose's table has no columns for. One for all version tables of a schema.
SIDE_TABLE: Final = "mooring_migrations"

_CREATE_SIDE: Final = """
CREATE TABLE IF NOT EXISTS {side} (
    version_table text NOT NULL,
    version_id bigint NOT NULL,
    digest text,
    seconds double precision,
    applied_by text,
    row_id bigint,
    direction text,
    done integer,
    running integer,
    ran text,
    PRIMARY KEY (version_table, version_id)
){storage}
"""
# What is known of a version that is applied; the others of its row are empty.
_APPLIED: Final = ("digest", "seconds", "applied_by", "row_id")
_ELSEWHERE: Final = "rename it, or give the migrations another version table"


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


class VersionTables:
    """What is applied, and what is known of it, read and written through one session.

    A driver makes a class of it that says what differs on its engine. Nothing here
    begins or ends a transaction.

    Args:
        session: Executes one statement with its values: ``query(sql, values)``.
        table: The version table, as a ``migrate.Source`` names it: maybe with a schema.
        schema: Where it is if *table* does not say; "" for where the engine looks.
    """

    #: The DDL of goose for this engine, with ``{table}`` for the name.
    create: ClassVar[str]
    #: How a statement names a value.
    parameter: ClassVar[str] = "?"
    #: A true ``is_applied``.
    true: ClassVar[str] = "true"
    #: The time in UTC, as goose's column has it.
    now: ClassVar[str]
    #: What a CREATE TABLE of ours ends with.
    storage: ClassVar[str] = ""
    #: The INSERT that replaces a row with the same key, where the engine has one: it
    #: is faster than an upsert.
    replace: ClassVar[str] = ""
    #: What reads that column, of the table ``v``.
    applied_at: ClassVar[str] = "v.tstamp"

    def __init__(self, session: Any, table: str, *, schema: str = "") -> None:
        self._session = session
        given, _, name = table.rpartition(".")
        self.name = self.fold(name)
        #: As the engine has it; "" for where it looks by itself.
        self.schema = self.fold(given) or schema
        place = f"{self.quote(self.schema)}." if self.schema else ""
        self.table = place + self.quote(self.name)
        self.side = place + SIDE_TABLE
        # The statements that keep values, by the columns that they set.
        self._keeping: dict[tuple[str, ...], str] = {}

    # -- what an engine may have to say ---------------------------------------------

    def kinds(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return what each of *names* is: ``"table"``, or another word.

        Those that are not there are left out; names are as `fold` returns them.
        """
        raise NotImplementedError

    def fold(self, name: str) -> str:
        """Return how the engine compares the name of a table."""
        return name.lower()

    def quote(self, name: str) -> str:
        """Return *name* for a statement."""
        return name

    def change(self, sql: str, values: Sequence[object] = ()) -> None:
        """Execute a statement that returns no rows."""
        self._session.query(sql, values)

    def is_refused(self, error: StatementError) -> bool:
        """Return whether reading was not permitted: the table may be good."""
        del error
        return False

    # -- reading --------------------------------------------------------------------

    def read(self) -> list[AppliedRow] | None:
        """Return the applied versions, ascending, None if there is no version table.

        As goose reads them: of versions that stand twice (goose without a lock) the
        newest row counts, whatever it says in ``is_applied``.

        Raises:
            StoreError: Something else has the table's name, or it has another shape.
        """
        present = self._present()
        if self.name not in present:
            return None
        known, join = "NULL, NULL, NULL, NULL", ""
        if SIDE_TABLE in present:
            known = "s.digest, s.seconds, s.applied_by, s.direction"
            join = (
                f"LEFT JOIN {self.side} AS s"
                f" ON s.version_table = '{self.name}' AND s.version_id = v.version_id"
                # Another tool may have undone and applied it again since.
                " AND s.row_id = v.id"
            )
        try:
            rows = self._session.query(
                f"SELECT v.version_id, {self.applied_at}, {known}"
                f" FROM {self.table} AS v {join}"
                " WHERE v.version_id > 0 ORDER BY v.version_id, v.id"
            )
        except StatementError as cause:
            if self.is_refused(cause):
                raise
            raise StoreError(
                f"{self.name} is not a table of applied migrations: {cause.message}",
                hint=_ELSEWHERE,
            ) from cause
        newest = {row[0]: row for row in rows}
        if not all(type(version) is int for version in newest):
            raise StoreError(
                f"{self.name} holds versions that are no integers",
                hint="correct its rows, or give the migrations another version table",
            )
        return [
            # Of one that is applied, only the way back can be under way.
            AppliedRow(version, _iso(tstamp), digest, seconds, who, way is not None)
            for version, tstamp, digest, seconds, who, way in newest.values()
        ]

    def unfinished(self) -> "Unfinished | None":
        """Return the file that was begun without a transaction and did not end."""
        if SIDE_TABLE not in self._present():
            return None
        rows = self._session.query(
            f"SELECT version_id, direction, done, running, ran FROM {self.side}"
            f" WHERE version_table = '{self.name}' AND direction IS NOT NULL"
        )
        for version, direction, done, running, ran in rows:
            from mooring.core._migration_session import Unfinished

            return Unfinished(version, direction, done, bool(running), ran)
        return None

    def _present(self) -> set[str]:
        found = self.kinds((self.name, SIDE_TABLE))
        for name, kind in found.items():
            if kind != "table":
                raise StoreError(
                    f"{name} is a {kind}, not the table of applied migrations",
                    hint=_ELSEWHERE,
                )
        return set(found)

    # -- writing --------------------------------------------------------------------

    def make(self) -> None:
        """Make the tables that are missing, goose's with its first row."""
        present = self._present()
        if self.name not in present:
            self.change(self.create.format(table=self.table))
            self._insert(0)
        if SIDE_TABLE not in present:
            self.change(_CREATE_SIDE.format(side=self.side, storage=self.storage))

    def record(self, version: int, *, digest: str, duration: float | None) -> None:
        """Note *version* as applied, by whoever runs this process."""
        self._insert(version)
        found = {"digest": digest, "seconds": duration, "applied_by": _who()}
        # What replaces a row leaves nothing of what was unfinished.
        empty = {} if self.replace else _FINISHED
        self._keep(version, found | empty, is_applied=True)

    def unrecord(self, version: int) -> None:
        """Note *version* as not applied; goose deletes all of its rows, too."""
        self._write(
            f"DELETE FROM {self.table} WHERE version_id = {self.parameter}", version
        )
        self._write(
            f"DELETE FROM {self.side} WHERE version_table = {self.parameter}"
            f" AND version_id = {self.parameter}",
            *(self.name, version),
        )

    def amend(self, version: int, *, digest: str) -> None:
        """Note what the file of an applied version is now; all else stays."""
        self._keep(version, {"digest": digest}, is_applied=True)

    def note(self, version: int, unfinished: "Unfinished | None") -> None:
        """Note how far a file without a transaction is; None: it is not under way."""
        found = _FINISHED
        if unfinished is not None:
            found = unfinished._asdict() | {"running": int(unfinished.running)}
            del found["version"]
        # Of one that another tool applied, too, so that its row is told from the next.
        undoing = found["direction"] == "down"
        self._keep(version, found, is_applied=undoing)

    def _insert(self, version: int) -> None:
        self._write(
            f"INSERT INTO {self.table} (version_id, is_applied, tstamp)"
            f" VALUES ({self.parameter}, {self.true}, {self.now})",
            version,
        )

    def _keep(
        self, version: int, values: Mapping[str, object], *, is_applied: bool = False
    ) -> None:
        """Keep *values* beside a version; what is applied, about its newest row."""
        columns = (*values, "row_id") if is_applied else tuple(values)
        sql = self._keeping.get(columns)
        if sql is None:
            sql = self._keeping[columns] = self._keep_sql(columns)
        row = (version,) if is_applied else ()
        self._write(sql, self.name, version, *values.values(), *row)

    def _keep_sql(self, columns: Sequence[str]) -> str:
        """Return what sets *columns* of our row of a version; the others stay.

        In the place of ``row_id`` stands the version whose newest row is meant.
        """
        newest = (
            f"(SELECT max(id) FROM {self.table} WHERE version_id = {self.parameter})"
        )
        names = ("version_table", "version_id", *columns)
        places = [newest if name == "row_id" else self.parameter for name in names]
        into = f"INTO {self.side} ({', '.join(names)}) VALUES ({', '.join(places)})"
        if self.replace and columns == _APPLIED:
            return f"{self.replace} {into}"
        changes = ", ".join(f"{name} = excluded.{name}" for name in columns)
        return (
            f"INSERT {into}"
            f" ON CONFLICT (version_table, version_id) DO UPDATE SET {changes}"
        )

    def _write(self, sql: str, *values: object) -> None:
        try:
            self.change(sql, values)
        except StatementError as cause:
            raise StoreError(
                f"the version table {self.name} or {SIDE_TABLE} beside it cannot be"
                f" written: {cause.message}",
                hint="a migration must neither drop nor change them; if this one does,"
                " take that out of its file",
            ) from cause


_FINISHED: Final[dict[str, Any]] = dict.fromkeys(
    ("direction", "done", "running", "ran")
)


def _iso(tstamp: object) -> str:
    """Return "2025-07-11 16:38:58" in UTC, with or without a fraction, as ISO 8601."""
    return f"{str(tstamp)[:19]}Z".replace(" ", "T", 1) if tstamp else ""


@lru_cache(maxsize=1)
def _who() -> str:
    """Return who runs this process, and where: for people, not for programs.

    Asked once, not for each file of a run.
    """
    from pwd import getpwuid

    try:
        name = getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container whose user has no name
        name = str(os.geteuid())
    return f"{name}@{os.uname().nodename}"
