"""What a migration did to rows that refer to others, while foreign keys were off."""

from __future__ import annotations

from collections import Counter
from typing import Final

from mooring.core import ForeignKeyViolation, StoreError

from mooring_sqlite._session import SqliteSession

_Row = tuple[object, ...]

_NONE: Final[Counter[_Row]] = Counter()


class ForeignKeyCheck:
    """Compares the rows without their parent before and after each file.

    The whole database is read for that (``foreign_key_check``, sqlite.org/pragma.html),
    so what was found after one file serves as what was there before the next, unless
    another connection wrote between.
    """

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        # Counted: rows of a table WITHOUT ROWID all look the same. None where a key
        # refers to no unique column, so that rows cannot be checked.
        self._before: Counter[_Row] | None = None
        self._after: Counter[_Row] | None = None
        self._seen: object = None

    def begin(self) -> None:
        """Look at what is there; the transaction has begun, so nobody else writes."""
        # It changes with the commits of others only (sqlite.org/pragma.html).
        ((version,),) = self._session.query("PRAGMA data_version")
        if self._before is None or version != self._seen:
            self._seen = version
            try:
                self._before = self._broken()
            except StoreError:
                # It was there before, and is not this unit's to mend.
                self._before = None
        self._after = self._before

    def refuse_broken(self) -> None:
        """Raise ForeignKeyViolation if rows lost their parent since.

        Raises:
            StoreError: A key refers to no unique column, now.
        """
        if self._after is None:
            return
        found = self._broken()
        if broken := found and found - self._after:
            table, rowid, parent, _ = min(broken, key=repr)
            raise ForeignKeyViolation(
                f"it would leave {broken.total()} rows without their parent, such as"
                f" {table} rowid {rowid} without its {parent}",
                hint="keep or delete both sides: foreign keys are off while a"
                " migration runs, so nothing cascades",
            )
        self._after = found

    def committed(self) -> None:
        """Take what was found last for what is there."""
        self._before = self._after

    def forget(self) -> None:
        """Look again before the next file: this one wrote without being checked."""
        self._before = None

    def _broken(self) -> Counter[_Row]:
        rows = self._session.query("PRAGMA foreign_key_check")
        return Counter(rows) if rows else _NONE
