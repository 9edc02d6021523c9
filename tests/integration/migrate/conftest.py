"""A store of each driver, for what the migrator does alike on all of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from mooring import core

Open = Callable[[], core.SqlStore]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, object]:
    """The configuration of a new store."""
    if request.param == "sqlite":
        return {"driver": "sqlite", "path": str(tmp_path / "app.db")}
    config: dict[str, object] = request.getfixturevalue("postgres_config")
    return config


@pytest.fixture
def open_store(place: dict[str, object]) -> Iterator[Open]:
    """Open the store as it is; it is closed with the test."""
    with ExitStack() as stack:

        def run() -> Any:
            store = core.open(place, migrate="skip")
            stack.callback(store.close)
            return store

        yield run


@pytest.fixture
def store(open_store: Open) -> core.SqlStore:
    """The store, open, with nothing in it."""
    return open_store()
