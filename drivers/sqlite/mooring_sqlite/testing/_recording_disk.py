"""A disk that remembers what it was asked, in order, for power cuts afterwards."""

import os
import threading
from collections.abc import Callable

from mooring_sqlite.testing._disk import Disk, File, Go
from mooring_sqlite.testing._disk_events import (
    Entered,
    Event,
    FolderSynced,
    Noted,
    Removed,
    Synced,
    Truncated,
    Written,
)
from mooring_sqlite.testing._recording import Recording


class RecordingDisk(Disk):
    """A disk that works, and remembers each write, truncation, sync and name.

    What is in the folder already when this is made counts as safe on the disk. No
    connection of this process may be open then: the files are read.

    Args:
        folder: The path of the folder whose files are remembered.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder = os.path.realpath(folder)
        self._events: list[Event] = []
        # By path, which of the files that ever had this name has it now.
        self._names: dict[str, int] = {}
        self._numbers: dict[File, int] = {}
        self._before: dict[str, bytes] = {}
        self._here = threading.local()
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                self._before[path] = _content(path)
                self._names[path] = len(self._names)
        self._next = len(self._names)

    def note(self, text: str) -> None:
        """Remember that something happened just now: a commit was acknowledged."""
        self._events.append(Noted(text=text))

    def recording(self) -> Recording:
        """Return what there is so far."""
        return Recording(before=dict(self._before), events=tuple(self._events))

    def open(self, file: File, go: Go) -> int:
        """Open a file; a new one has a name that is not safe yet."""
        unknown = self._concerns(file) and (
            file.path not in self._names or not file.was_there
        )
        # Somebody else made it: until here this process had no lock on it to lose.
        content = _content(file.path) if unknown and file.was_there else b""
        code = go()
        if code == 0 and unknown:
            self._enter(file.path, content)
        if code == 0 and self._concerns(file):
            self._numbers[file] = self._names[file.path]
        return code

    def write(
        self, file: File, data: bytes, offset: int, go: Callable[[int], int]
    ) -> int:
        """Write, and remember what."""
        code = go(len(data))
        if code == 0 and file in self._numbers:
            number = self._numbers[file]
            self._events.append(Written(file=number, offset=offset, data=data))
        return code

    def truncate(self, file: File, size: int, go: Go) -> int:
        """Truncate, and remember where."""
        code = go()
        if code == 0 and file in self._numbers:
            self._events.append(Truncated(file=self._numbers[file], size=size))
        return code

    def sync(self, file: File, go: Go) -> int:
        """Sync, and remember what was written before it began."""
        begun = len(self._events)
        code = self._with_folders(go)
        if code == 0 and file in self._numbers:
            self._events.append(Synced(file=self._numbers[file], begun=begun))
        return code

    def delete(self, path: str, go: Go) -> int:
        """Delete, and remember the name."""
        # Before it is done, since its folder may be synced with it.
        if self._names.pop(path, None) is not None:
            self._events.append(Removed(path=path))
        return self._with_folders(go)

    def sync_folder(self, folder: str) -> None:
        """Be told of it by SQLite, from within a sync or a deletion."""
        self._here.folders.append(folder)

    def _with_folders(self, go: Go) -> int:
        """Do something in which folders may be synced, and remember those."""
        self._here.folders = []
        begun = len(self._events)
        code = go()
        for folder in self._here.folders:
            self._events.append(FolderSynced(folder=folder, begun=begun))
        return code

    def _concerns(self, file: File) -> bool:
        return file.kind != "temporary" and os.path.dirname(file.path) == self._folder

    def _enter(self, path: str, content: bytes) -> None:
        number, self._next = self._next, self._next + 1
        self._names[path] = number
        self._events.append(Entered(path=path, file=number))
        if content:
            self._events.append(Written(file=number, offset=0, data=content))


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
