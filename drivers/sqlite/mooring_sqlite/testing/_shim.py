"""A file system of SQLite that asks a `Disk` ("The OS Interface or VFS", sqlite.org).

It is a copy of the default one, with some of its functions replaced by callbacks into
Python. So is the table of functions of each file that it opens: locks, shared memory
and all else stay the original's.
"""

import ctypes
import os
import sqlite3
import sys
import traceback
from collections.abc import Callable
from typing import Any

from mooring_sqlite.testing._disk import Disk, File
from mooring_sqlite.testing._errors import ShimError
from mooring_sqlite.testing._library import sqlite_library
from mooring_sqlite.testing._structures import (
    CLOSE,
    DELETE,
    GET_SYSTEM_CALL,
    OPEN,
    OPEN_FOLDER,
    SET_SYSTEM_CALL,
    SYNC,
    TRUNCATE,
    WRITE,
    IoMethods,
    Vfs,
    copy_of,
)

_NAME = b"mooring-shim"
_FOLDER_CALL = b"openDirectory"

_installed: "list[_Shim]" = []


def install_shim(disk: Disk) -> None:
    """Put *disk* under every connection that this process opens from now on.

    It stays there until the process ends: meant for a child process of a test, or of a
    benchmark. Close all connections before it ends. Those of other processes have
    their own file system, and share locks and memory with it as ever.

    Raises:
        ShimError: This Python's SQLite cannot be reached, or there is one already.
    """
    if _installed:
        raise ShimError(
            "this process has a disk for tests already",
            hint="start a process for each, or let one disk do both",
        )
    shim = _Shim(sqlite_library(), disk)
    shim.register()
    _installed.append(shim)


class _Shim:
    """The copied tables, and the functions that stand in them."""

    def __init__(self, library: ctypes.CDLL, disk: Disk) -> None:
        self._library = library
        self._disk = disk
        self._hooks = disk.hooks()
        self._original = library.sqlite3_vfs_find(None)
        self._vfs: Vfs = copy_of(self._original.contents)
        # By address: the tables of functions that were copied, and the open files.
        self._tables: dict[int, IoMethods] = {}
        self._files: dict[int, File] = {}

    def register(self) -> None:
        """Become the default file system of this process."""
        vfs = self._vfs
        open_original = OPEN(vfs.xOpen)
        delete_original = DELETE(vfs.xDelete)
        original = ctypes.addressof(self._original.contents)

        def x_open(_: int, name: int | None, address: int, flags: int, out: int) -> int:
            ctypes.c_void_p.from_address(address).value = None  # nothing is open yet
            path = os.fsdecode(ctypes.string_at(name)) if name else ""
            file = File(path, flags)

            def go() -> int:
                code: int = open_original(original, name, address, flags, out)
                methods = ctypes.c_void_p.from_address(address)
                if methods.value:
                    self._files[address] = file
                    methods.value = ctypes.addressof(self._table(methods.value))
                return code

            return self._disk.open(file, go)

        def x_delete(_: int, name: int, sync_folder: int) -> int:
            path = os.fsdecode(ctypes.string_at(name))

            def go() -> int:
                return int(delete_original(original, name, sync_folder))

            return self._disk.delete(path, go)

        vfs.zName, vfs.pNext = _NAME, None
        vfs.xOpen = _address(OPEN, x_open)
        if "delete" in self._hooks:
            vfs.xDelete = _address(DELETE, x_delete)
        if "sync_folder" in self._hooks:
            self._watch_folders()
        code = self._library.sqlite3_vfs_register(ctypes.byref(vfs), 1)
        if code != sqlite3.SQLITE_OK:
            raise ShimError(f"SQLite refused to register it: result code {code}")

    def _watch_folders(self) -> None:
        """Be told when the file system opens a folder, which it does to sync it."""
        vfs = self._vfs
        if vfs.iVersion < 3 or not vfs.xSetSystemCall:
            raise ShimError("this file system does not tell when it syncs a folder")
        address = GET_SYSTEM_CALL(vfs.xGetSystemCall)(self._original, _FOLDER_CALL)
        if not address:
            raise ShimError("this file system does not tell when it syncs a folder")
        call_original = OPEN_FOLDER(address)

        def open_folder(path: bytes, out: Any) -> int:
            # SQLite names a file in it.
            self._disk.sync_folder(os.path.dirname(os.fsdecode(path)))
            return int(call_original(path, out))

        replacement = _address(OPEN_FOLDER, open_folder)
        SET_SYSTEM_CALL(vfs.xSetSystemCall)(self._original, _FOLDER_CALL, replacement)

    def _table(self, address: int) -> IoMethods:
        """Return the copy of a table of functions, made for its first file."""
        if address not in self._tables:
            copy = self._replaced(IoMethods.from_address(address))
            # Another thread may have been faster, and its copy is in use.
            self._tables.setdefault(address, copy)
        return self._tables[address]

    def _replaced(self, original: IoMethods) -> IoMethods:
        table: IoMethods = copy_of(original)
        disk, files = self._disk, self._files
        close = CLOSE(original.xClose)
        write = WRITE(original.xWrite)
        truncate = TRUNCATE(original.xTruncate)
        sync = SYNC(original.xSync)

        def x_close(address: int) -> int:
            files.pop(address, None)  # the next file may have its address
            return int(close(address))

        def x_write(address: int, data: int, size: int, offset: int) -> int:
            return disk.write(
                files[address],
                ctypes.string_at(data, size),
                offset,
                lambda n: write(address, data, n, offset),
            )

        def x_truncate(address: int, size: int) -> int:
            return disk.truncate(files[address], size, lambda: truncate(address, size))

        def x_sync(address: int, flags: int) -> int:
            return disk.sync(files[address], lambda: sync(address, flags))

        table.xClose = _address(CLOSE, x_close)
        if "write" in self._hooks:
            table.xWrite = _address(WRITE, x_write)
        if "truncate" in self._hooks:
            table.xTruncate = _address(TRUNCATE, x_truncate)
        if "sync" in self._hooks:
            table.xSync = _address(SYNC, x_sync)
        return table


def _address(kind: Any, function: Callable[..., int]) -> int | None:
    """Return the address of a C function that calls *function*, valid for ever."""

    def guarded(*arguments: Any) -> int:
        # What a callback raises, ctypes would print, and answer 0: success.
        try:
            return function(*arguments)
        except BaseException:  # noqa: BLE001 - SQLite has to hear of it, whatever it is
            traceback.print_exc(file=sys.stderr)
            return sqlite3.SQLITE_IOERR

    callback = kind(guarded)
    # A connection that is closed while the interpreter ends still calls it.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(callback))
    return ctypes.cast(callback, ctypes.c_void_p).value
