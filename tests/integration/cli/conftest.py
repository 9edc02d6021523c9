"""The command as its users have it: a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

COMMAND = (sys.executable, "-W", "error", "-m", "mooring.cli")


class Ran(NamedTuple):
    """What a run of the command did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        assert next(iter(found)) == "schema"
        assert found["schema"] == 1
        return found


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ran]:
    """Return a function that runs the command in an empty folder."""

    def call(*args: str, env: dict[str, str] | None = None, **options: Any) -> Ran:
        done = subprocess.run(
            [*COMMAND, *args],
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            **options,
        )
        return Ran(done.returncode, done.stdout or "", done.stderr)

    return call
