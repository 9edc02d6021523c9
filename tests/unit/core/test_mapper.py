"""Reading many rows at once gives what reading each by itself gives, or refuses."""

import enum
import json
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from typing import Any, Literal, NewType
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mooring import core
from mooring.core import _json_text
from mooring.core._converter import RowConverter


class Color(enum.Enum):
    RED = "red"
    BLUE = 2


Name = NewType("Name", str)
NAIVE = datetime(2025, 7, 11)  # noqa: DTZ001 - an engine without zones gives such
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


@attrs.frozen
class Step:
    name: str
    cost: float = 0.0
    tags: list[str] = attrs.field(factory=list)


class Email:
    def __init__(self, text: object) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Email({self.text!r})"


PLAIN: list[Any] = [
    *(str, int, float, bool, bytes, datetime, Any, None),
    *(dict, dict[str, Any], typing.Dict[str, Any], dict[Any, Any]),  # noqa: UP006 - as users may write it
    *(list, list[Any], typing.List, typing.List[Any]),  # noqa: UP006 - the same
    *(Mapping[str, Any], dict[str, int], dict[str, list[str]], dict[int, str]),
    *(list[int], list[str], list[datetime], tuple[int, ...], tuple[str, int]),
    *(set[int], frozenset[str], Step, list[Step], dict[str, Step]),
    *(Color, Literal["a", 1], Name, date, Email),
    *(int | str, dict[str, Any] | list[Any], typing.Optional[Step]),  # noqa: UP045 - the same
]
TYPES: list[Any] = [
    *PLAIN,
    *(kind | None for kind in PLAIN if kind is not None),
]

TIMES = st.one_of(
    st.datetimes(),
    st.datetimes(
        timezones=st.sampled_from(
            [
                UTC,
                ZoneInfo("UTC"),
                ZoneInfo("Europe/Paris"),
                timezone(timedelta(hours=-11)),
            ]
        )
    ),
    st.sampled_from([datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))]),
)
TIME_TEXTS = st.one_of(
    TIMES.map(str),
    TIMES.map(datetime.isoformat),
    TIMES.map(lambda time: str(time)[:19]),
    st.dates().map(str),
    st.from_regex(
        r"2025-?(07-?11|W28-?5)"
        r"([T +]1[0-9](:?30(:?5[0-9]([.,][0-9]{0,7})?)?)?)?"
        r"(Z|[+-]0[0-9](:?[0-9]0(:30)?)?)?",
        fullmatch=True,
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5)
    | st.integers(-(2**70), 2**70) | st.just("red"),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["name", "cost", "1", ""]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
JSON_TEXTS = st.one_of(
    JSON.map(json.dumps),
    JSON.map(
        lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    ),
    JSON.map(lambda value: f" {json.dumps(value)}\n"),
    JSON.map(lambda value: json.dumps(value)[:-1]),
    st.sampled_from(
        ['{"a":1,"a":2}', '{"a":-0}', '["\\ud800"]', "[1e400]", "[]", "{}"]
    ),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 3),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.binary(max_size=8),
    st.sampled_from(
        ["red", "a", b"{}", bytearray(b"[1]"), memoryview(b"x"), "{}".encode("utf-16")]
    ),
    TIMES,
    TIME_TEXTS,
    JSON_TEXTS,
    JSON_TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
    JSON,
)
FITTING: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(),
    float: st.floats() | st.integers(),
    bool: st.booleans() | st.integers(0, 1),
    bytes: st.binary(max_size=8),
    datetime: TIMES | TIME_TEXTS,
}


def fitting(kind: Any) -> st.SearchStrategy[Any]:
    """Draw what often fits a field."""
    for known, values in FITTING.items():
        if kind in (known, known | None):
            return values | st.none()
    return JSON_TEXTS | VALUES


