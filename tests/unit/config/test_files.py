"""Files that are read, with the line of each key, and files that are refused."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mooring import core
from mooring.core._document import UnreadableError
from mooring.core._env_file import read_env_file
from mooring.core._toml import read_toml
from mooring.core._yaml import read_yaml

Write = Callable[[str, str], None]
SECRET = "hunter2/x#y"  # noqa: S105 - of these tests


def refusal(path: str | None, env: dict[str, str] | None = None) -> core.ConfigError:
    with pytest.raises(core.ConfigError) as caught:
        core.load(path, env=env or {})
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert SECRET not in str(caught.value)
    return caught.value


# -- lines --------------------------------------------------------------------

TOML = '''# [not.a.table]
title = """
[nor] this
key = 5
"""
list = [
  "a",  # ] no end
  "b = [",
]
'literal' = 'C:\\'
[database]  # a comment
driver = "sqlite"
"quoted key" = 1
a.b.c = 2
text = \'\'\'
path = 1
\'\'\'
inline = { x = 1, y = "}" }
  [database . options]
	indented = true
[[many]]
one = 1
'''


def test_the_line_of_each_key_is_known() -> None:
    lines = read_toml(TOML).lines
    assert lines == {
        ("title",): 2,
        ("list",): 6,
        ("literal",): 10,
        ("database",): 11,
        ("database", "driver"): 12,
        ("database", "quoted key"): 13,
        ("database", "a"): 14,
        ("database", "a", "b"): 14,
        ("database", "a", "b", "c"): 14,
        ("database", "text"): 15,
        ("database", "inline"): 18,
        ("database", "options"): 19,
        ("database", "options", "indented"): 20,
        ("many",): 21,
        ("many", "one"): 22,
    }


_KEYS = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
_VALUES = st.sampled_from(
    (
        "1",
        "true",
        '"a # b"',
        "'c = ['",
        "[1, 2]",
        "[\n  1, # ]\n  2,\n]",
        '"""\nd = 1\n"""',
        "'''\n[e]\n'''",
        '"\\""',
        "{ f = [1], g = '}' }",
        '"""\\"""\n"""',
    )
)


@settings(max_examples=60)
@given(st.dictionaries(_KEYS, _VALUES, max_size=8), st.booleans())
def test_lines_are_those_where_the_keys_stand(
    values: dict[str, str], spaced: bool
) -> None:
    text = "[database]\n"
    wanted: dict[tuple[str, ...], int] = {("database",): 1}
    for key, value in values.items():
        text += "# a comment\n\n" if spaced else ""
        wanted[("database", key)] = text.count("\n") + 1
        text += f"{key} = {value}\n"
    found = read_toml(text)
    assert found.data == tomllib.loads(text)
    assert found.lines == wanted


def test_yaml_says_the_line_of_each_key() -> None:
    text = "database:\n  driver: sqlite\n\n  options: {a: 1,\n    b: 2}\n"
    assert read_yaml(text).lines == {
        ("database",): 1,
        ("database", "driver"): 2,
        ("database", "options"): 4,
        ("database", "options", "a"): 4,
        ("database", "options", "b"): 5,
    }


# -- what is refused ----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"[database]\npassword = {SECRET}\n", "mooring.toml:2: is not valid TOML"),
        (f'[database]\npassword = "{SECRET}\n', "mooring.toml:2: is not valid TOML"),
        (f'[database]\npassword "{SECRET}"\n', "mooring.toml:2: is not valid TOML"),
        (f'[database]\na = "{SECRET}\\q"\n', "mooring.toml:2: is not valid TOML"),
        (f'[database]\na = 1\na = "{SECRET}"\n', "mooring.toml:3: sets a key"),
        ("[database]\n[database]\n", "mooring.toml:2: sets a key, or begins a table"),
        ("a = " + "[" * 5000 + "]" * 5000, "is nested too deeply"),
        (f'database = "{SECRET}"', "mooring.toml:1: database: must be a table"),
        ('[database]\noptions = "x"', "database.options: must be a table"),
        ("x = 1\n" * 99_999, "is larger than 262,144 bytes"),
        ('driver = "sqlite"\n', "mooring.toml:1: driver: stands outside of the table"),
        ('[databse]\ndriver = "sqlite"\n', "did you mean [database]?"),
    ],
)
def test_a_toml_file_that_cannot_be_used_is_refused(
    write: Write, text: str, says: str
) -> None:
    write("mooring.toml", text)
    assert says in refusal(None).message


