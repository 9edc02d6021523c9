"""A contender in a process of its own, which is told over a pipe what to do.

So contenders share no interpreter, no library's caches and no copy of SQLite, while
their turns are still taken in rounds: a process that waits for its turn costs nothing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import TracebackType
from typing import Any, Self

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What a process serves: given a request, returns an answer that JSON can hold.
Answer = Callable[..., object]


class Worker:
    """The process that serves one contender, until it is left.

    Args:
        module: A module of this package whose ``serve(*arguments)`` returns an
            `Answer`.
        arguments: Texts.
        env: The environment of the process.
    """

    def __init__(
        self, module: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> None:
        self._name = " ".join((module, *arguments))
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "benchmarks.worker", module, *arguments],
            cwd=_ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: object) -> Any:
        """Return what it answers to *request*.

        Raises:
            SystemExit: It ended instead; what it wrote to stderr stands there.
        """
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise AssertionError("its pipes were asked for")
        line = ""
        if process.poll() is None:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker {self._name!r} ended before it answered")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # It ends with its standard input.
        self._process.__exit__(kind, error, trace)


def main() -> None:
    """Serve what the arguments name."""
    module, *arguments = sys.argv[1:]
    answer: Answer = import_module(f"benchmarks.{module}").serve(*arguments)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(**json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
