"""Statements of one text, told apart by the lexical rules of the engine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring.core import StatementNotAllowedError, open_end, split_statements
from mooring.core._dialect import Dialect
from mooring.core._lexer import tokens

SEVERAL = {
    "plain": ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
    "without a last semicolon": ("SELECT 1;\nSELECT 2", ["SELECT 1", "SELECT 2"]),
    "nothing": (" -- a comment\n;;/* ; */ ; ", []),
    "comments": (
        "-- one;\nSELECT /* ; /* ; */ ; */ 1; -- two",
        ["SELECT /* ; /* ; */ ; */ 1"],
    ),
    "strings": (
        "SELECT ';', E'\\';', \";\", $$;$$, $a$;$$;$a$; COMMIT",
        ["SELECT ';', E'\\';', \";\", $$;$$, $a$;$$;$a$", "COMMIT"],
    ),
    "parentheses": (
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
        ["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"],
    ),
    "a standard function body": (
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC"
            " SELECT CASE WHEN 1 = 1 THEN 1 END; SELECT 2; END; BEGIN"
        ),
        [
            (
                "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC"
                " SELECT CASE WHEN 1 = 1 THEN 1 END; SELECT 2; END"
            ),
            "BEGIN",
        ],
    ),
    "names in a body": (
        "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1 AS end, 2 AS case; END; COMMIT",
        [
            "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1 AS end, 2 AS case; END",
            "COMMIT",
        ],
    ),
    "placeholders of the engine": (
        "SELECT a ? 'b'; SELECT $1, @x",
        ["SELECT a ? 'b'", "SELECT $1, @x"],
    ),
}


@pytest.mark.parametrize(("sql", "expected"), SEVERAL.values(), ids=SEVERAL)
def test_statements_are_told_apart(
    sql: str, expected: list[str], percent: Dialect
) -> None:
    found = list(split_statements(sql, percent))

    assert [text for _, text in found] == expected
    assert all(sql.startswith(text, start) for start, text in found)


@given(
    parts=st.lists(
        st.sampled_from(["SELECT", "1", ";", "(", ")", "'a;'", "$$;$$", "--;\n", " "])
    )
)
def test_no_word_is_lost(parts: list[str], percent: Dialect) -> None:
    sql = "SELECT 1; " + "".join(parts)

    found = list(split_statements(sql, percent))

    assert found[0] == (0, "SELECT 1")
    end = 0
    for start, text in found:
        assert sql.startswith(text, start)
        # What lies between two statements is no word of either.
        assert not {"SELECT", "'a;'"} & set(sql[end:start].split())
        end = start + len(text)


@pytest.mark.parametrize(
    ("sql", "offset"),
    [
        ("/* a", 0),
        ("SELECT 1; /* a; SELECT 2;", 10),
        ("SELECT 1 /* a; /* b */ SELECT 2;", 9),
        ("SELECT '/* a' /*/;", 14),
    ],
)
def test_a_comment_that_is_never_closed_is_refused(
    sql: str, offset: int, percent: Dialect
) -> None:
    with pytest.raises(StatementNotAllowedError, match="never closed") as caught:
        list(split_statements(sql, percent))

    assert caught.value.offset == offset


@pytest.mark.parametrize("opening", ["'", "E'", '"', "$$", "$a$"])
def test_what_else_is_never_closed_is_left_to_the_engine(
    opening: str, percent: Dialect
) -> None:
    last = f"SELECT {opening}a; SELECT /* 2;"

    found = list(split_statements(f"SELECT 1; {last}", percent))

    assert found == [(0, "SELECT 1"), (10, last)]


OPEN = {
    "a string": ("SELECT 1; SELECT 'a;", (17, "string")),
    "from its first quote on": ("SELECT 'it''s", (7, "string")),
    "with backslashes": ("SELECT E'a\\'", (7, "string")),
    "a name": ('SELECT "a""b', (7, "name")),
    "a body": ("SELECT '$$', $a$ $$ ", (13, "body")),
    "a comment": ("SELECT 1 /* /* */ '", (9, "comment")),
    "a trigger": ("CREATE TRIGGER t BEGIN SELECT CASE 1 END;", (17, "trigger")),
    "a function": ("create function f() begin atomic select 1;", (26, "function")),
    "nothing": ("SELECT 'it''s', E'\\'', \"'\", $a$ ' $a$, /* /* ' */ */ 1 -- '", None),
    "a whole trigger": ("CREATE TRIGGER t BEGIN SELECT CASE 1 END; END", None),
    "a trigger of a name": ("CREATE TRIGGER t EXECUTE FUNCTION f(); BEGIN", None),
    "a trigger that goes": ("DROP TRIGGER t; BEGIN", None),
    "names in a body": ("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1 AS case; END", None),
    "a comment of a function": ("COMMENT ON FUNCTION f() IS 'x'; BEGIN", None),
    "no text": ("", None),
}  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), OPEN.values(), ids=OPEN)
def test_what_a_text_does_not_end_is_told_with_its_place(
    sql: str, expected: tuple[int, str] | None, percent: Dialect
) -> None:
    assert open_end(sql, percent) == expected


@given(
    parts=st.lists(
        st.sampled_from(["a", ";", "'", "E'", "\\", '"', "$$", "$x$", "/*", "*/", "\n"])
    )
)
def test_a_text_that_ends_what_it_begins_can_be_gone_on_from(
    parts: list[str], percent: Dialect
) -> None:
    sql = "".join(parts)
    before = ["x", ";"] if open_end(sql, percent) is None else []
    found = [text for _, text in tokens(f"{sql}\nx;", percent, any_placeholder=True)]

    assert (found[-2:] == ["x", ";"]) == bool(before)
