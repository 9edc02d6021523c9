"""Rows, fetched: what a statement returned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from mooring.core.errors import ResultError

T = TypeVar("T")

# A DB-API description (PEP 249): one sequence a column, its name first.
Description = Sequence[Sequence[Any]]


class Columns:
    """The columns of a result, looked at only when somebody asks."""

    __slots__ = ("_description", "_index")

    _index: dict[str, int]

    def __init__(self, description: Description | None) -> None:
        self._description = description or ()

    def keys(self) -> list[str]:
        """Return the columns' names, in order; [] for a statement without rows."""
        return [column[0] for column in self._description]

    def position(self, name: str) -> int:
        """Return the position of a column; KeyError if it is unknown or ambiguous."""
        try:
            index = self._index
        except AttributeError:  # not asked before
            index = {}
            for position, column in enumerate(self._description):
                # A name that stands twice says nothing about which is meant.
                index[column[0]] = -1 if column[0] in index else position
            self._index = index
        position = index.get(name, -2)
        if position >= 0:
            return position
        what = "stands twice; give it an alias" if position == -1 else "is not in"
        raise KeyError(f"column {name!r} {what}: {', '.join(self.keys())}")


class Row:
    """One row with the engine's own values, by column name or position.

    ``row["name"]``, ``row[0]``, ``row.keys()``, ``dict(row)``; iterating yields the
    values. For portable values read rows into a class: `Result.one`, `Result.all`.
    """

    __slots__ = ("_columns", "_values")

    def __init__(self, values: tuple[Any, ...], columns: Columns) -> None:
        self._values = values
        self._columns = columns

    def __getitem__(self, key: str | int) -> Any:
        """Return a value; raises KeyError for a name, IndexError for a position."""
        if isinstance(key, str):
            return self._values[self._columns.position(key)]
        return self._values[key]

    def keys(self) -> list[str]:
        """Return the columns' names, in order."""
        return self._columns.keys()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Row):
            return NotImplemented
        return self._values == other._values and self.keys() == other.keys()

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        pairs = zip(self.keys(), self._values, strict=True)
        return f"Row({', '.join(f'{name}={value!r}' for name, value in pairs)})"


# Reads rows, with the names of their columns, into a class; given by the store.
Reader = Callable[[Sequence[tuple[Any, ...]], Sequence[str], type[Any]], list[Any]]


class Result(Columns):
    """The rows of one statement; its connection is free already.

    Attributes:
        rowcount: Rows changed by INSERT, UPDATE or DELETE, with RETURNING and behind
            WITH too; None for every other statement.
    """

    __slots__ = ("_read", "_rows", "rowcount")

    def __init__(
        self,
        rows: list[tuple[Any, ...]],
        description: Description | None,
        rowcount: int | None,
        read: Reader,
    ) -> None:
        self._rows = rows
        self._description = description or ()
        self.rowcount = rowcount
        self._read = read

    if TYPE_CHECKING:

        @overload
        def one(self) -> Row: ...
        @overload
        def one(self, cls: type[T]) -> T: ...

    def one(self, cls: type[T] | None = None) -> T | Row:
        """Return the only row.

        Args:
            cls: A class to read it into, such as an attrs class whose fields are
                columns; columns it does not have are left out. Without it, a `Row`.

        Raises:
            ResultError: There is no row, there are several, or a value does not fit.
        """
        try:
            (values,) = self._rows
        except ValueError:
            raise ResultError(
                f"expected one row, got {len(self._rows) or 'none'}",
                hint="use one_or_none() where none is right, all() where several are",
            ) from None
        if cls is None:
            return Row(values, self)
        found: T = self._read(self._rows, self.keys(), cls)[0]
        return found

    if TYPE_CHECKING:

        @overload
        def one_or_none(self) -> Row | None: ...
        @overload
        def one_or_none(self, cls: type[T]) -> T | None: ...

    def one_or_none(self, cls: type[T] | None = None) -> T | Row | None:
        """Return the only row, or None if there is none; otherwise as `one`."""
        if not self._rows:
            return None
        return self.one() if cls is None else self.one(cls)

    if TYPE_CHECKING:

        @overload
        def all(self) -> list[Row]: ...
        @overload
        def all(self, cls: type[T]) -> list[T]: ...

    def all(self, cls: type[T] | None = None) -> list[T] | list[Row]:
        """Return every row, each as in `one`; [] if there is none."""
        if cls is None:
            # Not self: one row that is kept must not keep all the others.
            columns = Columns(self._description)
            return [Row(values, columns) for values in self._rows]
        return self._read(self._rows, self.keys(), cls) if self._rows else []

    def scalar(self) -> Any:
        """Return the only value of the only row, as the engine gave it.

        Raises:
            ResultError: There is not exactly one row with one column.
        """
        rows = self._rows
        if len(rows) != 1 or len(rows[0]) != 1:
            width = len(rows[0]) if rows else len(self.keys())
            raise ResultError(
                f"expected one value, got {len(rows)} rows of {width} columns"
            )
        return rows[0][0]

    def __iter__(self) -> Iterator[Row]:
        columns = Columns(self._description)
        for values in self._rows:
            yield Row(values, columns)

    def __repr__(self) -> str:
        if self.rowcount is not None and not self._rows:
            return f"<Result {self.rowcount} rows changed>"
        return f"<Result {len(self._rows)} rows of {len(self.keys())} columns>"
