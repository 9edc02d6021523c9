"""A user's SQL becomes the engine's: what is a parameter, and what only looks so."""

import contextlib
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring.core._dialect import Dialect
from mooring.core._lexer import tokens
from mooring.core._statement import translate
from mooring.core._values import Json
from mooring.core.errors import ParameterError, StatementNotAllowedError

_COMMON: dict[str, Any] = {
    "max_parameters": 8,
    "adapters": {datetime: datetime.isoformat, Json: Json.dumps},
    "refuse": lambda _: None,
}
QMARK = Dialect(
    placeholder="?",
    nested_comments=False,
    dollar_quotes=False,
    escape_strings=False,
    bracket_identifiers=True,
    backtick_identifiers=True,
    array_slices=False,
    empty_list="",
    **_COMMON,
)
FORMAT = Dialect(
    placeholder="%s",
    nested_comments=True,
    dollar_quotes=True,
    escape_strings=True,
    bracket_identifiers=False,
    backtick_identifiers=False,
    array_slices=True,
    empty_list="NULL",
    **_COMMON,
)
both = pytest.mark.parametrize("dialect", [QMARK, FORMAT], ids=["qmark", "format"])


def names(sql: str, dialect: Dialect) -> tuple[str, ...]:
    return translate(sql, dialect).names


def test_a_name_becomes_the_placeholder_of_the_engine() -> None:
    sql = "SELECT * FROM users WHERE id = :id AND role=:role"

    assert translate(sql, QMARK).text == "SELECT * FROM users WHERE id = ? AND role=?"
    assert (
        translate(sql, FORMAT).text == "SELECT * FROM users WHERE id = %s AND role=%s"
    )
    assert translate(sql, QMARK).sql == sql


@both
def test_names_are_listed_once_for_each_occurrence(dialect: Dialect) -> None:
    assert names("SELECT :b, :a, :b, :größe", dialect) == ("b", "a", "b", "größe")


def test_a_percent_sign_is_doubled_only_where_the_placeholder_has_one() -> None:
    sql = "SELECT 5 % :n, '100%', \"%s\" -- %"

    assert translate(sql, FORMAT).text == "SELECT 5 %% %s, '100%%', \"%%s\" -- %%"
    assert translate(sql, QMARK).text == "SELECT 5 % ?, '100%', \"%s\" -- %"


@both
@pytest.mark.parametrize(
    "literal",
    [
        "':no'",
        "'it''s :no'",
        "''':no'''",
        '":no"',
        '"a"":no"',
        "-- :no\n",
        "-- :no\r\n",
        "/* :no */",
        "/* ' */",
        "'--'",
        "'/*'",
        '"\'"',
        "a::no",
        ":=no",
        "a :: no",
    ],
)
def test_no_parameter_hides_in_a_literal(literal: str, dialect: Dialect) -> None:
    statement = translate(f"SELECT {literal} , :yes", dialect)

    assert statement.names == ("yes",)
    assert statement.text.startswith(f"SELECT {literal} , ")


