"""What SQLite and its file systems share, laid out as in C.

"OS Interface Object" and "OS Interface File Virtual Methods Object" on sqlite.org. A
method that nobody here calls or replaces is an address and no more.
"""

import ctypes
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from typing import Any, ClassVar

# A function made of one of these lets other threads run while SQLite's own is at work,
# and takes the interpreter's lock when SQLite calls one of Python's.
#
# Names of files stay addresses: what SQLite keeps behind them (parameters of a URI)
# would be lost with a copy.
OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
DELETE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
CLOSE = CFUNCTYPE(c_int, c_void_p)
WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
SYNC = CFUNCTYPE(c_int, c_void_p, c_int)
# "openDirectory" among the system calls of the file system "unix".
OPEN_FOLDER = CFUNCTYPE(c_int, c_char_p, POINTER(c_int))
GET_SYSTEM_CALL = CFUNCTYPE(c_void_p, c_void_p, c_char_p)
SET_SYSTEM_CALL = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p)

Fields = tuple[tuple[str, Any], ...]


def _addresses(*names: str) -> Fields:
    return tuple((name, c_void_p) for name in names)


class Vfs(ctypes.Structure):
    """``sqlite3_vfs``, a file system as SQLite sees it."""

    _fields_: ClassVar[Any] = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        *_addresses("xOpen", "xDelete", "xAccess", "xFullPathname"),
        *_addresses("xDlOpen", "xDlError", "xDlSym", "xDlClose"),
        *_addresses("xRandomness", "xSleep", "xCurrentTime", "xGetLastError"),
        *_addresses("xCurrentTimeInt64"),  # from version 2 on
        *_addresses("xSetSystemCall", "xGetSystemCall", "xNextSystemCall"),  # 3
    )
    # Of each version, the last field that it has.
    LAST: ClassVar = {1: "xGetLastError", 2: "xCurrentTimeInt64", 3: "xNextSystemCall"}


class IoMethods(ctypes.Structure):
    """``sqlite3_io_methods``, what can be done with an open file."""

    _fields_: ClassVar[Any] = (
        ("iVersion", c_int),
        *_addresses("xClose", "xRead", "xWrite", "xTruncate", "xSync", "xFileSize"),
        *_addresses("xLock", "xUnlock", "xCheckReservedLock", "xFileControl"),
        *_addresses("xSectorSize", "xDeviceCharacteristics"),
        *_addresses("xShmMap", "xShmLock", "xShmBarrier", "xShmUnmap"),  # version 2
        *_addresses("xFetch", "xUnfetch"),  # version 3
    )
    LAST: ClassVar = {1: "xDeviceCharacteristics", 2: "xShmUnmap", 3: "xUnfetch"}


def copy_of(original: Vfs | IoMethods) -> Any:
    """Return a copy in memory of our own, of no later version than is known here.

    An original of an earlier version is shorter: what lies behind it is not read.
    """
    kind = type(original)
    copy = kind()
    version = min(original.iVersion, max(kind.LAST))
    last = getattr(kind, kind.LAST[version])
    ctypes.memmove(ctypes.byref(copy), ctypes.byref(original), last.offset + last.size)
    copy.iVersion = version
    return copy
