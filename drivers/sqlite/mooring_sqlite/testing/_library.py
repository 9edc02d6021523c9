"""The SQLite library that ``sqlite3`` uses, for calls that the module does not make."""

import _sqlite3
import ctypes
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache

from mooring_sqlite.testing._errors import ShimError
from mooring_sqlite.testing._structures import Vfs, copy_of

_PROBE = b"mooring-probe"


@lru_cache(maxsize=1)
def sqlite_library() -> ctypes.CDLL:
    """Return the library, with the functions about file systems declared.

    Raises:
        ShimError: It cannot be reached: it is linked into another file, which keeps
            its functions to itself.
    """
    for library in _candidates():
        try:
            library.sqlite3_vfs_find.argtypes = (ctypes.c_char_p,)
            library.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
            library.sqlite3_vfs_register.argtypes = (ctypes.POINTER(Vfs), ctypes.c_int)
            library.sqlite3_vfs_unregister.argtypes = (ctypes.POINTER(Vfs),)
        except AttributeError:
            continue
        if _is_the_one(library):
            return library
    raise ShimError(
        f"the functions of SQLite {sqlite3.sqlite_version} cannot be called from"
        " outside of the module sqlite3 of this Python",
        hint="use a Python whose sqlite3 is linked to a shared libsqlite3, as those of"
        " Linux distributions are",
    )


def default_vfs() -> int:
    """Return the address of the file system that connections have by default.

    Raises:
        ShimError: The library cannot be reached.
    """
    return ctypes.addressof(sqlite_library().sqlite3_vfs_find(None).contents)


def shim_problem() -> str | None:
    """Return why this process can have no disk for tests; None if it can."""
    try:
        sqlite_library()
    except ShimError as error:
        return error.message
    return None


def _candidates() -> Iterator[ctypes.CDLL]:
    # A handle of the extension module finds the functions of what it is linked to.
    # Where it is part of the interpreter, those of the whole process are looked at.
    for file in (getattr(_sqlite3, "__file__", None), None):
        try:
            yield ctypes.CDLL(file)
        except OSError:
            continue


def _is_the_one(library: ctypes.CDLL) -> bool:
    """Say whether ``sqlite3`` sees what is registered there.

    A process can hold two copies of SQLite, of one version even.
    """
    probe = copy_of(library.sqlite3_vfs_find(None).contents)
    probe.pNext, probe.zName = None, _PROBE
    library.sqlite3_vfs_register(ctypes.byref(probe), 0)
    try:
        # A temporary database, for which no file is made before it is written to.
        uri = f"file:?vfs={_PROBE.decode()}"
        with closing(sqlite3.connect(uri, uri=True)):
            return True
    except sqlite3.OperationalError:  # no such vfs
        return False
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(probe))