@pytest.mark.parametrize(
    ("literal", "dialect"),
    [
        ("[:no]", QMARK),
        ("`:no`", QMARK),
        ("`a``:no`", QMARK),
        ("/* /* */", QMARK),
        ("'\\'", QMARK),
        ("$", QMARK),
        ("/* /* :no */ :no */", FORMAT),
        ("/*/* :no **/ :no */", FORMAT),
        ("$$ :no $$", FORMAT),
        ("$tag$ :no $$ $tag$", FORMAT),
        ("E'\\' :no'", FORMAT),
        ("e'a''\\\\' ':no'", FORMAT),
        ("E'a'\n  '\\' :no'", FORMAT),
        ("'\\'", FORMAT),
        ("a@>b", FORMAT),
        ("a<@b", FORMAT),
        ("a @@ b", FORMAT),
        ("@ -5", FORMAT),
        ("a$1", FORMAT),
        ("a[1:2]", FORMAT),
        ("a[lo:hi]", FORMAT),
        ("a[f(1):hi]", FORMAT),
        ("a[b[1]:hi]", FORMAT),
        ("a['x':hi]", FORMAT),
        ("a[:]", FORMAT),
        ("{'a':no}", FORMAT),
    ],
)
def test_each_dialect_has_literals_of_its_own(literal: str, dialect: Dialect) -> None:
    statement = translate(f"SELECT {literal} , :yes", dialect)

    assert statement.names == ("yes",)
    assert statement.text.startswith(f"SELECT {literal} , ")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a[:lo]", ("lo",)),
        ("SELECT a[:lo : :hi]", ("lo", "hi")),
        ("SELECT a[1 + :lo:hi]", ("lo",)),
        ("SELECT a[(:lo):hi]", ("lo",)),
        ("SELECT a[f(b = :x):hi]", ("x",)),
        ("SELECT ARRAY[:a, :b]", ("a", "b")),
        ("SELECT ARRAY[CASE WHEN :a THEN :b ELSE :c END]", ("a", "b", "c")),
        ("SELECT a[1:2], b :c", ("c",)),
    ],
)
def test_a_colon_in_brackets_is_a_slice_only_after_an_operand(
    sql: str, expected: tuple[str, ...]
) -> None:
    assert names(sql, FORMAT) == expected


def test_dollar_quotes_and_escapes_begin_only_where_a_name_does_not_go_on() -> None:
    assert names("SELECT a$$, :x, b$$", FORMAT) == ("x",)
    assert names("SELECT typE'\\' , :x", FORMAT) == ("x",)
    with pytest.raises(ParameterError):
        translate("SELECT 1 AS \u2019$$; COMMIT --$$", FORMAT)


@both
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ?",
        "SELECT ?1",
        "SELECT a ?| b",
        "SELECT @x",
        "SELECT a=@x",
        "SELECT $x",
        "SELECT $1",
        "SELECT $::x",
        "SELECT :1",
    ],
)
def test_other_placeholders_are_refused_with_a_hint(sql: str, dialect: Dialect) -> None:
    with pytest.raises(ParameterError) as caught:
        translate(sql, dialect)

    assert ":name" in (caught.value.hint or "")
    assert "\n" not in caught.value.message


@both
@pytest.mark.parametrize(
    "end", ["'a :no", '"a :no', "/* :no", "-- :no", "/* :no '"], ids=repr
)
def test_what_is_never_closed_is_literal_to_the_end(end: str, dialect: Dialect) -> None:
    statement = translate(f"SELECT :yes {end}", dialect)

    assert statement.names == ("yes",)
    assert statement.text.endswith(end)


@pytest.mark.parametrize("end", ["/* /* :no */", "$a$ :no $$", "E'\\' :no", "E'\\"])
def test_what_is_never_closed_is_literal_in_every_form(end: str) -> None:
    assert names(f"SELECT :yes {end}", FORMAT) == ("yes",)


@both
def test_more_placeholders_than_the_engine_takes_are_refused(dialect: Dialect) -> None:
    with pytest.raises(ParameterError, match=r"9 values .* at most 8"):
        translate("SELECT " + ", ".join(f":p{n}" for n in range(9)), dialect)


# Pieces of SQL, each with the parameters in it; joined by blanks they stay apart.
LITERALS = st.sampled_from(
    [
        "'a :x'",
        "''",
        '":x"',
        "-- :x\n",
        "/* :x */",
        "a::text",
        "5 % 2",
        "'%s'",
        "(",
        ")",
    ]
) | st.sampled_from(["naïve", "\U0001f600", "1.5e3", "<=", "||", "a.b", "\t", "*"])
PARAMETERS = st.sampled_from([":a", ":b1", ":_c", ":ä"])


