"""The format of goose v3, rule by rule: what a file gives, and which are refused.

Each row is a rule, the lines of a file, and what goose makes of them. Where mooring
differs on purpose, the last table says so; everything else is the same.
"""

import pytest
from mooring.core.errors import MigrationParseError
from mooring.migrate import parse
from mooring.migrate._source import version_of

UP = "-- +goose Up"
DOWN = "-- +goose Down"
BEGIN = "-- +goose StatementBegin"
END = "-- +goose StatementEnd"
ALONE = "-- +goose NO TRANSACTION"
ON = "-- +goose ENVSUB ON"
OFF = "-- +goose ENVSUB OFF"
ZEROS = "0" * 5000
LONG = "'" + "x" * 4_194_304 + "';"
ENVIRON = {
    "A": "one",
    "EMPTY": "",
    "HASH": "0123456789",
    "END": ";",
    "TWO": "b\nc",
    "NOTE": DOWN,
}

Lines = list[str]
Read = tuple[str, Lines, Lines, Lines]
Refused = tuple[str, Lines, int | None, str]

NAMES = [
    ("the number before the first underscore", "00001_users.sql", 1),
    ("which may stand in the name again", "1_a_b_2.sql", 1),
    ("leading zeros are free", "0000000000000000000000012_a.sql", 12),
    ("a plus sign is read", "+1_a.sql", 1),
    ("nothing need follow the underscore", "7_.sql", 7),
    ("up to 2**63 - 1", "9223372036854775807_a.sql", 2**63 - 1),
    ("not beyond it", "9223372036854775808_a.sql", None),
    ("nor with twenty digits", "10000000000000000000_a.sql", None),
    ("at least 1", "00_z.sql", None),
    ("never below", "-3_n.sql", None),
    ("an underscore is needed", "6.sql", None),
    ("nothing else does", "5-x.sql", None),
    ("a number is decimal", "0x1_a.sql", None),
    ("without a gap", "1 _a.sql", None),
    ("of ASCII digits", "\u0661_a.sql", None),
    ("the suffix is in lower case", "4_UP.SQL", None),
    ("and the last of the name", "4_up.sql.bak", None),
]

# A CR before the LF is dropped, so that the tables below hold for both line ends.
LINES: list[Read] = [
    ("lines end at LF", [UP, "A;", "B;"], ["A;", "B;"], []),
    ("one CR before it is dropped", [UP + "\r", "A\r", "B;\r"], ["A\nB;"], []),
    ("only one", [UP, "'\r\r", "';"], ["'\r\n';"], []),
    ("a lone CR ends no line", [UP, "A;\rB;"], ["A;\rB;"], []),
    ("nor does a form feed", [UP, "A;\fB;"], ["A;\fB;"], []),
    ("nor does U+2028", [UP, "A;\u2028B;"], ["A;\u2028B;"], []),
]  # fmt: skip

