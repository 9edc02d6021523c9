"""Values that only this engine has, or has in its own way."""

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from mooring import core
from mooring_postgres import PostgresStore

ADD = "INSERT INTO users (id, email, role) VALUES (:id, :email, 'user')"


@pytest.fixture
def store(open_postgres: Callable[..., PostgresStore]) -> PostgresStore:
    """A store that is not migrated."""
    return open_postgres(migrate="skip")


@pytest.fixture
def users(open_postgres: Callable[..., PostgresStore]) -> PostgresStore:
    """A store with its tables."""
    return open_postgres()


@attrs.frozen
class Moment:
    """A row with a time."""

    v: datetime


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("'0001-01-01 00:00+00'::timestamptz", datetime(1, 1, 1, tzinfo=UTC)),
        ("'infinity'::timestamptz", "infinity"),
        ("'-infinity'::timestamptz", "-infinity"),
        ("'10000-01-01 00:00+00'::timestamptz", "10000-01-01 00:00:00+00"),
        ("'0044-03-15 BC'::date", "0044-03-15 BC"),
        ("'2025-07-11'::date", date(2025, 7, 11)),
        ("'24:00'::time", "24:00:00"),
        ("'16:38'::time", time(16, 38)),
        ("'1 day 00:00:01'::interval", timedelta(days=1, seconds=1)),
        ("ARRAY['infinity'::timestamptz]", ["infinity"]),
        ("1.50::numeric", Decimal("1.50")),
        ("9223372036854775808::numeric", Decimal(2**63)),
        ("'00000000-0000-0000-0000-000000000007'::uuid", UUID(int=7)),
        ("ARRAY[1, NULL, 3]", [1, None, 3]),
        ("ARRAY['a', '']", ["a", ""]),
        ("'a'::char(3)", "a  "),
        ("'\\x00ff'::bytea", b"\x00\xff"),
        ("''::text", ""),
        ("NULL::text", None),
    ],
)
def test_a_value_of_the_engine_is_read_as_python_s_or_as_its_text(
    store: PostgresStore, sql: str, value: object
) -> None:
    assert store.execute(f"SELECT {sql} AS v").scalar() == value


def test_an_interval_without_end_is_not_one_of_no_length(
    open_postgres: Callable[..., PostgresStore], own_server: Any
) -> None:
    # Version 17 was the first to have them.
    store = open_postgres(**own_server.params(), migrate="skip")

    assert store.execute("SELECT '-infinity'::interval AS v").scalar() == "-infinity"


def test_a_style_that_psycopg_does_not_read_is_read_as_text(
    open_postgres: Callable[..., PostgresStore], postgres_server: Any
) -> None:
    url = f"{postgres_server.url()}?options=-c%20IntervalStyle%3Diso_8601"
    store = open_postgres(conn_string=url, migrate="skip")

    assert store.execute("SELECT interval '1 day 2 hours'").scalar() == "P1DT2H"


@pytest.mark.parametrize("kind", ["float4", "float8", "numeric"])
def test_what_is_no_number_is_read_as_that(store: PostgresStore, kind: str) -> None:
    assert math.isnan(store.execute(f"SELECT 'NaN'::{kind} AS v").scalar())


def test_a_time_that_python_has_not_is_an_error_only_as_a_datetime(
    store: PostgresStore,
) -> None:
    result = store.execute("SELECT 'infinity'::timestamptz AS v")

    assert result.one()["v"] == "infinity"
    with pytest.raises(core.ResultError, match="v"):
        result.one(Moment)


def test_a_write_is_kept_whatever_its_rows_hold(users: PostgresStore) -> None:
    sql = f"{ADD} RETURNING '10000-01-01'::timestamptz AS v"
    row = users.execute(sql, {"id": "u1", "email": "a"}).one()

    assert row["v"].startswith("10000-01-01")
    assert users.execute("SELECT count(*) FROM users").scalar() == 1


def test_an_int_has_the_type_of_the_same_literal(store: PostgresStore) -> None:
    sql = (
        "SELECT :a * :b AS product, pg_typeof(:a)::text AS a, pg_typeof(:c)::text AS c"
    )
    row = store.execute(sql, {"a": 200, "b": 200, "c": 2**31}).one()

    assert (row["product"], row["a"], row["c"]) == (40_000, "integer", "bigint")


def test_a_list_of_nothing_is_a_condition_wherever_a_list_is(
    store: PostgresStore,
) -> None:
    sql = "SELECT false = 1 IN :l AS a, false = 1 NOT IN (:l) AS b, NULL IN :l AS c"
    row = store.execute(sql, {"l": core.In([])}).one()

    assert (row["a"], row["b"], row["c"]) == (True, False, False)


# -- JSON ---------------------------------------------------------------------


