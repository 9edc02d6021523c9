"""Run the contract on an installed driver, without writing a test.

This is what ``mooring driver check`` does. The tests run in a process of their own,
apart from the configuration and the plugins of a project that happens to be there.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from mooring.core import ArgumentError, MooringError
from mooring.testing._document import lines
from mooring.testing._fresh import require_fresh
from mooring.testing._groups import GROUPS

__all__ = ["check_driver", "group_names", "lines"]

# Seconds for what a signal cannot interrupt; then the process is ended.
_GRACE = 30.0
# Seconds for a process that is ending by itself, interrupted or broken.
_MOMENT = 3.0
_SUITE = os.path.join(os.path.dirname(__file__), "_check_suite.py")
_PLUGINS = ("mooring.testing.report", "mooring.testing._check_plugin")
# What would let a project or a user change what the tests are.
_NOT_OURS = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_THEME", "MOORING_SOAK")

Progress = Callable[[dict[str, Any]], None]


def group_names() -> list[str]:
    """Return the names of the contract's groups, in the order in which they run."""
    return [group.name for group in GROUPS]


def check_driver(
    options: Mapping[str, Any],
    *,
    groups: Sequence[str] = (),
    timeout: float = 60.0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the contract, and return the report as ``--mooring-report`` writes it.

    Args:
        options: What `mooring.core.open` takes, as plain values. In a string ``{tmp}``
            stands for a new folder, and ``{unique}`` for a new short name, in each
            test.
        groups: The groups to run; all by default. The verdict on some is at best
            ``incomplete``.
        timeout: Seconds that a test may take.
        progress: Called with each event: ``{"event": "selected", "tests": {GROUP:
            COUNT}}`` once, then ``{"event": "result", "group": ..., "outcome": ...}``
            for each test.

    Raises:
        ConfigError: The options are wrong, or would give two tests one store.
        DriverError: The driver cannot be used.
        ArgumentError: There is no such group.
        MooringError: A store cannot be opened, or the process of the tests broke off.
    """
    unknown = sorted(set(groups) - set(group_names()))
    if unknown:
        raise ArgumentError(
            f"there is no group {', '.join(unknown)}",
            hint=f"there are {', '.join(group_names())}",
        )
    request = {"options": dict(options), "groups": list(groups), "timeout": timeout}
    # Started first: it imports while the options are looked at.
    with _started() as tests:
        require_fresh(options)
        tests.send(request)
        for event in tests.events(silence=timeout + _GRACE):
            if event["event"] == "report":
                report: dict[str, Any] = event["document"]
                return report
            if progress is not None:
                progress(event)
        code = tests.ended()
    raise MooringError(
        f"the process that runs the contract broke off (exit code {code})",
        hint="run the contract from a class of tests of your own, to see all that"
        " pytest shows",
    )


class _Tests:
    """The process that runs the tests, and the pipes to and from it."""

    def __init__(self, folder: str) -> None:
        ini = os.path.join(folder, "pytest.ini")
        with open(ini, "w", encoding="utf-8") as empty:
            empty.write("[pytest]\n")
        reading, self._to = os.pipe()
        self._from, writing = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-P", "-m", "pytest", _SUITE),
                *("-c", ini, "--rootdir", folder, "--noconftest"),
                *("--import-mode=importlib", "--tb=short", "-p", "no:cacheprovider"),
                *(word for plugin in _PLUGINS for word in ("-p", plugin)),
                f"--mooring-check={reading},{writing}",
            ],
            env=_environment(folder),
            pass_fds=(reading, writing),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reading)
        os.close(writing)

    def send(self, request: dict[str, Any]) -> None:
        """Say what to run: not on the command line, as it may hold a password."""
        with suppress(BrokenPipeError), open(self._to, "w", encoding="utf-8") as out:
            self._to = -1
            json.dump(request, out)

    def events(self, *, silence: float) -> Iterator[dict[str, Any]]:
        """Yield events until there are no more, or none comes for *silence* seconds."""
        pending = b""
        while select.select([self._from], [], [], silence)[0]:
            chunk = os.read(self._from, 65536)
            if not chunk:
                return
            *complete, pending = (pending + chunk).split(b"\n")
            yield from map(json.loads, complete)

    def ended(self) -> int:
        """Give it a moment to end by itself, then end it; return its exit code.

        One that broke off says more by its own code than by our signal, and one that
        was interrupted puts away what it made.
        """
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_MOMENT)
        self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """End it, and let go of the pipes."""
        self._process.kill()
        self._process.wait()
        os.close(self._from)
        if self._to >= 0:
            os.close(self._to)


@contextmanager
def _started() -> Iterator[_Tests]:
    """Start the process of the tests; it is gone afterwards, with all that it made."""
    with tempfile.TemporaryDirectory(prefix="mooring-check-") as folder:
        tests = _Tests(folder)
        try:
            yield tests
        except KeyboardInterrupt:
            tests.ended()
            raise
        finally:
            tests.close()


def _environment(folder: str) -> dict[str, str]:
    env = {key: text for key, text in os.environ.items() if key not in _NOT_OURS}
    env |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": os.path.join(folder, "hypothesis"),
        # So that what a process that was killed leaves behind goes with it.
        "TMPDIR": folder,
    }
    return env
