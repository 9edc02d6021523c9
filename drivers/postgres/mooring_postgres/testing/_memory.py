"""Where files can be kept in memory, for data that nobody misses afterwards."""

import os
from typing import Final

# A file system in memory on every Linux with glibc: shm_overview(7).
_FOLDER: Final = "/dev/shm"  # noqa: S108 - made there by mkdtemp
# New data of PostgreSQL take some 50 MB, its write-ahead log what `_settings` allows.
_ROOM: Final = 1 << 30


def memory_folders() -> tuple[str, ...]:
    """Return the folder for files in memory, if there is one with room for a server.

    In a container it often has none. Programs must run from it, as those of a server
    may be copied beside its data.
    """
    try:
        found = os.statvfs(_FOLDER)
    except OSError:
        return ()
    room = found.f_bavail * found.f_frsize
    return (_FOLDER,) if room >= _ROOM and not found.f_flag & os.ST_NOEXEC else ()
