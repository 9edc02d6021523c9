"""What data an undone migration takes with it, as far as its statements show."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs

from mooring.core.errors import MooringError
from mooring.migrate._migration import Statement

#: Rows are not counted beyond this number: a table may be large, and others wait.
COUNTED: Final = 1_000_000

_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_NAME: Final = r'(?:"(?:[^"]|"")+"|\w+)(?:\.(?:"(?:[^"]|"")+"|\w+))?'
_NAMES: Final = rf"{_NAME}(?:\s*,\s*{_NAME})*"
_LOSING: Final = re.compile(
    rf"""(?:\A|;)\s*(?:
        DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<dropped>{_NAMES})
      | TRUNCATE\s+(?:TABLE\s+)?(?:ONLY\s+)?(?P<emptied>{_NAMES})
      | DELETE\s+FROM\s+(?:ONLY\s+)?(?P<deleted>{_NAME})
      | ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?P<altered>{_NAME})\s+
            DROP\s+(?!CONSTRAINT\b)(?:COLUMN\s+)?(?:IF\s+EXISTS\s+)?(?P<column>{_NAME})
    )""",
    re.IGNORECASE | re.VERBOSE,
)


@attrs.frozen(kw_only=True)
class Loss:
    """What a statement of the way back takes away.

    Attributes:
        table: The table, as the statement names it.
        column: The column that is dropped; "" for the whole table, or for rows of it.
        kind: ``drop`` of the table or column, ``empty`` for all rows, ``delete`` for
            some.
        rows: How many rows the table has now, at most 1,000,001, which means more;
            None where they could not be counted.
    """

    table: str
    column: str = ""
    kind: str
    rows: int | None = None

    def __str__(self) -> str:
        """Say it in words: ``table users: 3 rows``."""
        what = {"drop": "table", "empty": "all rows of", "delete": "rows of"}[self.kind]
        if self.column:
            what = f"column {self.column} of"
        if self.rows is None:
            count = "not counted"
        elif self.rows > COUNTED:
            count = f"more than {COUNTED:,} rows"
        else:
            count = f"{self.rows:,} row{'' if self.rows == 1 else 's'}"
        return f"{what} {self.table}: {count}"


def losses_of(store: Any, statements: Iterable[Statement]) -> tuple[Loss, ...]:
    """Return what *statements* take away, with the rows that are there now.

    A hint, not a proof: what a trigger or a function does is not seen.
    """
    found = (loss for one in statements for loss in _losses(one.sql))
    return tuple(attrs.evolve(loss, rows=_rows(store, loss.table)) for loss in found)


def _losses(sql: str) -> Iterator[Loss]:
    for match in _LOSING.finditer(_COMMENT.sub(" ", sql)):
        for group, kind in (("dropped", "drop"), ("emptied", "empty")):
            if match[group]:
                for name in re.findall(_NAME, match[group]):
                    yield Loss(table=name, kind=kind)
        if match["deleted"]:
            yield Loss(table=match["deleted"], kind="delete")
        if match["altered"]:
            yield Loss(table=match["altered"], column=match["column"], kind="drop")


def _rows(store: Any, table: str) -> int | None:
    """Count the rows of *table*; a store that is no SQL store cannot be asked."""
    execute = getattr(store, "execute", None)
    if execute is None:
        return None
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {COUNTED + 1}) AS t"
    try:
        return int(execute(sql).scalar())
    except MooringError:  # it is not there, or may not be read, or is locked
        return None