READ: list[Read] = [
    # -- annotations
    ("the space behind -- is free", ["--+goose Up", "A;"], ["A;"], []),
    ("and the one behind the mark", ["--+gooseUp", "A;"], ["A;"], []),
    ("case does not matter", ["-- +goose uP", "A;"], ["A;"], []),
    ("a long s is an s", [UP, "-- +goose \u017ftatementBegin", "A", END], ["A"], []),
    ("the mark may be last", ["-- Up +goose", "A;"], ["A;"], []),
    ("every -- is taken out", ["-- +goose Up --", "A;"], ["A;"], []),
    ("in words too", ["-- +goose U--p", "A;"], ["A;"], []),
    ("space behind it is free", ["-- +goose Up \t\u00a0", "A;"], ["A;"], []),
    ("a wide space before it is", ["\u00a0-- +goose Up", "A;"], ["A;"], []),
    ("the mark has one case", [UP, "-- +GOOSE Down", "A;"], ["A;"], []),
    ("and begins with --", [UP, "A -- +goose Down", ";"], ["A -- +goose Down\n;"], []),
    # -- sections
    ("before Up: comments, blanks", ["", " \t", "-- a", " --b", "\u00a0", UP], [], []),
    ("Up may be empty", [UP, DOWN, "A;"], [], ["A;"]),
    ("Down may be missing", [UP, "A;"], ["A;"], []),
    ("and empty", [UP, "A;", DOWN], ["A;"], []),
    # -- where a statement ends
    ("at a line's last word with ;", [UP, "A", "B;", "C;"], ["A\nB;", "C;"], []),
    ("which may be all", [UP, ";", "A", ";"], [";", "A\n;"], []),
    ("space behind it is free", [UP, "A;  \u00a0", "B;"], ["A;", "B;"], []),
    ("a comment word is left out", [UP, "A; -- b", "C;"], ["A; -- b", "C;"], []),
    ("it needs no text", [UP, "A; --", "C;\t--d"], ["A; --", "C;\t--d"], []),
    ("one in a word is none", [UP, "A--b;", "C;"], ["A--b;", "C;"], []),
    ("the first one counts", [UP, "A; -- b -- c;", "D;"], ["A; -- b -- c;", "D;"], []),
    ("one at the ; is a word's end", [UP, "A;--c", "B;"], ["A;--c\nB;"], []),
    ("a block comment is a word", [UP, "A; /* c */", "B;"], ["A; /* c */\nB;"], []),
    ("one in a string is one", [UP, "('a -- b');", "C;"], ["('a -- b');\nC;"], []),
    ("a line of comment ends nothing", [UP, "A", "-- b;", "C;"], ["A\n-- b;\nC;"], []),
    ("U+001F is no space", [UP, "A;\x1f", "B;"], ["A;\x1f\nB;"], []),
    ("strings are cut", [UP, "'a;", "b';"], ["'a;", "b';"], []),
    ("block comments are", [UP, "/* a;", "b */;"], ["/* a;", "b */;"], []),
    ("dollar bodies are", [UP, "$$ a;", "$$;"], ["$$ a;", "$$;"], []),
    ("triggers are", [UP, "BEGIN a;", "END;"], ["BEGIN a;", "END;"], []),
    ("two in a line are one piece", [UP, "A; B;"], ["A; B;"], []),
    # -- blocks
    ("a block is one piece", [UP, BEGIN, "A;", "", "B;", END], ["A;\n\nB;"], []),
    ("it needs no ;", [UP, BEGIN, "A", END, "B;"], ["A", "B;"], []),
    ("it is in Down as well", [UP, DOWN, BEGIN, "A;", "B", END], [], ["A;\nB"]),
    ("what is pending goes on in it", [UP, "A", BEGIN, "B;", END], ["A\nB;"], []),
    ("and ends with it", [UP, "A", BEGIN, END, "B;"], ["A", "B;"], []),
    # -- comments, blank lines, white space
    ("before a statement they go", [UP, "-- a", "", " -- b", "A;", "-- c"], ["A;"], []),
    ("at the start of a block too", [UP, BEGIN, "-- a", "", "A", END], ["A"], []),
    ("inside they stay", [UP, "A", "", "-- b", " ", "C;"], ["A\n\n-- b\n \nC;"], []),
    ("behind SQL in a block too", [UP, BEGIN, "A", "-- b", END], ["A\n-- b"], []),
    ("a line of spaces begins one", [UP, "  ", "-- a", "B;"], ["-- a\nB;"], []),
    ("also in a block", [UP, "  ", BEGIN, "-- a", "B", END], ["-- a\nB"], []),
    ("but is none itself", [UP, "A;", "  ", "\t"], ["A;"], []),
    ("nor from Up into Down", [UP, "  ", DOWN, "-- a", "B;"], [], ["B;"]),
    ("pieces are trimmed", [UP, "\u00a0 A ;\t", DOWN, " B;"], ["A ;"], ["B;"]),
    # -- ENVSUB
    ("off at first", [UP, "$A;"], ["$A;"], []),
    ("on from its line", [UP, "$A", ON, "$A", OFF, "$A;"], ["$A\none\n$A;"], []),
    ("on before Up", [ON, UP, "$A;"], ["one;"], []),
    ("on from Up into Down", [UP, ON, DOWN, "$A;"], [], ["one;"]),
    ("in blocks", [UP, ON, BEGIN, "$A", END], ["one"], []),
    ("in strings and comments", [UP, ON, "'$A' -- $A", ";"], ["'one' -- one\n;"], []),
    ("not in those that go", [UP, ON, "-- ${", "B;"], ["B;"], []),
    ("the value decides the end", [UP, ON, "B$END", "C;"], ["B;", "C;"], []),
    ("an empty one begins, too", [UP, ON, "$EMPTY", "-- b", "C;"], ["-- b\nC;"], []),
    ("its lines are one line", [UP, ON, "$TWO;"], ["b\nc;"], []),
    ("no annotation is in it", [UP, ON, "$NOTE", "B;"], ["-- +goose Down\nB;"], []),
    # -- ENVSUB: what a variable is
    ("with braces or without", [UP, ON, "${A}$A;"], ["oneone;"], []),
    ("unset is empty", [UP, ON, "<$X${X}>;"], ["<>;"], []),
    ("a default if unset", [UP, ON, "${X:-d}${A:-d};"], ["done;"], []),
    ("or empty", [UP, ON, "${EMPTY:-d};"], ["d;"], []),
    ("or if unset only", [UP, ON, "${X-d}${EMPTY-d}${A-d};"], ["done;"], []),
    ("defaults nest", [UP, ON, "${X:-${Y-$A}};"], ["one;"], []),
    ("an offset", [UP, ON, "${HASH:7}${X:7};"], ["789;"], []),
    ("with a length", [UP, ON, "${HASH:1:2}${HASH:8:9};"], ["1289;"], []),
    ("negative behind a space", [UP, ON, "${HASH: -3:2};"], ["78;"], []),
    ("else it is a default", [UP, ON, "${HASH:-3};"], ["0123456789;"], []),
    ("with a sign, zeros, spaces", [UP, ON, f"${{HASH:+{ZEROS}8 }};"], ["89;"], []),
    ("required and set", [UP, ON, "${A?}${EMPTY?};"], ["one;"], []),
    ("required in an unused default", [UP, ON, "${A:-${X?}};"], ["one;"], []),
    ("two dollars are one", [UP, ON, "$$A $${A};"], ["$A ${A};"], []),
    ("a backslash makes one plain", [UP, ON, r"\$A;"], ["$A;"], []),
    ("two of them stay", [UP, ON, r"\\ \\$A;"], [r"\\ \\one;"], []),
    ("a parenthesis stays", [UP, ON, "$(A);"], ["$(A);"], []),
    ("a last dollar stays", [UP, ON, "5$", ";"], ["5$\n;"], []),
    ("dollar bodies collapse", [UP, ON, BEGIN, "DO $$ a $$;", END], ["DO $ a $;"], []),
    ("letters of any script", [UP, ON, "${\u00e9t\u00e92};"], [";"], []),
]  # fmt: skip