_LAUGHS = "".join(
    f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"database:\n  password: '{SECRET}\n", "mooring.yaml:"),
        (f"database:\n\tpassword: {SECRET}\n", "mooring.yaml:2: is not valid YAML"),
        (f"database:\n  a: {SECRET}: x\n", "mooring.yaml:2: is not valid YAML"),
        (f"database:\n  a: 1\n  a: {SECRET}\n", "mooring.yaml:3: sets a key"),
        ("database: !!python/name:os.system\n", "has a tag"),
        ("database: !secret x\n", "has a tag"),
        (f"database: *{SECRET}\n", "mooring.yaml:1: "),
        ("database: &a\n  b: *a\n", "has an alias that repeats too much"),
        ("l0: &l0 [x, x, x]\n" + _LAUGHS, "has an alias that repeats too much"),
        ("[" * 9999, "is nested or repeated too deeply"),
        ("- x\n" * 30_000, "is nested or repeated too much"),
        (f"{SECRET}\n", "holds no tables"),
        (f"database: {SECRET}\n", "mooring.yaml:1: database: must be a table"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML"),
        ("database:\n  ? [x]\n  : 1\n", "has a key that is no text"),
        ("database:\n  a: 2001-99-99\n", "is not valid YAML"),
    ],
)
def test_a_yaml_file_that_cannot_be_used_is_refused(
    write: Write, text: str, says: str
) -> None:
    write("mooring.yaml", text)
    assert says in refusal(None).message


def test_a_key_of_yaml_that_is_no_text_is_a_problem(write: Write) -> None:
    write("mooring.yaml", "database:\n  driver: sqlite\n  path: a.db\n  5: x\n")
    assert "an option's name must be str, not int" in refusal(None).message


def test_an_empty_section_of_yaml_sets_nothing(write: Write) -> None:
    write("mooring.yaml", "database:\n")
    assert core.load(env={"DB_DRIVER": "sqlite", "DB_PATH": "a"}).driver == "sqlite"


def test_a_byte_order_mark_is_passed_over(folder: Path) -> None:
    text = '\ufeff[database]\ndriver = "sqlite"\npath = "ü.db"\n'
    (folder / "mooring.toml").write_text(text, "utf-8")
    assert core.load(env={}).driver == "sqlite"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("none.toml", "'none.toml' does not exist"),
        ("folder.toml", "'folder.toml' cannot be read: Is a directory"),
        ("bytes.toml", "'bytes.toml' is not UTF-8"),
        ("mooring.ini", "'mooring.ini' ends in neither .toml nor .yaml"),
        ("a\0.toml", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(
    folder: Path, path: str, says: str
) -> None:
    (folder / "folder.toml").mkdir()
    (folder / "bytes.toml").write_bytes(b"a = '\xff'")
    assert says in refusal(path).message
    if "\0" not in path:
        named = refusal(None, {"MOORING_CONFIG": path}).message
        assert named == f"MOORING_CONFIG names {refusal(path).message}"


def test_what_is_wrong_with_two_files_is_told_at_once(write: Write) -> None:
    write("vars", f"DB_HOST=a\n{SECRET}\nDB_PORT='5\n")
    with pytest.raises(core.ConfigError) as caught:
        core.load("none.toml", env_file="vars", env={})
    assert [problem.source for problem in caught.value.problems] == [
        "",
        "vars:2",
        "vars:3",
    ]
    assert SECRET not in str(caught.value)


def test_yaml_without_its_extra_says_what_to_install(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("mooring.yaml", "database:\n  driver: sqlite\n")
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    error = refusal(None)
    assert "PyYAML is not installed" in error.message
    assert "mooring[yaml]" in str(error.hint)


# -- variables in a file ------------------------------------------------------


def test_a_file_of_variables_is_read_as_shells_and_containers_do(write: Write) -> None:
    write(
        "vars",
        "# a comment\n\nA=plain\nexport B = spaced  # comment\nC='as # it $is'\n"
        'D="a\\n\\"b\\"" # x\nE=\nF=a#b\nA=later\n',
    )
    found = {name: one.text for name, one in read_env_file("vars").items()}
    assert found == {
        "A": "later",
        "B": "spaced",
        "C": "as # it $is",
        "D": 'a\n"b"',
        "E": "",
        "F": "a#b",
    }


@pytest.mark.parametrize("reader", [read_toml, read_yaml])
@given(text=st.text(max_size=60))
def test_any_text_is_read_or_refused(
    reader: Callable[[str], object], text: str
) -> None:
    try:
        reader(text)
    except UnreadableError as error:
        assert str(error)  # noqa: PT017 - most texts are refused