def test_json_is_read_as_text_so_that_its_null_is_not_that_of_sql(
    store: PostgresStore,
) -> None:
    row = store.execute(
        "SELECT 'null'::jsonb AS of_json, NULL::jsonb AS of_sql,"
        " CAST(:v AS jsonb) AS given",
        {"v": core.Json(None)},
    ).one()

    assert (row["of_json"], row["of_sql"], row["given"]) == ("null", None, "null")


@pytest.mark.parametrize(
    "number", [2**63, -(2**70), 10**40, 0.1, 1e300, -1.5e-300], ids=repr
)
def test_numbers_in_json_of_any_size_are_kept(
    store: PostgresStore, number: float
) -> None:
    given = {"v": core.Json({"n": number})}
    found = store.execute("SELECT CAST(:v AS jsonb) AS v", given).scalar()

    assert json.loads(found, parse_float=float)["n"] == number


def test_of_keys_that_stand_twice_in_json_the_last_is_kept(
    store: PostgresStore,
) -> None:
    found = store.execute(
        "SELECT CAST(:v AS jsonb) AS v", {"v": '{"a": 1, "a": 2}'}
    ).scalar()

    assert found == '{"a": 2}'


@pytest.mark.parametrize(
    "text", [r'"\u0000"', r'{"\u0000": 1}', r'["a\u0000b"]', "{", "'a'", "NaN", ""]
)
def test_json_that_cannot_be_kept_is_refused_as_by_a_check(
    store: PostgresStore, text: str
) -> None:
    sql = "INSERT INTO documents (body) VALUES (:v)"
    store.execute("CREATE TABLE documents (body jsonb)")
    with pytest.raises(core.CheckViolation, match="malformed JSON"):
        store.execute(sql, {"v": text})

    assert store.execute("SELECT count(*) FROM documents").scalar() == 0


# -- text ---------------------------------------------------------------------


@pytest.mark.parametrize("value", ["é" * 500_000, b"\x00\xff" * 500_000], ids=type)
def test_a_megabyte_comes_back_as_it_was(store: PostgresStore, value: Any) -> None:
    kind = "text" if isinstance(value, str) else "bytea"
    given = {"v": value}

    assert store.execute(f"SELECT CAST(:v AS {kind}) AS v", given).scalar() == value
    json_too = {"v": core.Json(["é" * 500_000])}
    found = store.execute("SELECT CAST(:v AS jsonb) AS v", json_too).scalar()
    assert json.loads(found) == ["é" * 500_000]


def test_empty_text_is_not_null(users: PostgresStore) -> None:
    users.execute(ADD, {"id": "", "email": ""})

    assert users.execute("SELECT count(*) FROM users WHERE id = ''").scalar() == 1
    assert users.execute("SELECT count(*) FROM users WHERE id IS NULL").scalar() == 0


def test_only_ascii_letters_of_an_email_are_the_same_in_both_cases(
    users: PostgresStore,
) -> None:
    users.execute(ADD, {"id": "u1", "email": "Ärger@example.org"})
    with pytest.raises(core.UniqueViolation):
        users.execute(ADD, {"id": "u2", "email": "ÄRGER@example.org"})
    # As on SQLite, whose lower() knows no others.
    users.execute(ADD, {"id": "u3", "email": "ärger@example.org"})

    assert users.execute("SELECT count(*) FROM users").scalar() == 2


# -- parameters ---------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "a"])
def test_a_parameter_without_a_type_is_an_error_that_says_cast(
    store: PostgresStore, value: object
) -> None:
    with pytest.raises(core.StatementError, match="type of a parameter") as caught:
        store.execute("SELECT 1 WHERE :x IS NULL", {"x": value})

    assert "CAST(:name AS TEXT)" in (caught.value.hint or "")
    cast = "SELECT count(*) FROM (SELECT 1) AS one WHERE CAST(:x AS text) IS NULL"
    assert store.execute(cast, {"x": value}).scalar() == (value is None)


@pytest.mark.parametrize(
    ("values", "among", "others"), [([1, 3, 70000], 2, 3), ([], 0, 5), ([None], 0, 0)]
)
def test_in_works_on_columns_of_whole_numbers(
    store: PostgresStore, values: list[int], among: int, others: int
) -> None:
    given = {"ids": core.In(values)}
    for kind in ("integer", "bigint", "numeric"):
        table = f"(SELECT n::{kind} FROM generate_series(1, 5) AS n) AS t"
        sql = f"SELECT count(*) FROM {table} WHERE n"

        assert store.execute(f"{sql} IN (:ids)", given).scalar() == among
        assert store.execute(f"{sql} NOT IN (:ids)", given).scalar() == others


def test_a_value_that_does_not_fit_its_column_is_an_error_and_not_another_value(
    store: PostgresStore,
) -> None:
    store.execute("CREATE TABLE small (n smallint)")
    for value in (2**40, "seven"):
        with pytest.raises(core.StatementError):
            store.execute("INSERT INTO small VALUES (:n)", {"n": value})

    assert store.execute("SELECT count(*) FROM small").scalar() == 0
