"""Placeholders are ``:name`` with a mapping; what is no portable value is refused."""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mooring import core
from mooring.core import Statement
from mooring.core import translate as translate_for

from mutant_drivers._driver import DIALECT, Params, Store
from mutant_drivers._mutant import caught_by


class _Changes(Store):
    """Change each value before it is bound."""

    def prepared(self, params: Params, names: tuple[str, ...]) -> Params:  # noqa: ARG002 - of another signature
        if not isinstance(params, dict):
            return params
        return {name: self.changed(value) for name, value in params.items()}

    def changed(self, value: Any) -> Any:
        raise NotImplementedError  # each mutant says how


@caught_by("test_any_other_value_is_refused_and_named")
class TakesListsForJson(_Changes):
    """A bare list or dict is stored as JSON."""

    def changed(self, value: Any) -> Any:
        return json.dumps(value) if isinstance(value, list | dict) else value


@caught_by("test_any_other_value_is_refused_and_named")
class StoresNanAsNull(_Changes):
    """A NaN is stored as NULL, which is what the engine makes of it."""

    def changed(self, value: Any) -> Any:
        return None if isinstance(value, float) and math.isnan(value) else value


@caught_by("test_any_other_value_is_refused_and_named")
class CutsTextAtNul(_Changes):
    """A text is stored up to its first NUL."""

    def changed(self, value: Any) -> Any:
        return value.partition("\0")[0] if isinstance(value, str) else value


@caught_by("test_any_other_value_is_refused_and_named")
class TakesNaiveTimesForUtc(_Changes):
    """A time without a zone is stored as if it were in UTC."""

    def changed(self, value: Any) -> Any:
        naive = isinstance(value, datetime) and value.tzinfo is None
        return value.replace(tzinfo=UTC) if naive else value


@caught_by("test_any_other_value_is_refused_and_named")
class TakesLargeIntegersForFloats(_Changes):
    """An integer beyond 64 bits is stored as a float."""

    def changed(self, value: Any) -> Any:
        large = type(value) is int and not -(2**63) <= value < 2**63
        return float(value) if large else value


@caught_by("test_a_row_that_is_read_is_the_row_that_was_written")
class StripsText(_Changes):
    """A text is stored without the white space around it."""

    def changed(self, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value


@caught_by("test_a_value_without_a_placeholder_is_refused_by_its_name")
class IgnoresExtraValues(Store):
    """A value without a placeholder is left out."""

    def prepared(self, params: Params, names: tuple[str, ...]) -> Params:
        if not isinstance(params, dict):
            return params
        return {name: value for name, value in params.items() if name in names}


@caught_by("test_a_missing_value_is_refused_by_its_name")
class TakesMissingValuesForNull(Store):
    """A placeholder without a value is NULL."""

    def prepared(self, params: Params, names: tuple[str, ...]) -> Params:
        if not isinstance(params, dict | None):
            return params
        return dict.fromkeys(names) | (params or {})


@caught_by("test_other_placeholders_are_refused")
class TakesQuestionMarks(Store):
    """A ``?`` takes the first value, whatever its name."""

    def translated(self, sql: str) -> Statement:
        return super().translated(sql.replace("= ?", "= :a"))


@caught_by("test_a_colon_elsewhere_is_no_placeholder")
class FindsPlaceholdersInStrings(Store):
    """A ``:name`` inside of a string is taken for a placeholder."""

    def translated(self, sql: str) -> Statement:
        return super().translated(re.sub(r"'(:\w+)'", r"\1", sql))


@caught_by("test_in_expands_in_place")
class EmptyInIsTrue(Store):
    """``core.In([])`` matches every row."""

    def translated(self, sql: str) -> Statement:
        return translate_for(sql, DIALECT.replace(in_nothing="IS NOT NULL"))


@caught_by("test_not_in_is_the_opposite")
class EmptyNotInIsUnknown(Store):
    """``NOT IN`` of an empty list matches no row."""

    def translated(self, sql: str) -> Statement:
        return translate_for(sql, DIALECT.replace(not_in_nothing="NOT IN (NULL)"))


@caught_by("test_times_sort_as_moments_do", "test_times_of_any_zone_are_one_moment")
class KeepsTimesAsWritten(Store):
    """A time is stored in the zone and the form that it was written in."""

    def translated(self, sql: str) -> Statement:
        adapters: dict[type, Callable[[Any], object]] = {
            datetime: datetime.isoformat,
            core.Json: core.Json.dumps,
        }
        return translate_for(sql, DIALECT.replace(adapters=adapters))
