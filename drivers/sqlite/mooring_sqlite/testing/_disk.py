"""What stands between SQLite and its files, for subclasses to disturb or to watch."""

import os
from collections.abc import Callable
from typing import ClassVar, Literal

Kind = Literal["database", "journal", "wal", "temporary"]
# The flags of sqlite3_vfs.xOpen that say what a file is for (sqlite3.h).
_KINDS: dict[int, Kind] = {
    0x00000100: "database",
    0x00000800: "journal",
    0x00004000: "journal",
    0x00080000: "wal",
}

Go = Callable[[], int]


class File:
    """A file that SQLite has open.

    Attributes:
        path: Its absolute path; "" for one that SQLite keeps to itself.
        kind: What it is for: temporary ones last no longer than a connection.
        was_there: Whether it existed before it was opened.
    """

    __slots__ = ("kind", "path", "was_there")

    def __init__(self, path: str, flags: int) -> None:
        self.path = path
        self.kind: Kind = "temporary"
        for flag, kind in _KINDS.items():
            if flags & flag:
                self.kind = kind
        self.was_there = bool(path) and os.path.exists(path)


class Disk:
    """A disk under SQLite that does what it is asked.

    A subclass overrides what it disturbs or watches; SQLite calls these methods for
    each file that is opened after `install_shim`, from the thread that uses the
    connection. Each returns a result code of SQLite ("Result and Error Codes" on
    sqlite.org), 0 for success; what it raises is printed, and fails with SQLITE_IOERR.
    What is not overridden costs nothing: SQLite calls its own function.

    The shared memory of the write-ahead log is none of the disk's: SQLite makes it
    anew where it is lost.
    """

    def open(self, file: File, go: Go) -> int:  # noqa: ARG002 - for subclasses
        """Open a file, by *go*."""
        return go()

    def write(
        self,
        file: File,  # noqa: ARG002 - for subclasses
        data: bytes,
        offset: int,  # noqa: ARG002 - for subclasses
        go: Callable[[int], int],
    ) -> int:
        """Write *data* at *offset*, in bytes; ``go(n)`` writes its first n bytes."""
        return go(len(data))

    def truncate(self, file: File, size: int, go: Go) -> int:  # noqa: ARG002 - for subclasses
        """Cut a file down to *size* bytes."""
        return go()

    def sync(self, file: File, go: Go) -> int:  # noqa: ARG002 - for subclasses
        """Make all that was written to a file permanent.

        Where SQLite syncs the folder too, `sync_folder` is called from within *go*.
        """
        return go()

    def delete(self, path: str, go: Go) -> int:  # noqa: ARG002 - for subclasses
        """Delete the file at *path*."""
        return go()

    def sync_folder(self, folder: str) -> None:
        """Be told that the names in *folder* are about to be made permanent."""

    # Which of the above a subclass may leave as they are, and SQLite's own stay.
    HOOKS: ClassVar = ("write", "truncate", "sync", "delete", "sync_folder")

    def hooks(self) -> frozenset[str]:
        """Return the names of those that were overridden."""
        own = type(self)
        return frozenset(
            name for name in self.HOOKS if getattr(own, name) is not getattr(Disk, name)
        )
