"""All that is wrong with a folder of files is told at once, with its place."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mooring import core, migrate

Validate = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def found(tmp_path: Path) -> Validate:
    def found(**files: str | bytes) -> list[tuple[str, str]]:
        for name, text in files.items():
            data = text if isinstance(text, bytes) else text.encode()
            (tmp_path / f"{name.removeprefix('v')}.sql").write_bytes(data)
        findings = migrate.validate(migrate.Source(str(tmp_path)), environ={})
        return [(one.severity, one.message) for one in findings]

    return found


def test_good_files_have_no_findings(found: Validate) -> None:
    body = "CREATE TABLE a (x int); -- don't\n-- +goose Down\nDROP TABLE a;"
    assert found(v1_a=f"-- +goose Up\n{body}", v2_b="-- +goose Up\n") == []


def test_all_errors_are_told_at_once(found: Validate, tmp_path: Path) -> None:
    (tmp_path / "8_x.sql").mkdir()
    findings = found(
        v1_a="SELECT 1;",
        v01_b="-- +goose Up\nSELECT 1",
        v3_c=b"-- +goose Up\n\xff",
        v4_d="-- +goose ENVSUB ON\n-- +goose Up\nSELECT ${A?needed};",
        x="-- +goose Up\n",
    )

    errors = [message for severity, message in findings if severity == "error"]
    assert [message.split(": ")[0] for message in errors] == [
        "01_b.sql:2",
        "1_a.sql",
        "1_a.sql:1",
        "3_c.sql:2",
        "4_d.sql:3",
        "8_x.sql",
        "x.sql",
    ]
    assert "same version as 01_b.sql" in errors[1]


@pytest.mark.parametrize("folder", ["missing", "."])
def test_a_folder_without_files_is_an_error(folder: str, tmp_path: Path) -> None:
    (one,) = migrate.validate(migrate.Source(str(tmp_path / folder)))
    assert one.severity == "error"
    assert one.hint


BEGIN, END = "-- +goose StatementBegin", "-- +goose StatementEnd"
TRIGGER = "CREATE TRIGGER t AFTER INSERT ON a BEGIN"
CUT = [
    ("SELECT 1,\n'a;\nb';", 3, "a string"),
    ("SELECT 'it''s a;\nb';", 2, "a string"),
    ("SELECT 1 /* a;\n*/;", 2, "a comment"),
    ("SELECT $$a;\n$$;", 2, "a dollar-quoted body"),
    ("SELECT $a$ x;\ny;\n$$;\n$a$;", 2, "a dollar-quoted body"),
    ('SELECT "a;\n";', 2, "a quoted name"),
    (f"{TRIGGER}\nDELETE FROM a;\nEND;", 2, "the body of a trigger"),
    (
        f"{TRIGGER}\nUPDATE a SET x = CASE y WHEN 1 THEN 2 END;\nEND;",
        2,
        "the body of a trigger",
    ),
    (
        "CREATE OR REPLACE FUNCTION f() RETURNS int\nBEGIN ATOMIC\n SELECT 1;\nEND;",
        3,
        "the body of a function",
    ),
]


@pytest.mark.parametrize(("sql", "line", "what"), CUT)
@pytest.mark.parametrize("section", ["Up", "Down"])
def test_a_piece_that_is_cut_is_warned_about_once(
    tmp_path: Path, sql: str, line: int, what: str, section: str
) -> None:
    above = "" if section == "Up" else "-- +goose Up\n"
    text = f"{above}-- +goose {section}\n{sql}\nSELECT 'b';\nSELECT 2;\n"
    (tmp_path / "1_a.sql").write_text(text)
    (one,) = migrate.validate(migrate.Source(str(tmp_path)))

    assert one.severity == "warning"
    assert one.line == line + (section == "Down")
    assert f"{what} begins here, and the ';' at the end of a line cuts" in one.message
    assert "StatementBegin" in str(one.hint)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'it''s', E'\\'', \"a'b\", $a$ ' $a$, 'x$$'; -- it's /*",
        "SELECT /* ' */ 1;",
        "CREATE TRIGGER t AFTER INSERT ON a EXECUTE FUNCTION f();",
        f"{TRIGGER} SELECT CASE WHEN 1 THEN 2 END; END;",
        "DROP TRIGGER t; BEGIN;",
        "/* see src/*.sql */ SELECT 1;\nSELECT /* and */ 2;",
        f"{BEGIN}\n{TRIGGER}\nDELETE FROM a;\nEND;\n{END}",
    ],
)
def test_a_whole_piece_is_not(found: Validate, sql: str) -> None:
    assert found(v1_a=f"-- +goose Up\n{sql}") == []


def test_what_a_block_does_not_end_was_not_cut(found: Validate) -> None:
    block = f"{BEGIN}\nSELECT 'a;\n{END}"
    ((severity, message),) = found(v1_a=f"-- +goose Up\n{block}\nSELECT 'b';")

    assert severity == "warning"
    assert message == "1_a.sql:3: a string begins here and does not end"


NESTED = "SELECT /* a /* b */;\n'c' */ 1;"
IT_S = "SELECT /* a /* it's */ b */ 1;"
LONELY = "SELECT /* src/*.sql */ 1;"


@pytest.mark.parametrize(
    ("sql", "nested", "plain", "unknown"),
    [(NESTED, [2], [], [2]), (IT_S, [], [], []), (LONELY, [2], [], [])],
)
def test_whether_comments_nest_is_asked_of_the_engine(
    tmp_path: Path,
    percent: core.Dialect,
    qmark: core.Dialect,
    sql: str,
    nested: list[int],
    plain: list[int],
    unknown: list[int],
) -> None:
    (tmp_path / "1_a.sql").write_text(f"-- +goose Up\n{sql}\n")
    source = migrate.Source(str(tmp_path))

    def lines(dialect: core.Dialect | None) -> list[int | None]:
        return [one.line for one in migrate.validate(source, dialect=dialect)]

    assert lines(percent) == nested
    assert lines(qmark) == plain
    assert lines(None) == unknown


@pytest.mark.parametrize(
    ("sql", "dollars", "brackets"),
    [
        ("SELECT [it's] FROM a;", [2], []),
        ("SELECT [a;\n] FROM a;", [], [2]),
        ("SELECT `it's` FROM a;", [2], []),
        ("SELECT E'it\\'s;\n';", [2], [3]),
        ("SELECT $a$ ' $a$;", [], [2]),
    ],
)
def test_so_is_what_else_differs(
    tmp_path: Path,
    percent: core.Dialect,
    qmark: core.Dialect,
    sql: str,
    dollars: list[int],
    brackets: list[int],
) -> None:
    (tmp_path / "1_a.sql").write_text(f"-- +goose Up\n{sql}\n")
    source = migrate.Source(str(tmp_path))

    for dialect, expected in ((percent, dollars), (qmark, brackets)):
        found = migrate.validate(source, dialect=dialect)
        assert [one.line for one in found] == expected


@pytest.mark.parametrize(
    ("behind", "count"), [("SELECT 1;", 1), ("", 0), ("  \nSELECT 1;", 0)]
)
def test_an_empty_block_is_warned_about_where_goose_loses_sql(
    found: Validate, behind: str, count: int
) -> None:
    block = f"{BEGIN}\n-- note\n{END}"
    findings = found(v1_a=f"-- +goose Up\n{block}\n{behind}\n-- +goose Down")

    assert [message.split(": ")[0] for _, message in findings] == ["1_a.sql:2"] * count


def test_goose_loses_nothing_behind_a_block_that_holds_a_line_of_spaces(
    found: Validate,
) -> None:
    block = f"{BEGIN}\n  \n-- note\n{END}"
    assert found(v1_a=f"-- +goose Up\n{block}\nSELECT 1;") == []


def test_a_file_that_cannot_be_read_is_an_error_beside_others(
    found: Validate, tmp_path: Path
) -> None:
    # Whoever runs the tests may be allowed to read everything.
    (tmp_path / "2_b.sql").symlink_to(tmp_path / "gone.sql")
    (tmp_path / "3_c.sql").symlink_to(tmp_path / "3_c.sql")
    findings = found(v1_a="-- +goose Up\nSELECT 1;\n")

    assert [severity for severity, _ in findings] == ["error", "error"]
    assert "2_b.sql: cannot be read: No such file" in findings[0][1]
    assert "3_c.sql: cannot be read: Too many levels" in findings[1][1]


def test_a_gap_between_numbers_is_warned_about_and_none_between_times(
    found: Validate,
) -> None:
    up = "-- +goose Up\n"
    findings = found(v1_a=up, v3_b=up, v20250101000000_c=up, v20250101000002_d=up)

    assert findings == [
        ("warning", "3_b.sql: there is no version between 1 and 3"),
    ]
