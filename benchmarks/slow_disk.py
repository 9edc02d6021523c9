"""A disk whose flush takes longer: SQLite's own file layer, with a pause in xSync.

A fast disk hides what is gained where transactions share a flush. Consumer SSDs flush
in 0.3 to 1 ms, network block storage in 1 to 4 ms. What is changed is SQLite's default
layer ("The SQLite OS Interface or VFS" on sqlite.org) itself, so that whoever opens a
file in this process, through whatever library, is slowed alike.
"""

import _sqlite3
import ctypes
import time
from collections.abc import Callable
from typing import Any

_POINTER = ctypes.c_void_p


class _Methods(ctypes.Structure):
    """``sqlite3_io_methods``, up to version 3."""

    _fields_ = (
        ("version", ctypes.c_int),
        *((name, _POINTER) for name in ("close", "read", "write", "truncate")),
        ("sync", _POINTER),
        *((f"further{number}", _POINTER) for number in range(13)),
    )


class _File(ctypes.Structure):
    """``sqlite3_file``."""

    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


class _Vfs(ctypes.Structure):
    """``sqlite3_vfs``, up to version 3."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("max_pathname", ctypes.c_int),
        ("next", _POINTER),
        ("name", ctypes.c_char_p),
        ("app_data", _POINTER),
        ("open", _POINTER),
        *((f"further{number}", _POINTER) for number in range(15)),
    )


_Sync = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int)
_Open = ctypes.CFUNCTYPE(
    ctypes.c_int,
    _POINTER,
    _POINTER,
    ctypes.POINTER(_File),
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_int),
)
# SQLite keeps pointers into these for as long as the process lives.
_kept: list[object] = []


def slow_down(seconds: float, address: int | None = None) -> Callable[[], int]:
    """Let every flush of a SQLite in this process take *seconds* longer, from now on.

    Files that are open already are not slowed. The pause releases the interpreter's
    lock, as the flush itself does.

    Args:
        seconds: How much longer.
        address: Where that SQLite has its default layer; by default that of `sqlite3`.

    Returns:
        What says how many flushes were made since.
    """
    vfs = _default() if address is None else _Vfs.from_address(address)
    open_original = _Open(vfs.open)
    tables: dict[int, Any] = {}
    flushes = 0

    def table_for(methods: Any) -> Any:
        """Return a copy of a file's methods whose sync pauses."""
        address = ctypes.addressof(methods.contents)
        if address not in tables:
            copy = _Methods.from_buffer_copy(methods.contents)
            sync_original = _Sync(copy.sync)

            def sync(file: Any, flags: int) -> int:
                nonlocal flushes
                flushes += 1
                time.sleep(seconds)
                return int(sync_original(file, flags))

            slow = _Sync(sync)
            copy.sync = ctypes.cast(slow, _POINTER)
            _kept.append(slow)
            tables[address] = copy
        return ctypes.pointer(tables[address])

    def open_file(vfs: Any, name: Any, file: Any, flags: int, out: Any) -> int:
        answer = open_original(vfs, name, file, flags, out)
        if answer == 0 and file.contents.methods:
            file.contents.methods = table_for(file.contents.methods)
        return int(answer)

    opened = _Open(open_file)
    _kept.extend((opened, open_original, tables))
    vfs.open = ctypes.cast(opened, _POINTER)
    return lambda: flushes


def _default() -> _Vfs:
    """Return the default layer of the copy of SQLite that `sqlite3` uses."""
    # It has no file of its own where it is built into the interpreter.
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    library.sqlite3_vfs_find.argtypes = (ctypes.c_char_p,)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    found: _Vfs = library.sqlite3_vfs_find(None).contents
    return found
