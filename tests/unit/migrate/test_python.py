"""A migration in Python is read without being run, and what is wrong has its line."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring import migrate
from mooring.core.errors import MigrationParseError
from mooring.migrate._source import version_of

UP = "def up(tx):\n    pass\n"


def parse(text: str | bytes) -> migrate.Migration:
    return migrate.parse(text, name="7_x.py")


def test_its_functions_are_its_directions() -> None:
    up, down = 'def up(tx):\n    tx.execute(";")', "def down(tx): ..."
    text = f"# Why.\n\nimport os\n\n{up}\n\n{down}\n"
    found = parse(text)

    assert (found.version, found.name, found.python) == (7, "7_x.py", True)
    assert [(one.line, one.sql) for one in found.up] == [(5, up)]
    assert [(one.line, one.sql) for one in found.down] == [(8, down)]
    assert found.transaction


def test_the_way_back_may_be_missing() -> None:
    assert parse(UP).down == ()


def test_nothing_of_it_is_executed(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    parse(f"open({str(ran)!r}, 'w')\n{UP}")

    assert not ran.exists()


@pytest.mark.parametrize(
    ("text", "transaction"),
    [
        ("transaction = False", False),
        ("transaction: bool = False", False),
        ("transaction = True", True),
        ("transaction: bool", True),
        ("def f():\n    transaction = 1", True),
        ("with_transaction = False", True),
    ],
)
def test_it_says_whether_it_runs_in_a_transaction(text: str, transaction: bool) -> None:
    assert parse(f"{text}\n{UP}").transaction is transaction


@pytest.mark.parametrize(
    "text",
    [
        "transaction = None",
        "transaction = 0",
        "transaction = not True",
        "transaction = True\ntransaction = False",
        "if 1:\n    transaction = False",
        "try:\n    pass\nexcept OSError:\n    transaction = False",
        "from somewhere import transaction",
        "def transaction(): ...",
        "for transaction in (): ...",
        "a, transaction = 1, 2",
        "transaction = other = False, 1",
    ],
)
def test_what_cannot_be_read_for_sure_is_refused(text: str) -> None:
    with pytest.raises(MigrationParseError, match="must be True or False") as caught:
        parse(f"{text}\n{UP}")
    assert caught.value.line == text.count("\n") + 1
    assert "transaction = False" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        "def up(connection): ...",
        "def up(tx, /): ...",
        "def up(tx, dry=False): ...",
        "def up(*args): ...",
        "def up(tx=None, *, loud=True, **more): ...",
        "@decorated\ndef up(): ...",
        "up = partial(work, 1)",
        "up = lambda tx: None",
        "from app.work import forward as up",
        "try:\n    import a as up\nexcept ImportError:\n    up = None",
        "def up(tx):\n    def inner():\n        yield\n    inner()",
        "if TYPE_CHECKING:\n    up = x\nelse:\n    def up(tx): ...",
    ],
)
def test_whatever_can_be_called_with_one_argument_is_up(text: str) -> None:
    assert len(parse(text).up) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def up(): ...", "does not take one argument"),
        ("def up(tx, schema): ...", "does not take one argument"),
        ("def up(tx, *, schema): ...", "does not take one argument"),
        ("async def up(tx): ...", "is async"),
        ("def up(tx):\n    yield", "is a generator"),
        ("def up(tx):\n    for x in y:\n        yield from x", "is a generator"),
        ("class up: ...", "is a class"),
        ("up = 1", "is no function"),
        ("up = 'UPDATE a SET x = 1'", "is no function"),
        ("up = [1]", "is no function"),
    ],
)
@pytest.mark.parametrize("name", ["up", "down"])
def test_what_could_not_run_is_refused_with_its_line(
    text: str, problem: str, name: str
) -> None:
    text = text.replace("up", name, 1)
    before = UP if name == "down" else "\n\n"
    with pytest.raises(MigrationParseError, match=rf"7_x\.py:3: {name} {problem}") as e:
        parse(before + text)
    assert f"def {name}(tx):" in str(e.value.hint)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "7_x.py: there is no up"),
        ("def down(tx): ...", "7_x.py: there is no up"),
        ("def f():\n    def up(tx): ...", "7_x.py: there is no up"),
        ("class A:\n    def up(tx): ...", "7_x.py: there is no up"),
        ("up: object", "7_x.py: there is no up"),
        (f"{UP}\nreturn", "7_x.py:4: not Python"),
        (f"{UP}\n  x = ", "7_x.py:4: not Python"),
        ("-- +goose Up\nSELECT 1;", "7_x.py:1: not Python"),
        (UP + "\0", "7_x.py"),
        ("(" * 5000, "7_x.py"),
        (b"# \xff", "7_x.py:1: the text is not valid UTF-8"),
    ],
)
def test_what_is_no_migration_is_refused(text: str | bytes, where: str) -> None:
    with pytest.raises(MigrationParseError) as caught:
        parse(text)
    assert str(caught.value).startswith(where)
    assert caught.value.hint


def test_a_byte_order_mark_and_line_ends_of_windows_are_read() -> None:
    assert parse(b"\xef\xbb\xbf" + UP.replace("\n", "\r\n").encode()).up[0].line == 1


@given(
    st.lists(
        st.sampled_from(
            (
                *("up", "tx", "transaction", "=", "False", "def", "(", ")", ":", "\n"),
                *("yield", "async", "class", "import", "from", "as", "if", "try", ","),
                *("except", "*", ";", "pass", "lambda", "match", "case", "1", "{", " "),
            )
        )
    )
)
def test_any_text_is_read_or_refused(words: list[str]) -> None:
    with contextlib.suppress(MigrationParseError):
        assert parse(" ".join(words)).python


# -- its name -------------------------------------------------------------------------


def test_its_name_has_a_version_as_that_of_a_sql_file() -> None:
    assert version_of("00012_a.py") == 12
    assert version_of("12_a.pyc") is None


@pytest.mark.parametrize(
    "name", ["__init__.py", "helpers.py", "test_1_a.py", "conftest.py"]
)
def test_modules_may_lie_beside_migrations(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("raise SystemExit")
    (tmp_path / "1_a.py").write_text(UP)

    assert [*migrate.Source(str(tmp_path)).files()] == [1]
    assert migrate.validate(migrate.Source(str(tmp_path))) == ()


@pytest.mark.parametrize("name", ["1-a.py", "0_a.py", "1a.py", "+_a.py"])
def test_a_name_that_begins_with_a_number_has_to_be_right(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text(UP)
    (tmp_path / "2_a.py").write_text(UP)

    with pytest.raises(MigrationParseError, match="not named like a migration"):
        migrate.Source(str(tmp_path)).files()
    (finding,) = migrate.validate(migrate.Source(str(tmp_path)))
    assert (finding.file, finding.severity) == (name, "error")


@pytest.mark.parametrize("other", ["1_b.sql", "01_b.py"])
def test_a_version_of_two_files_is_refused(tmp_path: Path, other: str) -> None:
    (tmp_path / "1_a.py").write_text(UP)
    (tmp_path / other).write_text(UP if other.endswith("py") else "-- +goose Up\n")

    with pytest.raises(MigrationParseError, match="has the same version as"):
        migrate.Source(str(tmp_path)).files()
    found = migrate.validate(migrate.Source(str(tmp_path)))
    assert [one.severity for one in found] == ["error"]


# -- validate -------------------------------------------------------------------------


@pytest.fixture
def findings(tmp_path: Path) -> Callable[[], list[tuple[str, str]]]:
    def findings() -> list[tuple[str, str]]:
        found = migrate.validate(migrate.Source(str(tmp_path)))
        return [(one.severity, one.message) for one in found]

    return findings


def test_validate_tells_what_is_wrong_and_runs_nothing(
    tmp_path: Path, findings: Callable[[], list[tuple[str, str]]]
) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "1_a.sql").write_text("-- +goose Up\n")
    (tmp_path / "2_b.py").write_text(f"open({str(ran)!r}, 'w')\n{UP}")
    assert findings() == []

    (tmp_path / "3_c.py").write_text("def up(tx) pass\n")
    (tmp_path / "4_d.py").write_text("\ndef up(): ...\n")
    problems = [message.split(": ")[0] for _, message in findings()]
    assert problems == ["3_c.py:1", "4_d.py:2"]
    assert not ran.exists()


def test_validate_warns_of_up_under_a_name_that_no_run_takes(
    tmp_path: Path, findings: Callable[[], list[tuple[str, str]]]
) -> None:
    (tmp_path / "1_a.py").write_text(UP)
    (tmp_path / "v2_b.py").write_text(f"\n{UP}")

    ((severity, message),) = findings()
    assert severity == "warning"
    assert message.startswith("v2_b.py:2: up() in a file that is not named like")
