"""The documentation says what the code says.

Its examples are run by the root's conftest.py; its links are resolved by Sphinx.
"""

import inspect
import re
from pathlib import Path
from typing import Any

import attrs
import pytest
from mooring import core, migrate, testing
from mooring.core import _hookspecs
from mooring_sqlite import SqliteConfig
from mooring_sqlite._connect import settings_for
from mooring_sqlite._path import locate

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(
        page
        for page in (ROOT / "docs").rglob("*.md")
        if "_build" not in page.relative_to(ROOT).parts
    ),
]
HOOKS = ["driver_info", "open_store", "health_check", "migrations_dir"]
OPTIONS = [field for field in attrs.fields(SqliteConfig) if field.init]

_DIRECTIVE = re.compile(
    r"^\.\. (?:auto\w+|py:\w+):: (mooring[\w.]+)(?:\(.*\))?$", re.MULTILINE
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def documented(page: str) -> list[str]:
    return _DIRECTIVE.findall((REFERENCE / page).read_text())


def name_of(option: "attrs.Attribute[Any]") -> str:
    return option.name


@pytest.mark.parametrize(
    ("page", "package", "names"),
    [
        ("core.md", "mooring.core", core.__all__),
        ("migrate.md", "mooring.migrate", migrate.__all__),
        (
            "testing.md",
            "mooring.testing",
            [*testing.__all__, "check.check_driver"],
        ),
    ],
)
def test_reference_documents_each_public_name_once(
    page: str, package: str, names: list[str]
) -> None:
    found = [name for name in documented(page) if name != "mooring.core.errors"]

    assert sorted(found) == sorted(f"{package}.{name}" for name in names)


@pytest.mark.parametrize("name", core.__all__)
def test_public_classes_and_functions_have_docstrings(name: str) -> None:
    value = getattr(core, name)
    if isinstance(value, type) or inspect.isfunction(value):
        # A docstring of its own: an inherited one says what the base is.
        assert (vars(value) if isinstance(value, type) else {"__doc__": value.__doc__})[
            "__doc__"
        ]


@pytest.mark.parametrize("name", HOOKS)
def test_hook_page_has_the_exact_signature(name: str) -> None:
    signature = str(inspect.signature(getattr(_hookspecs, name))).replace("'", "")

    assert (
        f"\n```text\n{name}{signature}\n```\n" in (REFERENCE / "hooks.md").read_text()
    )


def test_hook_page_has_every_hook_and_no_other() -> None:
    specified = [
        name
        for name, value in vars(_hookspecs).items()
        if inspect.isfunction(value) and hasattr(value, "mooring_spec")
    ]
    sections = re.findall(
        r"^## ([a-z_]+)$", (REFERENCE / "hooks.md").read_text(), re.MULTILINE
    )

    assert specified == HOOKS
    assert sections == HOOKS


@pytest.mark.parametrize("option", OPTIONS, ids=name_of)
def test_every_option_says_what_it_is(option: "attrs.Attribute[Any]") -> None:
    doc = option.metadata["doc"]

    assert doc[0].isupper()
    assert doc.endswith(".")


@pytest.mark.parametrize("option", OPTIONS, ids=name_of)
def test_every_number_has_a_unit(option: "attrs.Attribute[Any]") -> None:
    is_number = option.type in (int, float)

    assert bool(option.metadata["unit"]) == is_number


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text()) if ":" not in link]
    broken = [link for link in links if not (page.parent / link).exists()]

    assert broken == []


def test_sqlite_page_has_every_setting_of_a_connection() -> None:
    settings = settings_for(
        SqliteConfig(path="app.db"), locate("app.db"), read_only=True
    )
    section = (REFERENCE / "sqlite.md").read_text().partition("| PRAGMA |")[2]
    table = re.findall(r"^\| `(\w+)` \|", section.partition("\n\n")[0], re.MULTILINE)

    assert table == list(settings)


def test_command_page_has_every_exit_code_of_the_command() -> None:
    pytest.importorskip("click")
    from mooring.cli import _app

    told = re.findall(r"(\d+) [a-z]", _app.app.epilog or "")
    table = re.findall(
        r"^\| (\d+) \|", (REFERENCE / "command.md").read_text(), re.MULTILINE
    )

    assert table == told


def test_command_page_has_every_verb_of_the_command() -> None:
    pytest.importorskip("click")
    from mooring.cli import _app, _driver, _migrate

    groups = {
        "migrate": list(_migrate.command.commands),
        "driver": list(_driver.DriverGroup.verbs),
    }
    verbs = [verb for verb in _app.LazyGroup.verbs if verb not in groups]
    verbs += [f"{group} {verb}" for group, of in groups.items() for verb in of]
    sections = re.findall(
        r"^### mooring ([a-z]+(?: [a-z]+)*)",
        (REFERENCE / "command.md").read_text(),
        re.MULTILINE,
    )

    assert sorted(sections) == sorted(verbs)
