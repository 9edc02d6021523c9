"""A folder of its own for each test, with nothing configured around it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, which is empty."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("DB_", "PG", "DATABASE_URL", "MOORING_")):
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str, str], None]:
    """Return a function that writes a file into the folder."""

    def call(name: str, text: str) -> None:
        (folder / name).write_text(text)

    return call
