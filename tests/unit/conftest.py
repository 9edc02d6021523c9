"""What the unit tests of core and of the drivers share; it needs no driver."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from mooring import core
from mooring.core import StoreConfig
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
