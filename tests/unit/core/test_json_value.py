"""Json and In mark what a value is meant for, and tell nothing of what they hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring.core._values import In, Json
from mooring.core.errors import ParameterError


def test_json_is_compact_and_keeps_letters() -> None:
    assert Json({"a": ["ü", 1, None, True]}).dumps() == '{"a":["ü",1,null,true]}'


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        [float("-inf")],
        "a\x00",
        {"\x00": 1},
        "\\\x00",
        "\ud800",
        {"a": ["\udfff"]},
    ],
    ids=repr,
)
def test_json_that_engines_treat_differently_is_refused(value: object) -> None:
    with pytest.raises(ParameterError) as caught:
        Json(value).dumps()

    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\\\\\\u0000", "u0000"])
def test_text_that_only_looks_like_an_escaped_nul_passes(text: str) -> None:
    assert json.loads(Json(text).dumps()) == text


@pytest.mark.parametrize("value", [1e16, -1.5e300, 1.7976931348623157e308])
def test_a_large_float_keeps_its_point(value: float) -> None:
    text = Json({"1e+16": [value, "1e+16 \\", 10**17]}).dumps()

    assert "." in text
    assert text.count("e+") == 2  # in the strings, which stay as they are
    assert json.loads(text) == {"1e+16": [value, "1e+16 \\", 10**17]}
    assert type(json.loads(text)["1e+16"][0]) is float


def test_what_is_not_json_is_refused_by_its_type() -> None:
    with pytest.raises(ParameterError, match="set"):
        Json({"a": {"hunter2"}}).dumps()


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)

    with pytest.raises(ParameterError):
        Json(loop).dumps()


def test_a_run_of_backslashes_is_read_in_linear_time() -> None:
    text = "\\" * 1_000_000 + "\\u0000"

    assert json.loads(Json(text).dumps()) == text


TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | TEXTS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=8,
)


@given(value=VALUES)
def test_json_survives_the_round_trip(value: Any) -> None:
    assert json.loads(Json(value).dumps()) == value


def test_neither_repr_prints_the_content() -> None:
    assert repr(Json({"password": "hunter2"})) == "Json(...)"
    assert repr(In(["hunter2"])) == "In(1 value)"
    assert repr(In([1, 2, 3])) == "In(3 values)"


def test_both_are_equal_by_content() -> None:
    assert Json({"a": 1}) == Json({"a": 1})
    assert Json([1]) != Json([2])
    assert In([1, 2]) == In((1, 2))
    assert In([1]) != [1]
    assert Json([1]) != In([1])


def test_in_takes_its_values_when_it_is_made() -> None:
    ids = [1, 2]
    listed = In(n for n in ids)
    ids.append(3)

    assert listed.values == (1, 2)


@pytest.mark.parametrize("values", ["abc", b"abc", 5, None], ids=repr)
def test_in_refuses_what_is_not_several_values(values: Any) -> None:
    with pytest.raises(ParameterError, match=type(values).__name__):
        In(values)