@both
@given(parts=st.lists(LITERALS | PARAMETERS, max_size=8))
def test_text_outside_of_placeholders_is_kept(
    parts: list[str], dialect: Dialect
) -> None:
    statement = translate(" ".join(["SELECT", *parts]), dialect)

    percent = "%%" if dialect is FORMAT else "%"
    expected = [
        dialect.placeholder if part[0] == ":" else part.replace("%", percent)
        for part in parts
    ]
    assert statement.text == " ".join(["SELECT", *expected])
    assert statement.names == tuple(part[1:] for part in parts if part[0] == ":")


QUOTED: dict[str, tuple[str, str, Dialect | None]] = {
    "string": ("'", "'", None),
    "name": ('"', '"', None),
    "line comment": ("--", "\n", None),
    "block comment": ("/*", "*/", None),
    "backticks": ("`", "`", QMARK),
    "brackets": ("[", "]", QMARK),
    "escape string": ("E'", "'", FORMAT),
    "dollar quote": ("$q$", "$q$", FORMAT),
}


@pytest.mark.parametrize("quote", QUOTED)
@given(before=st.text(max_size=9), after=st.text(max_size=9))
def test_a_name_inside_quotes_is_never_a_parameter(
    quote: str, before: str, after: str
) -> None:
    opening, closing, only = QUOTED[quote]
    text = f"{before} :no {after}"
    for unsafe in (*opening, *closing, "\\", "\r", "/", "\x00"):
        text = text.replace(unsafe, "")
    text = text.encode(errors="ignore").decode()
    sql = f"SELECT {opening} {text} {closing} , :yes"

    for dialect in [only] if only else [QMARK, FORMAT]:
        assert translate(sql, dialect).names == ("yes",)


FRAGMENTS = st.sampled_from("'\"`[](){}:;$@?%*/-\\\n\r \x00\ufeff\ud800") | (
    st.sampled_from(
        ["E'", "--", "/*", "*/", "$a$", ":a", "WITH", "CREATE", "IN", "SET"]
    )
)
TEXTS = st.text() | st.lists(FRAGMENTS).map(" ".join) | st.lists(FRAGMENTS).map("".join)


@both
@given(sql=TEXTS)
def test_no_text_raises_anything_but_the_two_errors(sql: str, dialect: Dialect) -> None:
    with contextlib.suppress(ParameterError, StatementNotAllowedError):
        assert translate(sql, dialect).sql == sql


@both
@given(sql=TEXTS)
def test_the_tokens_add_up_to_the_text(sql: str, dialect: Dialect) -> None:
    seen = ""
    try:
        for _, text in tokens(sql, dialect):
            assert text
            seen += text
    except (ParameterError, StatementNotAllowedError):
        assert sql.startswith(seen)
    else:
        assert seen == sql


MEGABYTE = 1_000_000


@both
@pytest.mark.parametrize(
    "unit",
    ["'", "E'", '"', "/*", "*/", "--\n", "\r", "$a$", "$a", ":", "@", "[a:", "a", ";"],
    ids=repr,
)
def test_a_megabyte_of_anything_is_read_in_linear_time(
    unit: str, dialect: Dialect
) -> None:
    # Were any of these quadratic, it would take hours rather than seconds.
    sql = "SELECT " + unit * (MEGABYTE // len(unit))

    with contextlib.suppress(ParameterError, StatementNotAllowedError):
        translate(sql, dialect)


@pytest.mark.parametrize(
    ("prefix", "unit"),
    [
        ("", "E'' "),
        ("E'a'", "\n"),
        ("E'", "\\'"),
        ("E'", "''"),
        ("$a$", "$a"),
        ("/*", "/*"),
        ("WITH ", "INTO "),
        ("(", "IN ("),
    ],
)
def test_a_megabyte_that_promises_an_end_is_read_in_linear_time(
    prefix: str, unit: str
) -> None:
    sql = f"EXPLAIN {prefix}" + unit * (MEGABYTE // len(unit)) + " x"

    assert names(sql, FORMAT) == ()
