"""Imports by their first use: done once, and never left locked by a signal."""

import sys
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from mooring.core import _imports, import_safely

Spawn = Callable[..., "Future[Any]"]

PATIENCE = 5.0
# Where a signal's exception can come up amid an import, in the thread that asks for it.
LOADERS = ("importlib", "importlib._bootstrap", "mooring.core._imports")


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that nobody has imported."""
    (tmp_path / "late_module.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "late_module", raising=False)
    return "late_module"


def interrupted(work: Callable[[], object], point: int) -> BaseException | None:
    """Return the KeyboardInterrupt that came at that point; None if there was none."""
    left = point

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        if event not in ("call", "c_return"):
            return
        if frame.f_globals.get("__name__") in LOADERS:
            left -= 1
            if left < 0:
                sys.setprofile(None)
                raise KeyboardInterrupt

    sys.setprofile(count)
    try:
        work()
    except KeyboardInterrupt as error:
        return error  # with its frames, as whoever handles it has them
    finally:
        sys.setprofile(None)
    return None


def test_an_import_that_is_interrupted_keeps_nobody_waiting(
    late: str, spawn: Spawn
) -> None:
    point = 0
    while (error := interrupted(lambda: import_safely(late), point)) is not None:
        spawn(import_module, late).result(PATIENCE)
        sys.modules.pop(late, None)
        del error
        point += 1

    assert point > 5
    assert sys.modules[late].value == 1


def test_what_an_import_raises_comes_through(spawn: Spawn) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        import_safely("no_such_module")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        spawn(import_safely, "no_such_module").result(PATIENCE)


def test_where_no_thread_can_be_started_it_is_imported_here(
    late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_imports, "start_new_thread", refuse)
    import_safely(late)

    assert late in sys.modules


def test_a_class_is_imported_by_its_first_use_and_stays(late: str) -> None:
    class Owner:
        value = _imports.first_use(late, "value")

    assert late not in sys.modules
    assert Owner().value == 1
    assert vars(Owner)["value"] == 1
