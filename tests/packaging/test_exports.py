"""What each package exports: sorted, complete, and importable."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from mooring.core import _hookspecs, errors

ROOT = Path(__file__).parents[2]
INITS = {
    ".".join(file.parent.relative_to(member).parts): file
    for member in (ROOT / "core", *ROOT.glob("drivers/*"))
    for file in sorted(member.rglob("__init__.py"))
}
PACKAGES = sorted(INITS)
# Those whose names are imported when they are first used.
LAZY = sorted(name for name, file in INITS.items() if "_HOME" in file.read_text())


def in_order(name: str) -> tuple[int, str]:
    """Sort as ruff's RUF022 does: CONSTANTS, then Classes, then functions."""
    plain = name.strip("_")
    return (0 if plain.isupper() else 1 if plain[:1].isupper() else 2), name


def imported_for_types(package: str) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each import under TYPE_CHECKING."""
    for node in ast.parse(INITS[package].read_text()).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                for alias in statement.names:
                    yield str(statement.module), alias.asname or alias.name


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def test_all_is_there_sorted_and_without_repetition(package: ModuleType) -> None:
    assert sorted(package.__all__, key=in_order) == list(package.__all__)
    assert len(set(package.__all__)) == len(package.__all__)


def test_every_exported_name_can_be_imported(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_a_name_that_is_not_exported_is_an_attribute_error(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match="no attribute 'NoSuchName'"):
        _ = package.NoSuchName


def test_package_and_its_public_classes_and_functions_have_docstrings(
    package: ModuleType,
) -> None:
    assert inspect.getdoc(package)
    for name in package.__all__:
        value = getattr(package, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


@pytest.mark.parametrize("name", LAZY)
def test_what_type_checkers_see_is_what_is_exported(name: str) -> None:
    package = importlib.import_module(name)
    seen = dict.fromkeys(n for _, n in imported_for_types(name))
    assert set(seen) == set(package.__all__) - {"__version__"}


@pytest.mark.parametrize("name", LAZY)
def test_what_type_checkers_see_comes_from_where_it_is_imported(name: str) -> None:
    home = importlib.import_module(name)._HOME
    at_runtime = {
        (f"{name}.{module}", n) for module, names in home.items() for n in names.split()
    }
    seen = {(m, n) for m, n in imported_for_types(name) if m != "mooring.core.errors"}
    assert seen == at_runtime


def test_packages_that_are_imported_lazily_are_looked_at() -> None:
    assert {"mooring.core", "mooring.migrate"} <= set(LAZY)


def test_every_error_is_exported_and_drawn_in_the_tree() -> None:
    core = importlib.import_module("mooring.core")
    found = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.MooringError)
    }
    assert found <= set(core.__all__)
    drawn = set((errors.__doc__ or "").replace("─", " ").split())
    assert found <= drawn
    assert all(getattr(core, name) is getattr(errors, name) for name in found)


def test_every_hook_has_a_docstring_and_typed_arguments_without_defaults() -> None:
    hooks = {
        name: value
        for name, value in vars(_hookspecs).items()
        if inspect.isfunction(value) and hasattr(value, "mooring_spec")
    }
    assert set(_hookspecs.REQUIRED_HOOKS) < set(hooks)
    for name, hook in hooks.items():
        signature = inspect.signature(hook)
        assert inspect.getdoc(hook), name
        assert signature.return_annotation is not signature.empty, name
        for parameter in signature.parameters.values():
            assert parameter.annotation is not parameter.empty, name
            assert parameter.default is parameter.empty, name
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD, name
