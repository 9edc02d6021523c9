"""A pytest plugin: a test that failed in one case is not run in its others."""

from collections.abc import Generator
from typing import Any

import pytest

_failed: set[tuple[object, str]] = set()


def _test_of(item: pytest.Item) -> tuple[object, str]:
    return item.parent, getattr(item, "originalname", item.name)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if _test_of(item) in _failed:
        pytest.skip("it failed in another case")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    report = yield
    if call.when == "call" and report.failed:
        _failed.add(_test_of(item))
    return report
