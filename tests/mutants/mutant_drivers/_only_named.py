"""A pytest plugin: of a class of tests, collect no others than those asked for.

To pick one of the seven hundred of each mutant, pytest would first make them all.
"""

from collections.abc import Sequence

import pytest

_NAMED = pytest.StashKey[dict[str, set[str]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Read which tests are asked for, by class; a class without a test has all."""
    named: dict[str, set[str]] = {}
    for argument in config.args:
        _, class_, *test = argument.split("::")
        named.setdefault(class_, set()).update(test)
    config.stash[_NAMED] = named


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str
) -> Sequence[pytest.Item] | None:
    """Make nothing of a test that is not asked for; leave the others to pytest."""
    wanted = collector.config.stash[_NAMED].get(collector.name)
    if wanted and name.startswith("test_") and name not in wanted:
        return []
    return None
