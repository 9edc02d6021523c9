"""A user's SQL becomes the engine's: what is a parameter, and what only looks so."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring.core._dialect import Dialect
from mooring.core._lexer import tokens
from mooring.core._statement import translate
from mooring.core.errors import ParameterError, StatementNotAllowedError


def names(sql: str, dialect: Dialect) -> tuple[str, ...]:
    return translate(sql, dialect).names


def test_a_name_becomes_the_placeholder_of_the_engine(
    qmark: Dialect, percent: Dialect
) -> None:
    sql = "SELECT * FROM users WHERE id = :id AND role=:role"

    assert translate(sql, qmark).text == "SELECT * FROM users WHERE id = ? AND role=?"
    assert (
        translate(sql, percent).text == "SELECT * FROM users WHERE id = %s AND role=%s"
    )
    assert translate(sql, qmark).sql == sql


def test_names_are_listed_once_for_each_occurrence(dialect: Dialect) -> None:
    assert names("SELECT :b, :a, :b, :größe", dialect) == ("b", "a", "b", "größe")


def test_a_percent_sign_is_doubled_only_where_the_placeholder_has_one(
    qmark: Dialect, percent: Dialect
) -> None:
    sql = "SELECT 5 % :n, '100%', \"%s\" -- %"

    assert translate(sql, percent).text == "SELECT 5 %% %s, '100%%', \"%%s\" -- %%"
    assert translate(sql, qmark).text == "SELECT 5 % ?, '100%', \"%s\" -- %"


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
        ("[:no]", "qmark"),
        ("`:no`", "qmark"),
        ("`a``:no`", "qmark"),
        ("/* /* */", "qmark"),
        ("'\\'", "qmark"),
        ("$", "qmark"),
        ("/* /* :no */ :no */", "format"),
        ("/*/* :no **/ :no */", "format"),
        ("$$ :no $$", "format"),
        ("$tag$ :no $$ $tag$", "format"),
        ("E'\\' :no'", "format"),
        ("e'a''\\\\' ':no'", "format"),
        ("E'a'\n  '\\' :no'", "format"),
        ("'\\'", "format"),
        ("a@>b", "format"),
        ("a<@b", "format"),
        ("a @@ b", "format"),
        ("@ -5", "format"),
        ("a$1", "format"),
        ("a[1:2]", "format"),
        ("a[lo:hi]", "format"),
        ("a[f(1):hi]", "format"),
        ("a[b[1]:hi]", "format"),
        ("a['x':hi]", "format"),
        ("a[:]", "format"),
        ("{'a':no}", "format"),
    ],
    indirect=["dialect"],
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
    sql: str, expected: tuple[str, ...], percent: Dialect
) -> None:
    assert names(sql, percent) == expected


def test_dollar_quotes_and_escapes_begin_only_where_a_name_does_not_go_on(
    percent: Dialect,
) -> None:
    assert names("SELECT a$$, :x, b$$", percent) == ("x",)
    assert names("SELECT typE'\\' , :x", percent) == ("x",)
    with pytest.raises(ParameterError):
        translate("SELECT 1 AS \u2019$$; COMMIT --$$", percent)


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


@pytest.mark.parametrize(
    "end", ["'a :no", '"a :no', "/* :no", "-- :no", "/* :no '"], ids=repr
)
def test_what_is_never_closed_is_literal_to_the_end(end: str, dialect: Dialect) -> None:
    statement = translate(f"SELECT :yes {end}", dialect)

    assert statement.names == ("yes",)
    assert statement.text.endswith(end)


@pytest.mark.parametrize("end", ["/* /* :no */", "$a$ :no $$", "E'\\' :no", "E'\\"])
def test_what_is_never_closed_is_literal_in_every_form(
    end: str, percent: Dialect
) -> None:
    assert names(f"SELECT :yes {end}", percent) == ("yes",)


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


@given(parts=st.lists(LITERALS | PARAMETERS, max_size=8))
def test_text_outside_of_placeholders_is_kept(
    parts: list[str], dialect: Dialect
) -> None:
    statement = translate(" ".join(["SELECT", *parts]), dialect)

    percent = "%%" if "%" in dialect.placeholder else "%"
    expected = [
        dialect.placeholder if part[0] == ":" else part.replace("%", percent)
        for part in parts
    ]
    assert statement.text == " ".join(["SELECT", *expected])
    assert statement.names == tuple(part[1:] for part in parts if part[0] == ":")


QUOTES = [("'", "'"), ('"', '"'), ("--", "\n"), ("/*", "*/")]
QUOTED = [(*quotes, name) for quotes in QUOTES for name in ("qmark", "format")] + [
    ("`", "`", "qmark"),
    ("[", "]", "qmark"),
    ("E'", "'", "format"),
    ("$q$", "$q$", "format"),
]


@pytest.mark.parametrize(
    ("opening", "closing", "dialect"), QUOTED, indirect=["dialect"]
)
@given(before=st.text(max_size=9), after=st.text(max_size=9))
def test_a_name_inside_quotes_is_never_a_parameter(
    opening: str, closing: str, before: str, after: str, dialect: Dialect
) -> None:
    text = f"{before} :no {after}"
    for unsafe in (*opening, *closing, "\\", "\r", "/", "\x00"):
        text = text.replace(unsafe, "")
    text = text.encode(errors="ignore").decode()
    sql = f"SELECT {opening} {text} {closing} , :yes"

    assert translate(sql, dialect).names == ("yes",)


FRAGMENTS = st.sampled_from("'\"`[](){}:;$@?%*/-\\\n\r \x00\ufeff\ud800") | (
    st.sampled_from(
        ["E'", "--", "/*", "*/", "$a$", ":a", "WITH", "CREATE", "IN", "SET"]
    )
)
TEXTS = st.text() | st.lists(FRAGMENTS).map(" ".join) | st.lists(FRAGMENTS).map("".join)


@given(sql=TEXTS)
def test_no_text_raises_anything_but_the_two_errors(sql: str, dialect: Dialect) -> None:
    with contextlib.suppress(ParameterError, StatementNotAllowedError):
        assert translate(sql, dialect).sql == sql


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


# Were any of these quadratic, it would take minutes rather than a part of a second.
MANY = 250_000
linear = pytest.mark.timeout(15)


@linear
@pytest.mark.parametrize(
    "unit",
    ["'", "E'", '"', "/*", "*/", "--\n", "\r", "$a$", "$a", ":", "@", "[a:", "a", ";"],
    ids=repr,
)
def test_much_of_anything_is_read_in_linear_time(unit: str, dialect: Dialect) -> None:
    sql = "SELECT " + unit * (MANY // len(unit))

    with contextlib.suppress(ParameterError, StatementNotAllowedError):
        translate(sql, dialect)


@linear
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
def test_much_that_promises_an_end_is_read_in_linear_time(
    prefix: str, unit: str, percent: Dialect
) -> None:
    sql = f"EXPLAIN {prefix}" + unit * (MANY // len(unit)) + " x"

    assert names(sql, percent) == ()