@st.composite
def tables(draw: st.DrawFn) -> tuple[type[Any], list[str], list[tuple[Any, ...]]]:
    """Draw a class, and rows for it."""
    kinds = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=4))
    fields: dict[str, Any] = {}
    for number, kind in enumerate(kinds):
        fields[f"{draw(st.sampled_from(['f', '_f']))}{number}"] = attrs.field(
            type=kind,
            default=draw(st.sampled_from([attrs.NOTHING] * 4 + [None])),
            kw_only=True if number else draw(st.booleans()),
            init=draw(st.sampled_from([True] * 9 + [False])),
            validator=draw(st.sampled_from([None] * 9 + [_refuse_long])),
            converter=draw(st.sampled_from([None] * 9 + [repr])),
        )
    cls = attrs.make_class(
        "Table", fields, frozen=draw(st.booleans()), slots=draw(st.booleans())
    )
    names = draw(st.permutations([*fields, "beside"]))
    if draw(st.integers(0, 9)) == 0:
        names = draw(st.lists(st.sampled_from(names), min_size=1))
    kind_of = dict(zip(fields, kinds, strict=True))
    row = st.tuples(
        *(
            fitting(kind_of.get(name)) | VALUES
            if number == 0
            else fitting(kind_of.get(name))
            for number, name in enumerate(names)
        )
    )
    return cls, list(names), draw(st.lists(row, min_size=1, max_size=3))


def _refuse_long(_: object, field: object, value: object) -> None:
    if len(str(value)) > 9:
        raise ValueError(field)


def outcome(read: Callable[[], list[Any]]) -> object:
    """Return what was read, exactly, or how it was refused."""
    try:
        return [repr(found) for found in read()]
    except core.ResultError as error:
        cause = error.__cause__
        return str(error), type(cause), str(cause)
    except ValueError as error:  # the class's own
        return type(error), str(error)


def pristine(_: RowConverter) -> None:
    """Add nothing."""


def with_a_hook_for_a_class(converter: RowConverter) -> None:
    converter.register_structure_hook(Email, lambda value, _: Email(value))


def with_hooks_for_what_is_ours(converter: RowConverter) -> None:
    converter.register_structure_hook(str, lambda value, _: f"<{value!s}>")
    converter.register_structure_hook(datetime, lambda value, _: str(value))
    converter.register_structure_hook(int | str, lambda value, _: value)


def with_a_hook_by_annotation(converter: RowConverter) -> None:
    @converter.register_structure_hook
    def _(value: object, _: object) -> float:
        return len(str(value)) / 2


def with_a_hook_for_a_base(converter: RowConverter) -> None:
    converter.register_structure_hook(Mapping, lambda value, _: {"hooked": value})


def with_a_hook_by_function(converter: RowConverter) -> None:
    converter.register_structure_hook_func(
        lambda kind: kind in (Any, bytes | None), lambda value, _: (value,)
    )


def with_factories(converter: RowConverter) -> None:
    converter.register_structure_hook_factory(
        lambda kind: issubclass(kind, enum.Enum), lambda _: lambda value, _: str(value)
    )

    @converter.register_structure_hook_factory(
        lambda kind: getattr(kind, "__origin__", None) is list
    )
    def _(_: object) -> Callable[[Any, Any], Any]:
        return lambda value, _: len(value)


ADDITIONS = [
    pristine,
    with_a_hook_for_a_class,
    with_hooks_for_what_is_ours,
    with_a_hook_by_annotation,
    with_a_hook_for_a_base,
    with_a_hook_by_function,
    with_factories,
]


