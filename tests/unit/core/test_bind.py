"""Values are bound by name: every engine gets the same ones, or none does."""

import datetime as dt
from collections import ChainMap, defaultdict
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring.core._dialect import Dialect
from mooring.core._statement import translate
from mooring.core._values import In, Json
from mooring.core.errors import ParameterError

SECRET = "hunter2"  # noqa: S105 - it must not appear in a message


class Role(StrEnum):
    """A str of its own class."""

    ADMIN = "admin"


class Level(IntEnum):
    """An int of its own class."""

    HIGH = 3


class Ratio(float):
    """A float of its own class."""

    __slots__ = ()


class Blob(bytes):
    """bytes of their own class."""

    __slots__ = ()


def bound(value: object, dialect: Dialect) -> object:
    _, values = translate("SELECT :v", dialect).bind({"v": value})
    (only,) = values
    return only


def refused(params: Any, dialect: Dialect, sql: str = "SELECT :v") -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        translate(sql, dialect).bind(params)
    assert "\n" not in caught.value.message
    assert SECRET not in str(caught.value)
    return caught.value


PLAIN = [None, True, False, 0, 2**63 - 1, -(2**63), 1.5, float("inf"), float("-inf")]


@pytest.mark.parametrize("value", [*PLAIN, "", "abc", "größe \U0001f600", b"", b"\x00"])
def test_a_plain_value_is_bound_as_it_is(value: object, dialect: Dialect) -> None:
    assert bound(value, dialect) is value


@pytest.mark.parametrize(
    ("value", "plain"), [(Role.ADMIN, "admin"), (Level.HIGH, 3), (Ratio(0.5), 0.5)]
)
def test_a_subclass_is_bound_as_its_plain_value(
    value: object, plain: object, dialect: Dialect
) -> None:
    assert bound(value, dialect) == plain
    assert type(bound(value, dialect)) is type(plain)


def test_a_subclass_of_bytes_is_bound_as_bytes(dialect: Dialect) -> None:
    assert type(bound(Blob(b"x"), dialect)) is bytes


def test_the_driver_adapts_datetimes_and_json(dialect: Dialect) -> None:
    noon = datetime(2025, 1, 1, 12, tzinfo=dt.UTC)

    assert bound(noon, dialect) == "2025-01-01T12:00:00+00:00"
    assert bound(Json({"a": [1, None]}), dialect) == '{"a":[1,null]}'


def test_values_follow_the_placeholders_and_repeat_with_them(dialect: Dialect) -> None:
    statement = translate("SELECT :b, :a, :b", dialect)

    assert statement.bind({"a": 1, "b": "x"}) == (statement.text, ("x", 1, "x"))


@pytest.mark.parametrize("params", [None, {}])
def test_a_statement_without_parameters_takes_none(
    params: Mapping[str, object] | None, dialect: Dialect
) -> None:
    assert translate("SELECT 1", dialect).bind(params) == ("SELECT 1", ())


@pytest.mark.parametrize(
    "params", [ChainMap({"v": 1}), defaultdict[str, object](list, v=1)], ids=repr
)
def test_any_mapping_will_do(params: Mapping[str, object], qmark: Dialect) -> None:
    assert translate("SELECT :v", qmark).bind(params) == ("SELECT ?", (1,))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (None, "no value for :v, :w; the statement expects :v, :w"),
        ({"v": SECRET}, "no value for :w; the statement expects :v, :w"),
        (
            defaultdict[str, object](str, v=1),
            "no value for :w; the statement expects :v, :w",
        ),
        (
            {"v": 1, "w": 1, "x": SECRET},
            "no placeholder for :x; the statement expects :v, :w",
        ),
        (
            {"v": 1, "x\n": 1},
            "no value for :w, no placeholder for 'x\\n'; the statement expects :v, :w",
        ),
    ],
)
def test_missing_and_extra_names_are_told(
    params: Any, message: str, dialect: Dialect
) -> None:
    assert refused(params, dialect, "SELECT :v, :w").message == message


