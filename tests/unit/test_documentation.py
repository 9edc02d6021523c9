"""The documentation says what the code says.

Its examples are run by the root's conftest.py; its links are resolved by Sphinx.
"""

import inspect
import re
from pathlib import Path
from typing import Any

import attrs
import mooring_postgres.testing
import mooring_sqlite
import pytest
from mooring import core, migrate, testing, web
from mooring.core import _hookspecs
from mooring_postgres import PostgresConfig
from mooring_postgres import testing as postgres_testing
from mooring_postgres._params import session_settings
from mooring_sqlite import SqliteConfig
from mooring_sqlite import testing as sqlite_testing
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
OPTIONS = {
    f"{config.__name__}.{field.name}": field
    for config in (SqliteConfig, PostgresConfig)
    for field in attrs.fields(config)
    if field.init
}

_DIRECTIVE = re.compile(
    r"^\.\. (?:auto\w+|py:\w+):: (mooring[\w.]+)(?:\(.*\))?$", re.MULTILINE
)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def documented(page: str) -> list[str]:
    return _DIRECTIVE.findall((REFERENCE / page).read_text())


@pytest.mark.parametrize(
    ("page", "package", "names"),
    [
        ("core.md", "mooring.core", core.__all__),
        ("migrate.md", "mooring.migrate", migrate.__all__),
        ("web.md", "mooring.web", web.__all__),
        ("sqlite.md", "mooring_sqlite", mooring_sqlite.__all__),
        ("sqlite.md", "mooring_sqlite.testing", sqlite_testing.__all__),
        ("postgres.md", "mooring_postgres", mooring_postgres.__all__),
        ("postgres.md", "mooring_postgres.testing", postgres_testing.__all__),
        ("testing.md", "mooring.testing", testing.__all__),
        ("testing.md", "mooring.testing.check", ["check_driver"]),
    ],
)
def test_reference_documents_each_public_name_once(
    page: str, package: str, names: list[str]
) -> None:
    found = [name for name in documented(page) if name.rpartition(".")[0] == package]
    found = [name for name in found if name != "mooring.core.errors"]
    public = [name for name in names if name != "__version__"]

    assert sorted(found) == sorted(f"{package}.{name}" for name in public)


def test_reference_documents_nothing_that_is_private() -> None:
    public = {
        "mooring.core.errors",
        *(f"mooring.core.{name}" for name in core.__all__),
        *(f"mooring.migrate.{name}" for name in migrate.__all__),
        *(f"mooring.web.{name}" for name in web.__all__),
        *(f"mooring.testing.{name}" for name in testing.__all__),
        "mooring.testing.check.check_driver",
        *(f"mooring_sqlite.{name}" for name in mooring_sqlite.__all__),
        *(f"mooring_sqlite.testing.{name}" for name in sqlite_testing.__all__),
        *(f"mooring_postgres.{name}" for name in mooring_postgres.__all__),
        *(f"mooring_postgres.testing.{name}" for name in postgres_testing.__all__),
        *(f"mooring.testing.{name}" for name in testing.__all__),
    }
    found = {name for page in REFERENCE.glob("*.md") for name in documented(page.name)}

    assert found <= public


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


@pytest.mark.parametrize("name", HOOKS)
def test_guide_for_authors_has_the_exact_signature(name: str) -> None:
    signature = str(inspect.signature(getattr(_hookspecs, name))).replace("'", "")
    guide = ROOT / "docs" / "how-to" / "write-a-driver.md"

    assert f"\n| `{name}{signature}` | " in guide.read_text()


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


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_option_says_what_it_is(option: "attrs.Attribute[Any]") -> None:
    doc = option.metadata["doc"]

    assert doc[0].isupper()
    assert doc.endswith(".")


@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
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
        SqliteConfig(path="app.db"), locate("app.db"), read_only=False
    )
    section = (REFERENCE / "sqlite.md").read_text().partition("| PRAGMA |")[2]
    table = re.findall(r"^\| `(\w+)` \|", section.partition("\n\n")[0], re.MULTILINE)

    assert table == list(settings)


def test_postgres_page_has_every_setting_of_a_session() -> None:
    settings = session_settings(PostgresConfig(host="db.example.org", schema="shop"))
    section = (REFERENCE / "postgres.md").read_text().partition("| setting |")[2]
    table = re.findall(r"^\| `(\w+)` \|", section.partition("\n\n")[0], re.MULTILINE)

    assert table == list(settings)


def test_postgres_page_has_the_number_of_the_migration_lock() -> None:
    from mooring_postgres._lock import LOCK_ID

    page = (REFERENCE / "postgres.md").read_text()

    assert page.count(str(LOCK_ID)) == 2  # in words, and in the query that looks for it


def test_architecture_page_has_every_module_of_core() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    table = page.partition("| room |")[2].partition("\n\n")[0]
    modules = {
        file.stem
        for file in (ROOT / "core" / "mooring" / "core").glob("*.py")
        if file.stem != "__init__"
    }

    assert set(re.findall(r"`(\w+)`", table)) == modules


@pytest.mark.parametrize("page", ["reference/command.md", "how-to/operate.md"])
def test_page_has_every_exit_code_of_the_command(page: str) -> None:
    pytest.importorskip("click")
    from mooring.cli import _app, _errors

    told = re.findall(r"(\d+) [a-z]", _app.app.epilog or "")
    text = (ROOT / "docs" / page).read_text()
    table = re.findall(r"^\| (\d+) \|", text, re.MULTILINE)
    used = {code for _, code in _errors._EXIT_CODES}

    assert table == told
    assert {0, _errors.USAGE, _errors.INTERRUPTED, *used} == {*map(int, told)}


def test_page_for_operators_has_every_event() -> None:
    page = (ROOT / "docs" / "how-to" / "operate.md").read_text()
    table = page.partition("| event |")[2].partition("\n\n")[0]
    sources = [
        source
        for folder in ("core/mooring", "drivers")
        for source in (ROOT / folder).rglob("*.py")
    ]
    named = r'"event_name": (.*?),?\n'
    found = {
        event
        for source in sources
        for words in re.findall(named, source.read_text())
        for event in re.findall(r'"([a-z._]+)"', words)
    }

    assert {*re.findall(r"^\| `([a-z._]+)` \|", table, re.MULTILINE)} == found
    assert "store.opened" in found


def test_command_page_has_every_verb_of_the_command() -> None:
    pytest.importorskip("click")
    from mooring.cli import _app, _config, _driver, _migrate

    groups = {
        "config": list(_config.command.commands),
        "migrate": list(_migrate.MigrateGroup.verbs),
        "driver": list(_driver.DriverGroup.verbs),
    }
    verbs = [verb for verb in _app.LazyGroup.verbs if verb not in groups]
    verbs += [f"{group} {verb}" for group, of in groups.items() for verb in of]
    page = (REFERENCE / "command.md").read_text()
    sections = re.findall(r"^### mooring ([a-z]+(?: [a-z]+)*)", page, re.MULTILINE)
    generated = re.findall(r"^```{command} (.*)$", page, re.MULTILINE)

    assert sorted(sections) == sorted(verbs)
    assert generated == sections