EDGES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 2**63, -(2**70), 0.0, 1.0, 1.5, 1e300),
    *(float("nan"), float("inf"), "", "a", "red", "ü", "\ud800", "\x00", "1", "1.5"),
    *(
        b"",
        b"a",
        b"{}",
        b"[1]",
        "{}".encode("utf-16"),
        bytearray(b"[]"),
        memoryview(b"x"),
    ),
    *(Color.RED, date(2025, 7, 11), NAIVE, NAIVE.min, NAIVE.max),
    *(datetime(2025, 7, 11, 1, tzinfo=zone) for zone in (UTC, ZoneInfo("UTC"), WEST)),
    *(datetime.min.replace(tzinfo=EAST), datetime.max.replace(tzinfo=WEST)),
    *("2025-07-11", "20250711", "2025-W28-5", "2025-07-11+01", "2025-07-11+01:00"),
    *("2025-07-11 16", "2025-07-11 16:38", "2025-07-11T16:38:58", "20250711T163858"),
    *("2025-07-11 16:38:58.120000", "2025-07-11 16:38:58Z", "2025-07-11T16:38:58+02"),
    *("2025-07-11 16:38:58.12 +00:00", "2025-07-11 16:38:58+00:00:00.000001"),
    # What datetime.fromisoformat() overlooks before a zone, and would without this one.
    *(
        "20250711T103050.",
        "2025-07-11 16:38:58.",
        "2025-07-11 16:38:581",
        "20250711T16_",
    ),
    *("2025-07-11 16:38:58.1234567x", "20250711T1638,123456.12", "2025-07-11 16:38 "),
    *(
        "2025-07-11 1638,123456.124",
        "2025-W28 16:38:58.1234567x",
        "2025-07-11 16:38x58",
    ),
    *("0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59.999999-12:00", "2025-13-01"),
    *({}, {"a": 1}, {"a": []}, {"a": {"name": "b"}}, {1: "a"}, {"name": "a"}, [], [1]),
    *(["a"], ["a", 1], [{"name": "a"}], [None], (), (1, 2), ("a", 1), {1}),
    *("null", "{}", "[]", " {}", "[1]\n", "[1.0]", '["a"]', '["a",1]', '["ü"]', '"a"'),
    *('{"a":1}', '{"a":1,"a":2}', '{"a":"b"}', '{"1":"b"}', '{"a":[]}', '{"a":["b"]}'),
    *('{"name":"a"}', '{"name":"a","cost":2}', '[{"name":"a"}]', '{"a":{"name":"b"}}'),
    *("{", "[NaN]", "[1e400]", '["\\ud800"]', "[18446744073709551616]", "[-0]", "[01]"),
    *(
        f"[{'9' * 5000}]",
        "[-9223372036854775809, 1]",
        '["2025-07-11 16:38:58"]',
        "true",
    ),
]


@pytest.mark.parametrize(
    ("add", "with_orjson"), [(pristine, False), *((add, True) for add in ADDITIONS)]
)
def test_each_value_is_read_alike_into_each_type(
    monkeypatch: pytest.MonkeyPatch,
    add: Callable[[RowConverter], None],
    with_orjson: bool,
) -> None:
    if not with_orjson:
        monkeypatch.setattr(_json_text, "orjson_loads", lambda: None)
    converter = RowConverter()
    add(converter)
    read = 0
    for kind in TYPES:
        cls = attrs.make_class("Table", {"f": attrs.field(type=kind)}, repr=True)
        for value in EDGES:
            together = outcome(partial(converter.read_all, [(value,)], ["f"], cls))
            by_itself = outcome(lambda: [converter.read({"f": value}, cls)])  # noqa: B023 - called at once
            assert together == by_itself, (kind, value)
            read += isinstance(together, list)
    assert read > len(TYPES)  # not every value is refused


@settings(max_examples=100, deadline=None)
@given(tables(), st.sampled_from([pristine] * 7 + ADDITIONS), st.booleans())
def test_rows_are_read_alike_whether_one_by_one_or_all_at_once(
    table: tuple[type[Any], list[str], list[tuple[Any, ...]]],
    add: Callable[[RowConverter], None],
    with_orjson: bool,
) -> None:
    cls, names, rows = table
    converter = RowConverter()
    add(converter)
    with pytest.MonkeyPatch.context() as patch:
        if not with_orjson:
            patch.setattr(_json_text, "orjson_loads", lambda: None)
        together = outcome(lambda: converter.read_all(rows, names, cls))
    one_by_one = outcome(
        lambda: [
            converter.read(dict(zip(names, row, strict=True)), cls) for row in rows
        ]
    )
    assert together == one_by_one


# -- classes that are made in a way of their own ------------------------------


@attrs.define(init=False)
class Turned:
    a: str
    b: str

    def __init__(self, b: str, a: str) -> None:
        self.a, self.b = a, b


