"""The files of a driver that stops at `core.Store`; the contract has the rest."""

import stat
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from subprocess import Popen
from typing import Any, cast

import pytest
from mooring import core
from mooring_keyvalue import KeyValueStore

PATIENCE = 20.0
Open = Callable[..., KeyValueStore]
Spawn = Callable[..., "Future[Any]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "values"


@pytest.fixture
def open_store(path: Path) -> Open:
    """Open the store; the test closes it."""

    def open_store(**options: object) -> KeyValueStore:
        config = {"driver": "keyvalue", "path": str(path), **options}
        return cast("KeyValueStore", core.open(config))

    return open_store


def test_values_are_there_when_it_is_opened_again(open_store: Open) -> None:
    with open_store() as store:
        store.put("a", b"1")
        store.put("a", bytes(range(256)) * 9)
        store.put("ü", b"")
        assert isinstance(store, core.Store)
        assert not isinstance(store, core.SqlStore)
        assert store.capabilities == frozenset()
    with open_store() as store:
        found = [store.get(key) for key in ("a", "ü", "b")]

    assert found == [bytes(range(256)) * 9, b"", None]


def test_close_waits_a_bounded_time_and_who_was_there_first_may_finish(
    open_store: Open, spawn: Spawn
) -> None:
    store = open_store(close_timeout=0.1, pool_timeout=0.1)
    entered, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.values(PATIENCE) as values:
            entered.set()
            done.wait(PATIENCE)
            values[b"a"] = b"1"

    held = spawn(hold)
    assert entered.wait(PATIENCE)
    with pytest.raises(core.StoreBusyError, match="busy"):
        store.get("a")
    assert core.health_check(store, timeout=0.1).status == "unknown"
    with pytest.raises(core.StoreBusyError, match="busy"):
        store.close()
    done.set()
    held.result(PATIENCE)

    with open_store() as store:
        assert store.get("a") == b"1"


@pytest.mark.parametrize("where", ["this process", "another process"])
def test_a_second_store_of_the_files_is_refused(
    open_store: Open, path: Path, start: Callable[..., "Popen[str]"], where: str
) -> None:
    with open_store():
        if where == "this process":
            with pytest.raises(core.StoreBusyError):
                open_store()
        else:
            code = "import sys; from mooring import core; core.open(sys.argv[1])"
            child = start(code, f"keyvalue:{path}")
            _, errors = child.communicate(timeout=PATIENCE)
            assert "StoreBusyError" in errors
    open_store().close()


def test_its_files_are_its_users_alone(open_store: Open, tmp_path: Path) -> None:
    with open_store() as store:
        store.put("a", b"1")
        store.put("b", b"1")
    modes = {
        file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()
    }

    assert set(modes.values()) == {0o600}, modes


def test_a_crash_while_the_index_is_written_leaves_the_one_before(
    open_store: Open, path: Path
) -> None:
    with open_store() as store:
        store.put("a", b"1")
    path.with_name("values.dir").rename(path.with_name("values.bak"))

    with open_store() as store:
        assert store.get("a") == b"1"


def test_a_damaged_index_is_told_and_not_changed(open_store: Open, path: Path) -> None:
    with open_store() as store:
        store.put("a", b"1")
    index = path.with_name("values.dir")
    index.write_text("'a', (0,")

    with pytest.raises(core.CorruptStoreError, match="damaged"):
        open_store()
    assert index.read_text() == "'a', (0,"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"path": ""}, core.ConfigError),
        ({"path": "folder/"}, core.ConfigError),
        ({"create": False}, core.OpenError),
        ({"path": "/proc/none/values"}, core.OpenError),
    ],
    ids=str,
)
def test_what_cannot_be_opened_is_told_and_leaves_nothing(
    open_store: Open, tmp_path: Path, options: Any, kind: type[core.MooringError]
) -> None:
    with pytest.raises(kind):
        open_store(**options)

    assert list(tmp_path.iterdir()) == []
