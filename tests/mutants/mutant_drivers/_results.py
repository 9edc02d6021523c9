"""Results are whole and counted, and hold portable values once read into a class."""

from datetime import datetime
from typing import Any

import attrs
from mooring import core

from mutant_drivers._driver import Session, Store
from mutant_drivers._mutant import caught_by


@caught_by("test_returning_gives_the_rows_and_their_count")
class ReadsHalfOfReturning(Session):
    """Of the rows that a write returns only the first is fetched."""

    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        if statement.changes_rows and "RETURNING" in text:
            self._fetchall = lambda: [self._cursor.fetchone() or ()]
        return super().run(statement, text, values)


@caught_by("test_rowcount_is_how_many_rows_a_statement_changed")
class CountsAsTheLibraryDoes(Session):
    """The row count is that of the client library, which knows no WITH."""

    def _changed_rows(self) -> int:
        return self._cursor.rowcount


@caught_by("test_every_other_statement_has_no_rowcount")
class CountsTheRowsItRead(Session):
    """A statement that changes no rows has the number of rows it read as a count."""

    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        result = super().run(statement, text, values)
        if result.rowcount is None:
            result.rowcount = len(result.all())
        return result


@caught_by("test_rows_are_fetched_and_the_connection_is_free")
class LeavesACursorOpen(Session):
    """A query is fetched while a second cursor still stands on its first row."""

    def run(self, statement: Any, text: str, values: Any) -> core.Result:
        result = super().run(statement, text, values)
        if statement.writes is None:
            self.open_cursor = self.connection.execute(text, values)
            self.open_cursor.fetchone()
        return result


class _Converts(Store):
    """Change what a row was read into."""

    def _read_rows(self, rows: Any, names: Any, cls: type[Any]) -> list[Any]:
        every = super()._read_rows(rows, names, cls)
        for found in every:
            for field in attrs.fields(cls):
                value = getattr(found, field.name)
                object.__setattr__(found, field.name, self.changed(value))
        return every

    def changed(self, value: Any) -> Any:
        raise NotImplementedError  # each mutant says how


@caught_by(
    "test_a_time_comes_back_aware_and_in_utc",
    "test_a_time_that_the_engine_made_comes_back_aware",
)
class ReturnsNaiveTimes(_Converts):
    """A time comes back without its zone."""

    def changed(self, value: Any) -> Any:
        return value.replace(tzinfo=None) if isinstance(value, datetime) else value


@caught_by("test_every_portable_type_comes_back_as_itself")
class ReturnsBoolsAsIntegers(_Converts):
    """A bool comes back as 0 or 1."""

    def changed(self, value: Any) -> Any:
        return int(value) if isinstance(value, bool) else value


@caught_by("test_a_wrong_type_is_an_error_that_does_not_show_the_value")
class PassesOnWhatDoesNotFit(Store):
    """A value that does not fit its field is passed on as the engine gave it."""

    def _read_rows(self, rows: Any, names: Any, cls: type[Any]) -> list[Any]:
        try:
            return super()._read_rows(rows, names, cls)
        except core.ResultError:
            every = [dict(zip(names, row, strict=True)) for row in rows]
            fields = [field.name for field in attrs.fields(cls)]
            return [cls(**{name: row[name] for name in fields}) for row in every]


@caught_by("test_a_wrong_type_is_an_error_that_does_not_show_the_value")
class ShowsValuesInErrors(Store):
    """The error for a value that does not fit shows it."""

    def _read_rows(self, rows: Any, names: Any, cls: type[Any]) -> list[Any]:
        try:
            return super()._read_rows(rows, names, cls)
        except core.ResultError as error:
            error.message += f": {rows!r}"
            raise
