"""The side of ``mooring driver check`` that runs in pytest's process.

It reads a request, and writes what happens as one JSON object a line: ``selected``,
``result`` for each test, and ``report`` at the end.
"""

import gc
import json
import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any, NoReturn

import pytest

from mooring.testing._groups import GROUPS, group_of
from mooring.testing.report import EVIDENCE, PLUGIN, ContractReport

REQUEST = pytest.StashKey[dict[str, Any]]()

_ORDER = {group.name: place for place, group in enumerate(GROUPS)}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says where to read and where to write."""
    parser.addoption("--mooring-check", metavar="IN,OUT", help="File descriptors.")


def pytest_configure(config: pytest.Config) -> None:
    """Read the request."""
    reading, writing = map(int, str(config.getoption("--mooring-check")).split(","))
    # The programs that tests start have no business with either.
    for descriptor in (reading, writing):
        os.set_inheritable(descriptor, False)
    with open(reading, encoding="utf-8") as request:
        config.stash[REQUEST] = json.load(request)
    events = open(writing, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    config.pluginmanager.register(_Check(config.stash[REQUEST], events))


class _Check:
    """Selects what was asked for, limits each test, and tells what happens."""

    def __init__(self, request: dict[str, Any], events: IO[str]) -> None:
        self._groups: list[str] = request["groups"]
        self._limit: float = request["timeout"]
        self._events = events

    def _tell(self, event: str, **details: object) -> None:
        self._events.write(json.dumps({"event": event, **details}) + "\n")
        self._events.flush()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the groups that were asked for, in the order of the contract."""
        names = {item: _group_name(item) for item in items}
        wanted = set(self._groups or _ORDER)
        config.hook.pytest_deselected(
            items=[item for item in items if names[item] not in wanted]
        )
        items[:] = sorted(
            (item for item in items if names[item] in wanted),
            key=lambda item: _ORDER[names[item]],
        )
        self._tell("selected", tests=Counter(names[item] for item in items))

    def pytest_collection_finish(self) -> None:
        """Spare the garbage collector the tests themselves: many of them collect."""
        gc.collect()
        gc.freeze()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None]:
        """Limit what makes a test ready."""
        with self._limited():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None]:
        """Limit a test."""
        with self._limited():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None]:
        """Limit what clears up behind a test."""
        with self._limited():
            return (yield)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> NoReturn:
            pytest.fail(f"it did not end within {self._limit:g} seconds")

        before = signal.signal(signal.SIGALRM, stop)
        # A signal, not a thread: tests fork, and count threads.
        signal.setitimer(signal.ITIMER_REAL, self._limit)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell what became of a test."""
        evidence = getattr(report, EVIDENCE, None)
        if evidence is not None:
            found = evidence["finding"]
            self._tell("result", group=found["group"], outcome=found["outcome"])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the report over."""
        report = session.config.pluginmanager.get_plugin(PLUGIN)
        assert isinstance(report, ContractReport)
        self._tell("report", document=report.document())


def _group_name(item: pytest.Item) -> str:
    assert isinstance(item, pytest.Function)
    group = group_of(item.cls, item.originalname)
    return group.name if group else ""