@attrs.define
class Counted:
    a: str
    b: str
    count: int = attrs.field(init=False, default=0)

    def __new__(cls, **kwargs: object) -> typing.Self:
        assert kwargs
        return super().__new__(cls)

    def __attrs_post_init__(self) -> None:
        self.count = len(self.a + self.b)


class Meta(type):
    def __call__(cls, b: str, a: str) -> object:
        return super().__call__(a, b)


@attrs.define
class Made(metaclass=Meta):
    a: str
    b: str


@attrs.define
class Mixed:
    b: str = attrs.field(kw_only=True)
    a: str
    between: str = "default"
    c: str = attrs.field(alias="last", default="c")


@attrs.frozen(kw_only=True)
class Named:
    a: str
    b: str

    def __attrs_post_init__(self) -> None:
        assert (self.a, self.b, __class__) == ("A", "B", Named)  # type: ignore[name-defined]  # a cell of the method


@attrs.define(init=False)
class Varied:
    a: str
    b: str

    def __init__(self, *, b: str, **kwargs: str) -> None:
        self.a, self.b = kwargs["a"], b


@attrs.define(init=False, kw_only=True)
class Closed:
    a: str
    b: str

    def __init__(self, *, b: str, a: str = "default") -> None:
        super().__init__()
        self.a, self.b = a, b


@pytest.mark.parametrize(
    "cls", [Turned, Counted, Made, Mixed, Named, Varied, Closed], ids=str
)
def test_a_class_is_called_with_the_names_of_its_arguments(cls: type[Any]) -> None:
    names, row = ["b", "c", "a"], ("B", "C", "A")

    (found,) = RowConverter().read_all([row], names, cls)

    assert found == RowConverter().read(dict(zip(names, row, strict=True)), cls)
    assert (found.a, found.b) == ("A", "B")


def test_of_columns_with_one_name_the_last_counts() -> None:
    found = RowConverter().read_all([("1", "2", "3")], ["a", "b", "a"], Mixed)

    assert found == [Mixed(a="3", b="2")]


def test_what_a_class_itself_refuses_is_its_own_error() -> None:
    @attrs.frozen
    class Positive:
        a: int = attrs.field(validator=attrs.validators.gt(0))

    with pytest.raises(ValueError, match="'a' must be > 0"):
        RowConverter().read_all([(1,), (-1,)], ["a"], Positive)


def test_the_first_row_that_does_not_fit_is_the_error() -> None:
    rows: list[tuple[Any, ...]] = [("{}", 1)] * 1500 + [("{}", "x"), ("[", 1)]

    @attrs.frozen
    class Pair:
        a: dict[str, Any]
        b: int

    with pytest.raises(core.ResultError, match=r"Pair\.b: the column's str"):
        RowConverter().read_all(rows, ["a", "b"], Pair)
    assert len(RowConverter().read_all(rows[:1500], ["a", "b"], Pair)) == 1500


# -- what is kept -------------------------------------------------------------


def test_a_hook_that_is_added_later_is_used() -> None:
    converter = RowConverter()
    rows, names = [("a", "b")], ["a", "b"]
    converter.read_all(rows, names, Mixed)

    converter.register_structure_hook(str, lambda value, _: value.upper())

    assert converter.read_all(rows, names, Mixed) == [Mixed(a="A", b="B")]


def test_documents_are_not_shared_between_rows_or_readings() -> None:
    @attrs.define
    class Holder:
        a: list[Any]

    converter = RowConverter()
    rows = [("[]",)] * 2

    first, second = converter.read_all(rows, ["a"], Holder)
    first.a.append(1)

    assert (second.a, converter.read_all(rows, ["a"], Holder)[0].a) == ([], [])


def test_classes_that_are_made_while_a_program_runs_do_not_pile_up() -> None:
    converter = RowConverter()
    for _ in range(1200):
        cls = attrs.make_class("Table", {"f": attrs.field(type=str)})
        converter.read_all([("a",)], ["f"], cls)

    assert len(converter._mappers) <= 500
