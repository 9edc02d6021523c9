"""Rows read into a class: the same values on every engine, whatever it keeps."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from mooring import core

MOMENT = datetime(2025, 7, 11, 16, 38, 58, 120000, tzinfo=UTC)


@attrs.frozen(kw_only=True)
class Sample:
    """One field of each portable type."""

    text: str
    whole: int
    ratio: float
    flag: bool
    data: bytes
    moment: datetime
    document: dict[str, Any]


@attrs.frozen(kw_only=True)
class Maybe:
    """The same, each of them optional."""

    text: str | None
    whole: int | None
    ratio: float | None
    flag: bool | None
    data: bytes | None
    moment: datetime | None
    document: dict[str, Any] | None


@attrs.frozen(kw_only=True)
class User:
    """A row of the shipped schema."""

    id: str
    email: str
    role: str
    created_at: datetime


@dataclass
class Plain:
    """A class of another kind."""

    a: int


@attrs.frozen
class Step:
    """A part of a document."""

    name: str
    cost: float = 0.0


@attrs.frozen
class Plan:
    """A document that is kept as JSON."""

    title: str
    steps: list[Step]


VALUES: dict[str, object] = {
    "text": "Ünï",
    "whole": 2**63 - 1,
    "ratio": 0.1,
    "flag": True,
    "data": b"\x00\xff",
    "moment": MOMENT,
    "document": core.Json({"a": [1, None, {"b": "ü"}]}),
}
COLUMNS = ", ".join(VALUES)


def insert(store: core.SqlStore, **values: object) -> None:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    store.execute(f"INSERT INTO samples ({names}) VALUES ({marks})", values)


class RowsIntoClassesContract:
    """Rows read into a class: the same values on every engine, whatever it keeps."""

    def test_every_portable_type_comes_back_as_itself(
        self, samples: core.SqlStore
    ) -> None:
        insert(samples, **VALUES)

        found = samples.execute(f"SELECT {COLUMNS} FROM samples").one(Sample)

        assert found == Sample(
            text="Ünï",
            whole=2**63 - 1,
            ratio=0.1,
            flag=True,
            data=b"\x00\xff",
            moment=MOMENT,
            document={"a": [1, None, {"b": "ü"}]},
        )
        assert type(found.flag) is bool
        assert type(found.data) is bytes
        assert type(found.whole) is int
        assert type(found.ratio) is float

    def test_null_is_none_where_a_field_may_be_none(
        self, samples: core.SqlStore
    ) -> None:
        insert(samples, id="s1")
        insert(samples, **VALUES)
        sql = f"SELECT {COLUMNS} FROM samples WHERE id {{}}"

        nothing = samples.execute(sql.format("= 's1'")).one(Maybe)
        everything = samples.execute(sql.format("IS NULL")).one(Maybe)

        assert set(attrs.astuple(nothing)) == {None}
        assert None not in attrs.astuple(everything)

    @pytest.mark.parametrize("column", VALUES)
    def test_null_does_not_fit_a_field_that_must_be_there(
        self, samples: core.SqlStore, column: str
    ) -> None:
        insert(samples, **{**VALUES, column: None})

        with pytest.raises(core.ResultError, match=f"Sample.{column}"):
            samples.execute(f"SELECT {COLUMNS} FROM samples").one(Sample)

    @pytest.mark.parametrize("hours", [-11, 0, 5.5, 14])
    def test_a_time_comes_back_aware_and_in_utc(
        self, samples: core.SqlStore, hours: float
    ) -> None:
        insert(samples, moment=MOMENT.astimezone(timezone(timedelta(hours=hours))))

        @attrs.frozen
        class Holder:
            moment: datetime

        found = samples.execute("SELECT moment FROM samples").one(Holder)

        assert found.moment == MOMENT
        assert found.moment.utcoffset() == timedelta(0)

    def test_a_time_that_the_engine_made_comes_back_aware(
        self, store: core.SqlStore
    ) -> None:
        before = datetime.now(UTC) - timedelta(minutes=5)
        store.execute("INSERT INTO users (id, email, role) VALUES ('u', 'e', 'user')")

        found = store.execute("SELECT * FROM users").one(User)

        assert found.created_at.utcoffset() == timedelta(0)
        assert before < found.created_at < before + timedelta(minutes=10)

    def test_times_sort_as_moments_do(self, samples: core.SqlStore) -> None:
        steps = [0, 1, 999_999, 1_000_000, 100_000, 120_000, 10**12, -1]
        moments = [MOMENT + timedelta(microseconds=step) for step in steps]
        for hours, moment in enumerate(moments):
            insert(samples, moment=moment.astimezone(timezone(timedelta(hours=hours))))

        @attrs.frozen
        class Holder:
            moment: datetime

        found = samples.execute("SELECT moment FROM samples ORDER BY moment").all(
            Holder
        )

        assert [holder.moment for holder in found] == sorted(moments)

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ({"a": 1}, dict[str, int]),
            ({}, dict[str, Any]),
            ([1, 2], list[int]),
            ([], list[Any]),
            ([1, 2], tuple[int, ...]),
            ({"a": None}, dict[str, Any] | None),
            (None, dict[str, Any] | None),
            ([{"a": [True, 1.5, "ü"]}], list[Any]),
        ],
        ids=repr,
    )
    def test_json_comes_back_as_the_type_of_the_field(
        self, samples: core.SqlStore, value: object, kind: Any
    ) -> None:
        holder = attrs.make_class("Holder", {"document": attrs.field(type=kind)})
        insert(samples, document=core.Json(value))

        found: Any = samples.execute("SELECT document FROM samples").one(holder)

        assert found.document == (tuple(value) if kind == tuple[int, ...] else value)  # type: ignore[arg-type]  # a list there

    def test_json_comes_back_as_a_class(self, samples: core.SqlStore) -> None:
        @attrs.frozen
        class Holder:
            document: Plan

        document = {
            "title": "trip",
            "steps": [{"name": "a", "cost": 1.5}, {"name": "b"}],
        }
        insert(samples, document=core.Json(document))

        found = samples.execute("SELECT document FROM samples").one(Holder)

        assert found.document == Plan("trip", [Step("a", 1.5), Step("b")])

    def test_columns_that_the_class_does_not_have_are_left_out(
        self,
        store: core.SqlStore,
    ) -> None:
        @attrs.frozen
        class Id:
            id: str

        store.execute("INSERT INTO users (id, email, role) VALUES ('u', 'e', 'user')")

        assert store.execute("SELECT * FROM users").one(Id) == Id("u")

    def test_a_field_without_a_column_takes_its_default_or_is_named(
        self,
        store: core.SqlStore,
    ) -> None:
        @attrs.frozen
        class Lenient:
            id: str
            nick: str = "none"
            tags: list[str] = attrs.field(factory=list)
            derived: str = attrs.field(init=False, default="d")

        store.execute("INSERT INTO users (id, email, role) VALUES ('u', 'e', 'user')")
        result = store.execute("SELECT id, email FROM users")

        assert result.one(Lenient) == Lenient("u")
        with pytest.raises(core.ResultError, match=r"User\.role.*id, email"):
            result.one(User)

    def test_a_private_field_is_read_from_the_column_of_its_name(
        self,
        store: core.SqlStore,
    ) -> None:
        @attrs.frozen
        class Private:
            _id: str

        assert store.execute("SELECT 'u' AS _id").one(Private) == Private("u")

    @pytest.mark.parametrize(
        ("column", "kind"),
        [
            ("text", int),
            ("text", float),
            ("text", bool),
            ("text", bytes),
            ("text", datetime),
            ("text", dict[str, Any]),
            ("whole", str),
            ("whole", bool),
            ("whole", bytes),
            ("whole", datetime),
            ("whole", list[Any]),
            ("ratio", int),
            ("ratio", str),
            ("ratio", bool),
            ("data", str),
            ("data", int),
            ("moment", int),
            ("moment", bytes),
            ("document", list[Any]),
            ("document", int),
        ],
        ids=lambda value: str(getattr(value, "__name__", value)),
    )
    def test_a_wrong_type_is_an_error_that_does_not_show_the_value(
        self, samples: core.SqlStore, column: str, kind: Any
    ) -> None:
        holder = attrs.make_class("Holder", {column: attrs.field(type=kind)})
        insert(
            samples,
            **{
                **VALUES,
                "text": "hunter2",
                "data": b"hunter2",
                "document": core.Json({"hunter2": "hunter2"}),
                "whole": 917_263_545,
                "ratio": 917.25,
            },
        )

        with pytest.raises(core.ResultError, match=rf"Holder\.{column}") as caught:
            samples.execute(f"SELECT {column} FROM samples").one(holder)

        assert caught.value.__cause__ is not None
        assert "hunter2" not in str(caught.value)
        assert "917" not in str(caught.value)

    def test_a_class_of_another_kind_is_refused(self, store: core.SqlStore) -> None:
        for kind in (dict, str, int):
            with pytest.raises(core.ResultError, match="attrs"):
                store.execute("SELECT 1 AS a").one(kind)

    @pytest.mark.parametrize(
        "kind",
        [User(id="", email="", role="", created_at=MOMENT), Plain, Plain(1), "User"],
        ids=["an instance", "a dataclass", "a dataclass's instance", "a name"],
    )
    def test_what_is_no_attrs_class_is_told_what_to_do(
        self, store: core.SqlStore, kind: Any
    ) -> None:
        result = store.execute("SELECT 1 AS a")

        with pytest.raises(core.ResultError, match="not an attrs class") as caught:
            result.one(kind)
        assert "attrs.frozen" in str(caught.value.hint)

    def test_an_annotation_that_names_nothing_is_told(
        self, store: core.SqlStore
    ) -> None:
        @attrs.frozen
        class Order:
            total: "Amount"

        class Amount:
            """Known here, but not to the module, which is where names are looked up."""

        with pytest.raises(core.ResultError, match=r"Order: .*Amount") as caught:
            store.execute("SELECT 1 AS total").one(Order)
        assert "annotations" in str(caught.value.hint)

    def test_one_or_none_and_all_read_into_a_class(self, store: core.SqlStore) -> None:
        for user in ("u1", "u2"):
            store.execute(
                "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')",
                {"id": user},
            )
        sql = "SELECT * FROM users ORDER BY id"

        assert [user.id for user in store.execute(sql).all(User)] == ["u1", "u2"]
        assert store.execute(f"{sql} LIMIT 0").one_or_none(User) is None
        assert store.execute(f"{sql} LIMIT 0").all(User) == []
        with pytest.raises(core.ResultError):
            store.execute(sql).one(User)

    def test_returning_reads_into_a_class(self, store: core.SqlStore) -> None:
        found = store.execute(
            "INSERT INTO users (id, email, role) VALUES ('u', 'e', 'admin') RETURNING *"
        ).one(User)

        assert (found.id, found.role) == ("u", "admin")

    def test_rows_of_a_stream_hold_the_same_values(
        self, samples: core.SqlStore
    ) -> None:
        insert(samples, **VALUES)

        with samples.read() as snapshot:
            (row,) = snapshot.stream(f"SELECT {COLUMNS} FROM samples")

        assert row == samples.execute(f"SELECT {COLUMNS} FROM samples").one()

    def test_a_hook_of_the_application_is_used(self, store: core.SqlStore) -> None:
        class Email:
            def __init__(self, text: str) -> None:
                self.text = text

        @attrs.frozen
        class Contact:
            email: Email

        store.converter.register_structure_hook(Email, lambda text, _: Email(text))

        found = store.execute("SELECT 'a@example.org' AS email").one(Contact)

        assert found.email.text == "a@example.org"

    def test_stores_of_one_driver_share_their_converter(
        self, store: core.SqlStore
    ) -> None:
        assert store.converter is store.converter

    def test_json_inside_json_is_not_coerced_either(self, store: core.SqlStore) -> None:
        @attrs.frozen
        class Document:
            input: dict[str, list[str]]

        @attrs.frozen
        class Pair:
            input: dict[str, tuple[str, int]]

        text = store.execute("SELECT :x AS input", {"x": core.Json({"a": "abc"})})
        pair = store.execute("SELECT :x AS input", {"x": core.Json({"a": ["b", 2]})})

        with pytest.raises(core.ResultError, match=r"Document\.input"):
            text.one(Document)
        assert pair.one(Pair) == Pair(input={"a": ("b", 2)})
