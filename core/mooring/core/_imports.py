"""Imports by their first use, which no signal can harm.

`importlib` takes a lock for each module that it loads, in Python code. A signal's
exception, such as a Ctrl-C, may come between, and then that lock stays taken: whoever
else wants the module waits for ever. Signals are handled by the main thread alone, so
another one does such imports for it.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock, start_new_thread
from importlib import import_module
from threading import get_ident, main_thread
from typing import Any


def import_safely(name: str) -> None:
    """Import a module, so that an import statement finds it loaded.

    For statements inside of functions that any thread may call at any time. Where it
    is loaded already, this takes less time than the statement.

    Args:
        name: The module's full name.

    Raises:
        Exception: What the import raised. What a signal raised meanwhile comes through,
            too; the import goes on without.
    """
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is not None and not getattr(spec, "_initializing", False):
        return
    if get_ident() != main_thread().ident:
        import_module(name)
        return
    failed: list[BaseException] = []
    done = allocate_lock()
    done.acquire()

    def load() -> None:
        try:
            import_module(name)
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)
        finally:
            done.release()

    try:
        start_new_thread(load, ())
    except RuntimeError:  # there can be no more threads, or the interpreter ends
        import_module(name)
        return
    done.acquire()
    if failed:
        raise failed[0]


class _FirstUse:
    """Stands for a class, in another one, until that is asked for it."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._owner, self._attribute = owner, attribute

    def __get__(self, instance: object, owner: type) -> Any:
        import_safely(self._module)
        found = getattr(sys.modules[self._module], self._name)
        setattr(self._owner, self._attribute, found)
        return found


def first_use(module: str, name: str) -> Any:
    """Return a class as an attribute of another one, imported by its first use."""
    return _FirstUse(module, name)
