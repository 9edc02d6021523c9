"""What the unit tests of core and of the drivers share; it needs no driver."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from mooring import core
from mooring.core import Dialect, Json, StoreConfig
from mooring.core._configure import structure
from mooring.core._strict import structure_fields

_PLAIN: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70000),
    st.floats(),
    st.sampled_from(["", "low", "high", "fast", "off", "a.db", ":memory:", "5"]),
    st.text(max_size=5),
)

# Two dialects that differ in everything.
_COMMON: dict[str, Any] = {
    "max_parameters": 8,
    "adapters": {datetime: datetime.isoformat, Json: Json.dumps},
    "refuse": lambda _: None,
}
_DIALECTS = {
    "qmark": Dialect(
        placeholder="?",
        nested_comments=False,
        dollar_quotes=False,
        escape_strings=False,
        bracket_identifiers=True,
        backtick_identifiers=True,
        array_slices=False,
        in_nothing="IN ()",
        not_in_nothing="NOT IN ()",
        **_COMMON,
    ),
    "format": Dialect(
        placeholder="%s",
        nested_comments=True,
        dollar_quotes=True,
        escape_strings=True,
        bracket_identifiers=False,
        backtick_identifiers=False,
        array_slices=True,
        in_nothing="= ANY('{}')",
        not_in_nothing="<> ALL('{}')",
        **_COMMON,
    ),
}


def _values(config_class: type[StoreConfig]) -> dict[str, st.SearchStrategy[object]]:
    """Draw for each key mostly what fits its type."""
    fitting: dict[object, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(0, 100),
        float: st.floats(0.1, 100) | st.integers(1, 100),
        str: st.sampled_from(["a.db", "low", "full", ":memory:"]),
    }
    attrs.resolve_types(config_class)
    return {
        field.name: fitting.get(field.type, _PLAIN) | _PLAIN
        for field in attrs.fields(config_class)
        if field.init
    }


def _fast(options: dict[str, object], config_class: type[StoreConfig]) -> object:
    try:
        return structure(options, config_class)
    except core.ConfigError as error:
        return list(error.problems)


def _types(found: object) -> list[type]:
    if not isinstance(found, StoreConfig):
        return []
    return [type(getattr(found, a.name)) for a in attrs.fields(type(found))]


@pytest.fixture(scope="session")
def assert_doors_agree() -> Callable[[type[StoreConfig], st.DataObject], None]:
    """Draw options of a class; its fast and its slow door must make the same of them.

    The fast one calls the class, the slow one goes through cattrs and tells all
    problems.
    """

    def check(config_class: type[StoreConfig], data: st.DataObject) -> None:
        options = data.draw(st.fixed_dictionaries({}, optional=_values(config_class)))
        fast = _fast(options, config_class)
        slow = structure_fields(options, config_class)

        # repr: a NaN that was refused is not equal to itself, but printed the same.
        assert repr(fast) == repr(slow)
        assert _types(fast) == _types(slow)

    return check


@pytest.fixture(scope="session")
def qmark() -> Dialect:
    """Return the one that writes ?, as SQLite's does."""
    return _DIALECTS["qmark"]


@pytest.fixture(scope="session")
def percent() -> Dialect:
    """Return the one that writes %s, as PostgreSQL's does."""
    return _DIALECTS["format"]


@pytest.fixture(scope="module", params=list(_DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Return each of them, or the one whose name the test gives (indirect)."""
    return _DIALECTS[request.param]