REFUSED: list[Refused] = [
    ("an annotation is not indented", [" -- +goose Up"], 1, "indented"),
    ("by a tab either", [UP, "\t-- +goose Down"], 2, "indented"),
    ("no note behind it", ["-- +goose Up -- note"], 1, "no annotation"),
    ("two dashes, not three", ["--- +goose Up"], 1, "no annotation"),
    ("one space in its words", [UP, "-- +goose NO  TRANSACTION"], 2, "no annotation"),
    ("an unknown word", [UP, "-- +goose Sideways"], 2, "no annotation"),
    ("a comment about it", [UP, "-- see +goose"], 2, "no annotation"),
    ("no word", [UP, "-- +goose --"], 2, "empty"),
    ("two marks", [UP, "-- +goose Down +goose"], 2, "two"),
    ("one in a string counts", [UP, "'", "-- about +goose", "';"], 3, "no annotation"),
    ("and in a block", [UP, BEGIN, DOWN, END], 3, "inside the block"),
    ("and cuts a string", [UP, "'", DOWN, "';"], 2, "does not end"),
    ("an empty file", [""], None, "no '-- +goose Up'"),
    ("no Up", ["-- a"], None, "no '-- +goose Up'"),
    ("SQL before Up", ["A;", UP], 1, "before '-- +goose Up'"),
    ("a block comment is SQL", ["-- a", "/* b */", UP], 2, "before '-- +goose Up'"),
    ("Down first", [DOWN], 1, "before '-- +goose Up'"),
    ("a block first", [BEGIN, UP], 1, "before '-- +goose Up'"),
    ("two Up", [UP, UP], 2, "second"),
    ("Up behind Down", [UP, DOWN, UP], 3, "second"),
    ("two Down", [UP, DOWN, DOWN], 3, "second"),
    ("a block in a block", [UP, BEGIN, BEGIN], 3, "inside the block"),
    ("Up in a block", [UP, BEGIN, UP], 3, "inside the block"),
    ("an end without a block", [UP, "A;", END], 3, "no block"),
    ("a second end", [UP, BEGIN, "A", END, END], 5, "no block"),
    ("a block without an end", [UP, BEGIN, "A;"], 2, "not ended"),
    ("in Down too", [UP, DOWN, BEGIN, "A;"], 3, "not ended"),
    ("no ; at the end", [UP, "A;", "B"], 3, "does not end"),
    ("nor before Down", [UP, "A", "-- b", DOWN, "C;"], 2, "does not end"),
    ("nor at the end of Down", [UP, DOWN, "A; -- b", "C;--d"], 4, "does not end"),
    ("a comment behind spaces", [UP, "A;", "  ", "-- b"], 4, "comment is taken"),
    ("a required variable", [UP, ON, "${X?};"], 3, "$X: not set"),
    ("with words of its own", [UP, ON, "${X?set $A};"], 3, "$X: set one"),
    ("in Down too", [UP, "A;", DOWN, ON, "${X?};"], 5, "$X: not set"),
    ("in a used default", [UP, ON, "${EMPTY:-${X?}};"], 3, "$X: not set"),
    ("a colon before it", [UP, ON, "${A:?no};"], 3, "offset"),
    ("an offset beyond 64 bits", [UP, ON, "${A:9223372036854775808};"], 3, "offset"),
    ("a gap in a number", [UP, ON, "${A:1 0};"], 3, "offset"),
    ("U+001F is no space", [UP, ON, "${A:\x1f1};"], 3, "offset"),
    ("a name begins with a letter", [UP, ON, "$_A;"], 3, "letter"),
    ("not with a digit", [UP, ON, "$1;"], 3, "letter"),
    ("nor with a space", [UP, ON, "5$ ;"], 3, "letter"),
    ("a brace without its end", [UP, ON, "${A;"], 3, "'${A'"),
    ("in a default", [UP, ON, "${X:-${A};"], 3, "closing"),
]  # fmt: skip

