"""Lets a file system of SQLite ask a `Disk` ("The OS Interface or VFS", sqlite.org).

The functions of the default one that open and delete files are replaced in memory by
callbacks into Python; each file that is opened gets a copy of its table of functions,
with some replaced. Locks, shared memory and all else stay SQLite's own.
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
from mooring_sqlite.testing._library import default_vfs
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

_FOLDER_CALL = b"openDirectory"

_installed: "list[_Shim]" = []


def install_shim(disk: Disk, *, vfs: int | None = None) -> None:
    """Put *disk* under every file that this process opens with SQLite from now on.

    It stays there until the process ends: meant for a child process of a test, or of a
    benchmark. Close all connections before it ends. Those of other processes have
    their own file system, and share locks and memory with it as ever.

    Args:
        disk: What is asked instead of SQLite's own functions.
        vfs: Of another copy of SQLite in this process, the address of its default
            ``sqlite3_vfs``; by default it is about that of the module ``sqlite3``.

    Raises:
        ShimError: This Python's SQLite cannot be reached, or there is one already.
    """
    if _installed:
        raise ShimError(
            "this process has a disk for tests already",
            hint="start a process for each, or let one disk do both",
        )
    shim = _Shim(disk, default_vfs() if vfs is None else vfs)
    shim.install()
    _installed.append(shim)


class _Shim:
    """A file system of SQLite, some of whose functions are replaced in memory."""

    def __init__(self, disk: Disk, address: int) -> None:
        self._disk = disk
        self._hooks = disk.hooks()
        self._address = address
        # By address: the tables of functions that were copied, and the open files.
        self._tables: dict[int, IoMethods] = {}
        self._files: dict[int, File] = {}

    def install(self) -> None:
        """Replace what opens and deletes files."""
        vfs = Vfs.from_address(self._address)
        open_original = OPEN(vfs.xOpen)
        delete_original = DELETE(vfs.xDelete)

        def x_open(
            vfs: int, name: int | None, address: int, flags: int, out: int
        ) -> int:
            ctypes.c_void_p.from_address(address).value = None  # nothing is open yet
            path = os.fsdecode(ctypes.string_at(name)) if name else ""
            file = File(path, flags)

            def go() -> int:
                code: int = open_original(vfs, name, address, flags, out)
                methods = ctypes.c_void_p.from_address(address)
                if methods.value:
                    self._files[address] = file
                    methods.value = ctypes.addressof(self._table(methods.value))
                return code

            return self._disk.open(file, go)

        def x_delete(vfs: int, name: int, sync_folder: int) -> int:
            path = os.fsdecode(ctypes.string_at(name))

            def go() -> int:
                return int(delete_original(vfs, name, sync_folder))

            return self._disk.delete(path, go)

        if "sync_folder" in self._hooks:
            self._watch_folders(vfs)
        if "delete" in self._hooks:
            vfs.xDelete = _address(DELETE, x_delete)
        vfs.xOpen = _address(OPEN, x_open)

    def _watch_folders(self, vfs: Vfs) -> None:
        """Be told when the file system opens a folder, which it does to sync it."""
        if vfs.iVersion < 3 or not vfs.xSetSystemCall:
            raise ShimError("this file system does not tell when it syncs a folder")
        address = GET_SYSTEM_CALL(vfs.xGetSystemCall)(self._address, _FOLDER_CALL)
        if not address:
            raise ShimError("this file system does not tell when it syncs a folder")
        call_original = OPEN_FOLDER(address)

        def open_folder(path: bytes, out: Any) -> int:
            # SQLite names a file in it.
            self._disk.sync_folder(os.path.dirname(os.fsdecode(path)))
            return int(call_original(path, out))

        replacement = _address(OPEN_FOLDER, open_folder)
        SET_SYSTEM_CALL(vfs.xSetSystemCall)(self._address, _FOLDER_CALL, replacement)

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
