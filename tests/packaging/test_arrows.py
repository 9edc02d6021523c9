"""Who may know whom, read from the imports and words of the source."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
MOORING = ROOT / "core" / "mooring"
DRIVERS = sorted(
    file.parent
    for folder in ("drivers", "examples")
    for file in (ROOT / folder).glob("*/*/__init__.py")
)
PACKAGES = [
    *sorted(file.parent for file in (ROOT / "core").rglob("__init__.py")),
    *sorted(file.parent for driver in DRIVERS for file in driver.rglob("__init__.py")),
]
# What a driver ships for the tests of others; it needs more than the driver.
TESTING = "testing"
MEMBERS = [
    ROOT / "core",
    *sorted(file.parent for file in ROOT.glob("drivers/*/pyproject.toml")),
    *sorted(file.parent for file in ROOT.glob("examples/*/pyproject.toml")),
]
ENGINES = re.compile(r"sqlite|postgres|psycopg|libpq|duckdb|mysql", re.IGNORECASE)

# What an extra brings, and the one module of core that asks for it.
OPTIONAL = {("yaml", "_yaml.py"), ("orjson", "_json_text.py")}


class Import(NamedTuple):
    """One imported module, and how it is imported."""

    file: Path
    line: int
    module: str
    lazy: bool
    for_types: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"

    @property
    def top(self) -> str:
        """The top-level package."""
        return self.module.partition(".")[0]


def imports(folder: Path) -> Iterator[Import]:
    for file in sorted(folder.rglob("*.py")):
        yield from _imports_in(file, ast.parse(file.read_text()), False, False)


def _imports_in(
    file: Path, node: ast.AST, lazy: bool, for_types: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for module in _modules(file, child):
            yield Import(file, getattr(child, "lineno", 0), module, lazy, for_types)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            body = ast.Module(body=child.body, type_ignores=[])
            yield from _imports_in(file, body, lazy, True)
            child = ast.Module(body=child.orelse, type_ignores=[])
        yield from _imports_in(file, child, lazy or inside, for_types)


def _modules(file: Path, node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert not node.level, f"{file}:{node.lineno} imports relatively"
        base = node.module or ""
        # "from package import module" imports the module too.
        return [
            f"{base}.{alias.name}" if is_module(f"{base}.{alias.name}") else base
            for alias in node.names
        ]
    return []


def is_module(name: str) -> bool:
    """Say whether this is one of our modules or packages."""
    path = Path(*name.split("."))
    return any(
        (member / path).is_dir() or (member / path).with_suffix(".py").is_file()
        for member in MEMBERS
    )


def within(name: str, packages: Iterable[str]) -> bool:
    return any(
        name == package or name.startswith(f"{package}.") for package in packages
    )


def is_ours(name: str) -> bool:
    return re.match(r"mooring(_\w+)?(\.|$)", name) is not None


def client_libraries(member: Path, without: tuple[str, ...] = ()) -> set[str]:
    """Return the packages that the project's dependencies and extras bring."""
    project = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).items()
    lines = [
        *project["dependencies"],
        *(line for name, lines in extras if name not in without for line in lines),
    ]
    names = {re.split(r"[^\w.-]", line)[0] for line in lines}
    names = {{"PyYAML": "yaml"}.get(name, name) for name in names}
    return {name.replace("-", "_") for name in names}


def strings_and_names(file: Path) -> Iterator[tuple[int, str]]:
    """Yield what the source says outside comments and docstrings."""
    tree = ast.parse(file.read_text())
    # A docstring is an expression statement, as are those under an attribute.
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docs:
                yield line, node.value
        elif isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield line, node.arg or ""
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.alias):
            yield line, node.name


# -- the arrows ---------------------------------------------------------------


def test_every_package_is_looked_at() -> None:
    names = {folder.name for folder in PACKAGES}
    assert {"mooring", "core", "migrate", "mooring_sqlite", "mooring_keyvalue"} <= names
    assert TESTING in names
    assert all(any(imports(folder)) for folder in PACKAGES)


def test_core_and_migrate_import_no_engine_and_no_driver() -> None:
    allowed = {"pluggy", "attrs", "cattrs", "mooring"}
    engines = {"sqlite3", "dbm"}
    for found in (*imports(MOORING / "core"), *imports(MOORING / "migrate")):
        standard = found.top in sys.stdlib_module_names and found.top not in engines
        extra = found.lazy and (found.top, found.file.name) in OPTIONAL
        assert found.top in allowed or standard or extra, str(found)


@pytest.mark.parametrize("package", ["core", "migrate"])
def test_core_and_migrate_name_no_engine_but_the_default_driver(package: str) -> None:
    named = [
        (file.name, text)
        for file in sorted((MOORING / package).rglob("*.py"))
        for _, text in strings_and_names(file)
        if ENGINES.search(text)
    ]
    default = [("_config.py", "postgres")]
    assert named == (default if package == "core" else [])