# What goose makes of these files, in words; the lines are what mooring does.
DIFFERENT: list[Read] = [
    ("loses the line behind it", [UP, BEGIN, END, "A;", "B;"], ["A;", "B;"], []),
    ("in Down as well", [UP, DOWN, BEGIN, "-- a", END, "B;"], [], ["B;"]),
    ("sends the comment", [UP, BEGIN, "  ", "-- a", END, "B;"], ["B;"], []),
    ("refuses the mark", ["\ufeff" + UP, "A;"], ["A;"], []),
    ("refuses the line", [UP, LONG], [LONG], []),
]  # fmt: skip


def _named(rows: list[Read] | list[Refused]) -> list[str]:
    return [f"{number}-{row[0]}" for number, row in enumerate(rows)]


@pytest.mark.parametrize(("rule", "name", "version"), NAMES, ids=[n[0] for n in NAMES])
def test_a_file_s_name(rule: str, name: str, version: int | None) -> None:
    assert version_of(name) == version, rule


@pytest.mark.parametrize(
    ("rule", "lines", "up", "down"), LINES, ids=[row[0] for row in LINES]
)
def test_a_file_s_lines(rule: str, lines: Lines, up: Lines, down: Lines) -> None:
    test_what_a_file_gives(rule, lines, up, down, "\n")


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(
    ("rule", "lines", "up", "down"), READ + DIFFERENT, ids=_named(READ + DIFFERENT)
)
def test_what_a_file_gives(
    rule: str, lines: Lines, up: Lines, down: Lines, end: str
) -> None:
    migration = parse(end.join(lines), name="1_a.sql", environ=ENVIRON)
    assert [one.sql for one in migration.up] == up, rule
    assert [one.sql for one in migration.down] == down, rule
    assert migration.transaction


@pytest.mark.parametrize(
    ("rule", "lines", "line", "words"), REFUSED, ids=_named(REFUSED)
)
def test_what_is_refused(rule: str, lines: Lines, line: int | None, words: str) -> None:
    with pytest.raises(MigrationParseError) as caught:
        parse("\n".join(lines), name="1_a.sql", environ=ENVIRON)
    assert caught.value.line == line, rule
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("at", range(7))
def test_no_transaction_is_read_anywhere_and_holds_for_both_directions(at: int) -> None:
    lines = ["-- a", UP, "B", "C;", DOWN, BEGIN, "D", END]
    lines.insert(at, ALONE)
    migration = parse("\n".join(lines), name="1_a.sql")
    assert not migration.transaction
    assert [one.sql for one in migration.up] == ["B\nC;"]
    assert [one.sql for one in migration.down] == ["D"]
