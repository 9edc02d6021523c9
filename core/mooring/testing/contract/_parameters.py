"""Values reach the engine as they are, by name, or are refused before anything runs."""

from collections import ChainMap
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mooring import core

ADD = "INSERT INTO users (id, email, role) VALUES (:id, :email, 'user')"
NAIVE = datetime(2025, 7, 11, 16, 38, 58)  # noqa: DTZ001 - that it has no zone is tested


def fill(store: core.SqlStore, *users: str) -> None:
    with store.transaction() as tx:
        for user in users:
            tx.execute(ADD, {"id": user, "email": user})


def among(store: core.SqlStore, sql: str, values: object) -> list[str]:
    found = store.execute(
        f"SELECT id FROM users WHERE {sql} ORDER BY id", {"ids": values}
    )
    return [row["id"] for row in found]


# -- core.In --------------------------------------------------------------------


class ParametersContract:
    """Values reach the engine as they are, by name, or are refused before."""

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("text", ""),
            ("text", 'it\'s a "test"; -- not a comment'),
            ("text", "Ünïcödé 🚢 \u202e :name ? %s $1"),
            ("text", "a\r\n\tb"),
            ("whole", 0),
            ("whole", -(2**63)),
            ("whole", 2**63 - 1),
            ("ratio", 0.1),
            ("ratio", -1.7976931348623157e308),
            ("ratio", 5e-324),
            ("flag", True),
            ("flag", False),
            ("data", b""),
            ("data", bytes(range(256))),
            *((name, None) for name in ("text", "whole", "ratio", "flag", "data")),
        ],
    )
    def test_a_plain_value_is_stored_and_found_again(
        self, samples: core.SqlStore, column: str, value: object
    ) -> None:
        samples.execute(f"INSERT INTO samples ({column}) VALUES (:v)", {"v": value})

        assert samples.execute(f"SELECT {column} FROM samples").scalar() == value

    @pytest.mark.parametrize(
        "value",
        [{}, [], {"a": [1, None, "ü"]}, [True, 1.5], "text", 7, None],
        ids=repr,
    )
    def test_json_is_stored_as_json(
        self, samples: core.SqlStore, value: object
    ) -> None:
        samples.execute(
            "INSERT INTO samples (document) VALUES (:v)", {"v": core.Json(value)}
        )

        stored = samples.execute(
            "SELECT count(*) FROM samples WHERE document IS NOT NULL"
        )
        assert stored.scalar() == 1

    def test_times_of_any_zone_are_one_moment(self, samples: core.SqlStore) -> None:
        moment = datetime(2025, 7, 11, 16, 38, 58, 123456, tzinfo=UTC)
        elsewhere = moment.astimezone(timezone(timedelta(hours=-9, minutes=-30)))
        samples.execute("INSERT INTO samples (moment) VALUES (:v)", {"v": elsewhere})

        for same in (moment, elsewhere):
            found = samples.execute(
                "SELECT count(*) FROM samples WHERE moment = :v", {"v": same}
            )
            assert found.scalar() == 1

    @pytest.mark.parametrize(
        "value",
        [
            2**63,
            -(2**63) - 1,
            float("nan"),
            "a\x00b",
            "\ud800",
            NAIVE,
            datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))),
            date(2025, 7, 11),
            time(16, 38),
            timedelta(1),
            Decimal("1.5"),
            UUID(int=0),
            bytearray(b"x"),
            memoryview(b"x"),
            {},
            {"a": 1},
            [],
            [1],
            (),
            (1,),
            {1},
            1j,
            object(),
            core.Json({"a": float("nan")}),
            core.Json([float("inf")]),
            core.Json("a\x00"),
            core.Json({"\x00": 1}),
            core.Json("\ud800"),
            core.Json({1, 2}),
            core.Json(NAIVE),
            core.In([1]),
        ],
        ids=lambda value: f"{type(value).__name__} {value!a}".partition(" at 0x")[0][
            :40
        ],
    )
    def test_any_other_value_is_refused_and_named(
        self, samples: core.SqlStore, value: object
    ) -> None:
        with pytest.raises(core.ParameterError, match=":v") as caught:
            samples.execute("INSERT INTO samples (text) VALUES (:v)", {"v": value})

        assert caught.value.hint is not None
        assert not caught.value.retryable
        assert samples.execute("SELECT count(*) FROM samples").scalar() == 0

    def test_a_refusal_does_not_show_the_value(self, samples: core.SqlStore) -> None:
        for value in ({"hunter2": "hunter2"}, ["hunter2"], "hunter2\x00"):
            with pytest.raises(core.ParameterError) as caught:
                samples.execute("INSERT INTO samples (text) VALUES (:v)", {"v": value})

            assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("values", [{}, None, {"other": 1}, {"b": 1}])
    def test_a_missing_value_is_refused_by_its_name(
        self, store: core.SqlStore, values: dict[str, object] | None
    ) -> None:
        with pytest.raises(core.ParameterError, match=":a"):
            store.execute("SELECT :a + :b", values)

    def test_a_value_without_a_placeholder_is_refused_by_its_name(
        self,
        store: core.SqlStore,
    ) -> None:
        with pytest.raises(core.ParameterError, match=":extra"):
            store.execute("SELECT 1 WHERE 1 = :a", {"a": 1, "extra": 2})
        with pytest.raises(core.ParameterError, match=":extra"):
            store.execute("SELECT 1", {"extra": 2})

    @pytest.mark.parametrize("values", [(1,), [1], "1", 1, {1}])
    def test_values_come_in_a_mapping(self, store: core.SqlStore, values: Any) -> None:
        with pytest.raises(core.ParameterError, match="mapping") as caught:
            store.execute("SELECT 1 WHERE 1 = :a", values)

        assert caught.value.hint is not None

    def test_any_mapping_will_do(self, store: core.SqlStore) -> None:
        values = ChainMap({"a": 1}, {"b": 2})

        found = store.execute(
            "SELECT count(*) FROM users WHERE 1 = :a OR 2 = :b", values
        )

        assert found.scalar() == 0

    @pytest.mark.parametrize(
        "placeholder", ["?", "?1", "@a", "$a", "$1", "%s", "%(a)s"]
    )
    def test_other_placeholders_are_refused(
        self, store: core.SqlStore, placeholder: str
    ) -> None:
        fill(store, "u1")

        with pytest.raises(core.StatementError):
            store.execute(f"DELETE FROM users WHERE id = {placeholder}", {"a": "u1"})

        assert store.execute("SELECT count(*) FROM users").scalar() == 1

    def test_a_name_may_stand_several_times(self, store: core.SqlStore) -> None:
        fill(store, "u1", "u2")

        assert among(store, "id = :ids OR email = :ids", "u2") == ["u2"]

    def test_a_colon_elsewhere_is_no_placeholder(self, store: core.SqlStore) -> None:
        found = store.execute(
            "SELECT ':a' AS x /* :b */, 'it''s :c' AS y -- :d\n, '100 %' AS \":e\""
        ).one()

        assert tuple(found) == (":a", "it's :c", "100 %")
        assert found.keys() == ["x", "y", ":e"]

    @pytest.mark.parametrize("form", ["id IN :ids", "id IN (:ids)", "id in ( :ids )"])
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([], []),
            (["u2"], ["u2"]),
            (["u1", "u3", "u9", "u1"], ["u1", "u3"]),
            ({"u1", "u2", "u3"}, ["u1", "u2", "u3"]),
        ],
        ids=["empty", "one", "many", "set"],
    )
    def test_in_expands_in_place(
        self, store: core.SqlStore, form: str, values: Any, expected: list[str]
    ) -> None:
        fill(store, "u1", "u2", "u3")

        assert among(store, form, core.In(values)) == expected

    @pytest.mark.parametrize("form", ["id NOT IN :ids", "id NOT IN (:ids)"])
    @pytest.mark.parametrize(
        ("values", "expected"),
        [([], ["u1", "u2"]), (["u1"], ["u2"]), (["u1", "u2"], [])],
        ids=["empty", "one", "many"],
    )
    def test_not_in_is_the_opposite(
        self, store: core.SqlStore, form: str, values: list[str], expected: list[str]
    ) -> None:
        fill(store, "u1", "u2")

        assert among(store, form, core.In(values)) == expected

    def test_in_takes_a_thousand_values(self, store: core.SqlStore) -> None:
        fill(store, "u1", "u2")

        assert among(store, "id IN :ids", core.In(f"u{n}" for n in range(1000))) == [
            "u1",
            "u2",
        ]

    def test_in_beside_other_parameters_keeps_the_order(
        self, store: core.SqlStore
    ) -> None:
        fill(store, "u1", "u2", "u3")

        found = store.execute(
            "SELECT id FROM users WHERE id > :low AND id IN :ids AND email < :high",
            {"ids": core.In(["u1", "u2", "u3"]), "high": "u3", "low": "u1"},
        )

        assert [row["id"] for row in found] == ["u2"]

    @pytest.mark.parametrize("sql", ["id = :ids", "id = (:ids)", "id IN (:ids, 'u1')"])
    def test_in_anywhere_else_is_refused(self, store: core.SqlStore, sql: str) -> None:
        with pytest.raises(core.ParameterError, match="IN"):
            among(store, sql, core.In(["u1"]))

    @pytest.mark.parametrize(
        "make",
        [lambda: core.In("abc"), lambda: core.In(b"abc"), lambda: core.In(5)],  # type: ignore[arg-type]  # that it is refused is tested
        ids=["str", "bytes", "int"],
    )
    def test_in_takes_several_values_only(self, make: Callable[[], core.In]) -> None:
        with pytest.raises(core.ParameterError):
            make()

    def test_a_value_inside_in_is_held_to_the_same_rules(
        self, store: core.SqlStore
    ) -> None:
        for value in (object(), [1], NAIVE, core.In(["u1"]), 2**63):
            with pytest.raises(core.ParameterError, match=":ids"):
                among(store, "id IN :ids", core.In([value]))

    def test_in_may_hold_every_kind_of_value(self, samples: core.SqlStore) -> None:
        moment = datetime(2025, 7, 11, tzinfo=UTC)
        samples.execute(
            "INSERT INTO samples (whole, data, moment) VALUES (1, :data, :moment)",
            {"data": b"x", "moment": moment},
        )

        for column, value in (("whole", 1), ("data", b"x"), ("moment", moment)):
            found = samples.execute(
                f"SELECT count(*) FROM samples WHERE {column} IN :v",
                {"v": core.In([value])},
            )
            assert found.scalar() == 1