def test_an_extra_name_is_refused_where_none_is_expected(dialect: Dialect) -> None:
    assert refused({"v": 1}, dialect, "SELECT 1").message == (
        "no placeholder for :v; the statement expects no parameters"
    )


@pytest.mark.parametrize("params", [(1,), [1], "v", 5, {"v"}], ids=repr)
def test_parameters_that_are_no_mapping_are_refused(
    params: Any, dialect: Dialect
) -> None:
    error = refused(params, dialect)

    assert type(params).__name__ in error.message
    assert ":name" in (error.hint or "")


class Unbindable:
    """A class that no hint knows."""


class Colour(Enum):
    """An enumeration of no plain type."""

    RED = 1


UNFIT: list[tuple[object, str, str]] = [
    ({"a": SECRET}, "dict", "core.Json"),
    ([SECRET], "list", "core.In"),
    ((SECRET,), "tuple", "core.In"),
    ({SECRET}, "set", "core.In"),
    (frozenset({SECRET}), "frozenset", "core.In"),
    (bytearray(SECRET.encode()), "bytearray", "bytes(value)"),
    (memoryview(SECRET.encode()), "memoryview", "bytes(value)"),
    (datetime(2025, 1, 1), "datetime without", "timezone.utc"),  # noqa: DTZ001 - tested
    (dt.date(2025, 1, 1), "date", "isoformat"),
    (dt.time(12), "time", "isoformat"),
    (dt.timedelta(1), "timedelta", "total_seconds"),
    (Decimal("1.5"), "Decimal", "str(value)"),
    (UUID(int=1), "UUID", "str(value)"),
    (PurePath(SECRET), "Path", "str(value)"),
    (Colour.RED, "Colour", ".value"),
    (2**63, "int beyond 64 bits", "str(value)"),
    (-(2**63) - 1, "int beyond 64 bits", "str(value)"),
    (float("nan"), "NaN", "None"),
    (Ratio("nan"), "NaN", "None"),
    (f"{SECRET}\x00", "NUL", "bytes"),
    (f"{SECRET}\x00é", "NUL", "bytes"),
    (f"{SECRET}\ud800", "surrogate", "bytes"),
    (1j, "complex", "core.In"),
    (Unbindable(), "Unbindable", "core.Json"),
]


@pytest.mark.parametrize(("value", "kind", "hint"), UNFIT, ids=[u[1] for u in UNFIT])
def test_what_engines_store_differently_is_refused(
    value: object, kind: str, hint: str, dialect: Dialect
) -> None:
    error = refused({"v": value}, dialect)

    assert error.message.startswith("parameter :v: ")
    assert kind in error.message
    assert hint in (error.hint or "")
    assert error.__context__ is None


@pytest.mark.parametrize("value", [u[0] for u in UNFIT], ids=[u[1] for u in UNFIT])
def test_the_members_of_a_list_obey_the_same_rules(
    value: object, dialect: Dialect
) -> None:
    refused({"v": In(["a", value])}, dialect, "SELECT 1 WHERE x IN :v")


def test_a_list_in_a_list_is_refused(dialect: Dialect) -> None:
    error = refused({"v": In([In([1])])}, dialect, "SELECT 1 WHERE x IN :v")

    assert "In is not a value" in error.message


def test_json_that_cannot_be_written_names_the_parameter(dialect: Dialect) -> None:
    error = refused({"v": Json({1, 2})}, dialect)

    assert error.message.startswith("parameter :v: core.Json: ")


@pytest.mark.parametrize("sql", ["x IN :v", "x IN (:v)", "x in ( /* */ :v )"])
def test_a_list_expands_after_in_with_and_without_parentheses(
    sql: str, percent: Dialect
) -> None:
    statement = translate(f"SELECT 1 FROM t WHERE {sql} AND y = :y", percent)

    text, values = statement.bind({"y": "%", "v": In([3, "b", None])})
    assert (
        text.replace(" /* */ ", "")
        .replace(" )", ")")
        .endswith("(%s, %s, %s) AND y = %s")
    )
    assert values == (3, "b", None, "%")