def test_what_applications_are_tested_with_names_no_engine() -> None:
    files = sorted((MOORING / TESTING).glob("*.py"))  # the contract has a folder
    assert "fixtures.py" in {file.name for file in files}
    words = [(f.name, text) for f in files for _, text in strings_and_names(f)]
    assert [word for word in words if ENGINES.search(word[1])] == []


def test_the_one_arrow_of_core_leads_to_migrate_and_is_lazy() -> None:
    arrows = [
        found
        for found in imports(MOORING / "core")
        if is_ours(found.module) and not within(found.module, ["mooring.core"])
    ]
    assert all(within(found.module, ["mooring.migrate"]) for found in arrows)
    at_run_time = [found for found in arrows if not found.for_types]

    assert at_run_time
    for found in at_run_time:
        assert found.file.name == "_open.py", str(found)
        assert found.lazy, str(found)


def test_migrate_knows_core_and_nothing_else_of_ours() -> None:
    for found in imports(MOORING / "migrate"):
        known = within(found.module, ["mooring.core", "mooring.migrate"])
        assert known or not is_ours(found.module), str(found)


def test_what_services_use_knows_core_alone() -> None:
    for found in imports(MOORING / "web"):
        known = within(found.module, ["mooring.core", "mooring.web"])
        assert known or found.module == "mooring" or not is_ours(found.module), str(
            found
        )
        assert found.top in ("mooring", *sys.stdlib_module_names), str(found)


def test_nothing_in_the_core_distribution_imports_a_driver() -> None:
    for found in imports(MOORING):
        assert not re.match(r"mooring_|sqlite3|psycopg", found.module), str(found)


def test_mooring_itself_imports_nothing() -> None:
    init = MOORING / "__init__.py"
    assert not [found for found in imports(MOORING) if found.file == init]


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_driver_imports_mooring_core_itself_attrs_and_its_client_library(
    driver: Path,
) -> None:
    client = client_libraries(driver.parent, without=(TESTING,)) - {"mooring"}
    allowed = {"mooring.core", "attrs", driver.name, *client}
    for found in imports(driver):
        if driver / TESTING in found.file.parents:
            continue
        assert not within(found.module, [f"{driver.name}.{TESTING}"]), str(found)
        standard = found.top in sys.stdlib_module_names
        assert standard or within(found.module, allowed), str(found)
        if is_ours(found.module) and found.top == "mooring":
            assert found.module == "mooring.core", f"{found}, not mooring.core"


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_what_a_driver_ships_for_tests_knows_mooring_core_and_its_dependencies(
    driver: Path,
) -> None:
    client = client_libraries(driver.parent) - {"mooring"}
    allowed = {"mooring.core", "attrs", driver.name, *client}
    for found in imports(driver / TESTING):
        standard = found.top in sys.stdlib_module_names
        assert standard or within(found.module, allowed), str(found)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_third_party_imports_are_declared(member: Path) -> None:
    (package,) = (file.parent for file in member.glob("*/__init__.py"))
    declared = client_libraries(member) | {package.name}
    for found in imports(package):
        standard = found.top in sys.stdlib_module_names
        assert standard or found.top in declared, str(found)


@pytest.mark.parametrize(
    "package", PACKAGES, ids=lambda package: str(package.relative_to(ROOT))
)
def test_no_private_module_of_another_package_is_imported(package: Path) -> None:
    (member,) = (m for m in MEMBERS if package.is_relative_to(m))
    own = ".".join(package.relative_to(member).parts)
    foreign = []
    for found in imports(package):
        home, private, _ = found.module.partition("._")
        # What lies in a folder below belongs to a package of its own.
        here = found.file.parent == package
        if here and private and is_ours(found.module) and home != own:
            foreign.append(str(found))
    assert foreign == []


def test_nothing_that_is_shipped_imports_tests_or_benchmarks() -> None:
    for found in (found for member in MEMBERS for found in imports(member)):
        assert found.top not in ("tests", "benchmarks", "conftest"), str(found)


# -- the folders --------------------------------------------------------------


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_member_folder_holds_its_package_and_no_stray_module(member: Path) -> None:
    # It is on the path of an editable installation: what lies here is importable.
    # And the tests of a driver, which are no part of it.
    made = {"dist", "build", "tests"}
    found = {
        entry.name
        for entry in member.iterdir()
        if not entry.name.startswith(".") and entry.name not in made
    }
    (package,) = (file.parent.name for file in member.glob("*/__init__.py"))
    assert found == {"pyproject.toml", "README.md", "LICENSE", package}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_module_is_private_or_has_a_name_that_users_import(package: Path) -> None:
    public = {
        file.name for file in package.glob("*.py") if not file.name.startswith("_")
    }
    assert public <= {"errors.py"} or package.name in ("cli", "testing")
