"""All that is wrong with a folder of files is told at once, with its place."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mooring import migrate

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


@pytest.mark.parametrize(
    ("sql", "line", "what"),
    [
        ("SELECT 1,\n'a;\nb';", 3, "a string"),
        ("SELECT 1 /* a;\n*/;", 2, "a comment"),
        ("SELECT $$a;\n$$;", 2, "a dollar-quoted body"),
        ('SELECT "a;\n";', 2, "a quoted name"),
        (
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN\nDELETE FROM a;\nEND;",
            2,
            "the body of a trigger",
        ),
    ],
)
def test_a_piece_that_is_cut_is_warned_about(
    found: Validate, sql: str, line: int, what: str
) -> None:
    severity, message = found(v1_a=f"-- +goose Up\n{sql}")[0]

    assert severity == "warning"
    assert message.startswith(f"1_a.sql:{line}: {what} begins here")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'it''s', E'\\'', \"a'b\", $a$ ' $a$, 'x$$'; -- it's /*",
        "SELECT /* ' */ 1;",
        "CREATE TRIGGER t AFTER INSERT ON a EXECUTE FUNCTION f();",
    ],
)
def test_a_whole_piece_is_not(found: Validate, sql: str) -> None:
    assert found(v1_a=f"-- +goose Up\n{sql}") == []


@pytest.mark.parametrize(("behind", "count"), [("SELECT 1;", 1), ("", 0)])
def test_an_empty_block_is_warned_about_where_goose_loses_sql(
    found: Validate, behind: str, count: int
) -> None:
    block = "-- +goose StatementBegin\n-- note\n-- +goose StatementEnd"
    findings = found(v1_a=f"-- +goose Up\n{block}\n{behind}\n-- +goose Down")

    assert [message.split(": ")[0] for _, message in findings] == ["1_a.sql:2"] * count


def test_a_gap_between_numbers_is_warned_about_and_none_between_times(
    found: Validate,
) -> None:
    up = "-- +goose Up\n"
    findings = found(v1_a=up, v3_b=up, v20250101000000_c=up, v20250101000002_d=up)

    assert findings == [
        ("warning", "3_b.sql: there is no version between 1 and 3"),
    ]