@pytest.mark.parametrize("list_", [":v", "(:v)", "/* IN */ ( /* ) */ :v /* ( */ )"])
@pytest.mark.parametrize(
    ("word", "nothing"), [("IN", "= ANY('{}')"), ("NOT /* % */ in", "<> ALL('{}')")]
)
def test_an_empty_list_is_what_the_dialect_says(
    list_: str, word: str, nothing: str, percent: Dialect, qmark: Dialect
) -> None:
    sql = f"SELECT '%' WHERE x {word} {list_} AND y = :y"
    values = {"v": In([]), "y": 1}

    assert translate(sql, percent).bind(values) == (
        f"SELECT '%%' WHERE x {nothing} AND y = %s",
        (1,),
    )
    negation = "NOT " if word.startswith("NOT") else ""
    assert translate(sql, qmark).bind(values) == (
        f"SELECT '%' WHERE x {negation}IN () AND y = ?",
        (1,),
    )


def test_lists_beside_each_other_expand_by_themselves(percent: Dialect) -> None:
    sql = "SELECT 1 WHERE a IN (:a) AND b NOT IN (:b) AND c IN :c AND d IN (:d)"
    values = {"a": In([]), "b": In([]), "c": In([1, 2]), "d": In([])}

    assert translate(sql, percent).bind(values) == (
        (
            "SELECT 1 WHERE a = ANY('{}') AND b <> ALL('{}') AND c IN (%s, %s)"
            " AND d = ANY('{}')"
        ),
        (1, 2),
    )


def test_a_list_leaves_the_statement_as_it_was(dialect: Dialect) -> None:
    statement = translate("SELECT 1 WHERE x IN (:v)", dialect)
    before = statement.text

    statement.bind({"v": In([1, 2, 3])})

    assert statement.bind({"v": 1}) == (before, (1,))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT :v",
        "SELECT f(:v)",
        "SELECT 1 WHERE x = :v",
        "SELECT x IN (1, :v)",
        "SELECT x IN (:v + 1)",
        'SELECT "in" :v',
    ],
)
def test_a_list_fits_only_after_in(sql: str, dialect: Dialect) -> None:
    assert "IN :v" in (refused({"v": In([1])}, dialect, sql).hint or "")


def test_a_list_longer_than_the_engine_takes_is_refused(dialect: Dialect) -> None:
    statement = "SELECT 1 WHERE x IN :v AND y = :y"

    translate(statement, dialect).bind({"v": In(range(7)), "y": 1})
    error = refused({"v": In(range(8)), "y": 1}, dialect, statement)
    assert error.message == "9 values in one statement; the engine takes at most 8"
    assert "parts" in (error.hint or "")


def test_a_place_in_the_engines_text_is_found_in_the_sql(percent: Dialect) -> None:
    sql = "SELECT '100 %' FROM t WHERE a = :name AND b LIKE 'x%' AND c = :x FORM"
    statement = translate(sql, percent)
    text, _ = statement.bind({"name": 1, "x": 2})
    seen = text.replace("%%", "%").replace("%s", "$1", 1).replace("%s", "$2", 1)

    for word in ("SELECT", "100", "WHERE", "$1", "LIKE", "$2", "FORM"):
        found = statement.offset_in_sql(seen.index(word), text, lambda _: 2)
        assert found == sql.index({"$1": ":name", "$2": ":x"}.get(word, word))


def test_a_place_behind_an_expanded_list_is_not_guessed(percent: Dialect) -> None:
    statement = translate("SELECT 1 WHERE x IN :v", percent)
    text, _ = statement.bind({"v": In([1, 2])})

    assert statement.offset_in_sql(3, text, lambda _: 2) is None


VALUES: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
)


@given(value=VALUES)
def test_the_fast_and_the_slow_path_agree(value: object, dialect: Dialect) -> None:
    statement = translate("SELECT :v", dialect)
    try:
        fast = statement.bind({"v": value})
    except ParameterError:
        with pytest.raises(ParameterError):
            statement.bind(ChainMap({"v": value}))
    else:
        assert fast == statement.bind(ChainMap({"v": value}))
