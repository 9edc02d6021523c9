"""Fixtures of pytest for applications: stores on real databases, one for each test.

They are asked for by ``pytest_plugins = ["mooring.testing.fixtures"]`` in the topmost
``conftest.py``, or by ``-p mooring.testing.fixtures``. Where a database cannot be made,
tests fail; none is skipped.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any, TypeVar

import pytest

from mooring import core
from mooring.testing._chosen import chosen_drivers
from mooring.testing._shared_stores import SharedStores
from mooring.testing._templates import Kind, Sources, Templates

__all__ = [
    "mooring_driver",
    "mooring_migrations",
    "mooring_options",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "store",
    "store_config",
    "store_rollback",
]

T = TypeVar("T")

_CHOSEN = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--mooring-driver``, and the setting that it overrides."""
    what = "Drivers to run tests with stores on, with commas between."
    parser.getgroup("mooring").addoption(
        "--mooring-driver", metavar="NAMES", default="", help=what
    )
    parser.addini("mooring_driver", what, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Find the drivers; one that cannot be used ends the run before it begins."""
    names = config.getoption("--mooring-driver") or config.getini("mooring_driver")
    config.stash[_CHOSEN] = chosen_drivers(names)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what uses a store once on each driver."""
    if "mooring_driver" in metafunc.fixturenames:
        names = metafunc.config.stash[_CHOSEN]
        metafunc.parametrize(
            "mooring_driver", names, ids=names, indirect=True, scope="session"
        )


@pytest.fixture(scope="session")
def mooring_driver(request: pytest.FixtureRequest) -> str:
    """The name of the driver that this test runs on."""
    chosen = request.config.stash[_CHOSEN]
    if not hasattr(request, "param") and len(chosen) > 1:
        pytest.fail(
            f"this test would run on {chosen[0]} only: it gets its store by a way that"
            " pytest cannot repeat\nhint: name the fixture among the arguments of a"
            " test function, instead of getfixturevalue() or a unittest.TestCase",
            pytrace=False,
        )
    name: str = getattr(request, "param", chosen[0])
    return name


@pytest.fixture(scope="session")
def mooring_migrations() -> Sources:
    """The application's own migrations: none; override it with yours.

    A `mooring.migrate.Source` or several, as ``core.open(migrations=...)`` takes them.
    It may ask for `mooring_driver`.
    """
    return ()


@pytest.fixture(scope="session")
def mooring_options(mooring_driver: str) -> Mapping[str, Any]:  # noqa: ARG001 - what overrides it may ask for it
    """Further options of ``core.open``: none; override it with yours.

    For a driver that offers no databases for tests they lead to one, with ``{tmp}``
    for a new folder or ``{unique}`` for a new name.
    """
    return {}


@pytest.fixture(scope="session")
def _mooring_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Templates]:
    """What makes the databases of the run, and drops what is left at its end."""
    templates = Templates(str(tmp_path_factory.mktemp("mooring")))
    yield templates
    templates.close()


@pytest.fixture(scope="session")
def _mooring_shared_stores(_mooring_templates: Templates) -> Iterator[SharedStores]:
    """The stores that tests share."""
    stores = SharedStores(_mooring_templates)
    yield stores
    stores.close()


@pytest.fixture
def _mooring_kind(
    mooring_driver: str,
    mooring_options: Mapping[str, Any],
    mooring_migrations: Sources,
) -> Kind:
    return Kind(mooring_driver, mooring_options, mooring_migrations)


@pytest.fixture
def store_config(
    _mooring_kind: Kind, _mooring_templates: Templates
) -> Iterator[dict[str, Any]]:
    """Options for ``core.open``: a new, migrated database, dropped afterwards."""
    with ExitStack() as stack:
        yield _entered(stack, _mooring_templates.database(_mooring_kind))


@pytest.fixture
def store(
    store_config: Mapping[str, Any], mooring_migrations: Sources
) -> Iterator[core.SqlStore]:
    """An open store on a database that no other test has."""
    with core.open(store_config, migrations=mooring_migrations) as store:
        yield store


@pytest.fixture
def store_rollback(
    _mooring_kind: Kind, _mooring_shared_stores: SharedStores
) -> Iterator[core.SqlStore]:
    """A store that tests share, with all that a test did in it undone afterwards.

    See `mooring.testing.rolled_back` for what a test cannot do in it.
    """
    with ExitStack() as stack:
        yield _entered(stack, _mooring_shared_stores.rolled_back(_mooring_kind))


def _entered(stack: ExitStack, block: AbstractContextManager[T]) -> T:
    """Enter *block*; an error of ours fails the test without a traceback of ours."""
    try:
        return stack.enter_context(block)
    except core.MooringError as error:
        pytest.fail(str(error), pytrace=False)
