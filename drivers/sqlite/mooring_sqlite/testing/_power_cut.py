"""What a power cut leaves of the files on a disk.

What was synced is there afterwards. Of the rest, each write may be there, or not, or
some of its sectors; so may each new name of a file. That is what SQLite expects of a
disk, and no more ("Atomic Commit In SQLite", section "Hardware Assumptions"): bytes
beside a write keep their values ("Powersafe Overwrite"), and a file that grew may have
anything where the write did not arrive.
"""

import os
from random import Random
from typing import Final, Literal

import attrs

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

Mode = Literal["dropped", "in order", "reordered", "torn"]
MODES: Final[tuple[Mode, ...]] = ("dropped", "in order", "reordered", "torn")

# What a disk writes whole.
SECTOR: Final = 512


@attrs.frozen(kw_only=True)
class Remains:
    """What a power cut left.

    Attributes:
        files: The content of each file, by its path.
        noted: What had been noted before it, in order.
        mode: What became of the writes that were not synced.
    """

    files: dict[str, bytes]
    noted: tuple[str, ...]
    mode: Mode

    def write_to(self, folder: str) -> None:
        """Write the files, under their names, into another folder that exists."""
        for path, content in self.files.items():
            with open(os.path.join(folder, os.path.basename(path)), "wb") as file:
                file.write(content)


class DiskState:
    """The files on a disk at one moment: what is safe of them, and what is not."""

    def __init__(self, before: dict[str, bytes]) -> None:
        self._contents = {n: _Content(safe) for n, safe in enumerate(before.values())}
        self._names = {path: number for number, path in enumerate(before)}
        self._pending: list[tuple[int, Entered | Removed]] = []
        self._noted: list[str] = []

    def apply(self, number: int, event: Event) -> None:
        match event:
            case Written() | Truncated():
                self._contents[event.file].pending.append((number, event))
            case Synced():
                self._contents[event.file].sync(event.begun)
            case Entered():
                self._contents[event.file] = _Content(b"")
                self._pending.append((number, event))
            case Removed():
                self._pending.append((number, event))
            case FolderSynced():
                self._sync_names(event)
            case Noted():
                self._noted.append(event.text)

    def cut(self, random: Random) -> Remains:
        mode = random.choice(MODES)
        names = dict(self._names)
        for _, event in self._pending:
            if mode != "dropped" and random.random() < 0.5:
                _rename(names, event)
        return Remains(
            files={
                path: self._contents[number].cut(mode, random)
                for path, number in names.items()
            },
            noted=tuple(self._noted),
            mode=mode,
        )

    def _sync_names(self, synced: FolderSynced) -> None:
        left = []
        for number, event in self._pending:
            if number < synced.begun and os.path.dirname(event.path) == synced.folder:
                _rename(self._names, event)
            else:
                left.append((number, event))
        self._pending = left


def _rename(names: dict[str, int], event: Entered | Removed) -> None:
    if type(event) is Entered:
        names[event.path] = event.file
    else:
        names.pop(event.path, None)


class _Content:
    """One file: its safe bytes, and the writes that are not."""

    def __init__(self, safe: bytes) -> None:
        self.safe = bytearray(safe)
        self.pending: list[tuple[int, Written | Truncated]] = []

    def sync(self, begun: int) -> None:
        for number, event in self.pending:
            if number < begun:
                _apply(self.safe, event)
        self.pending = [(n, event) for n, event in self.pending if n >= begun]

    def cut(self, mode: Mode, random: Random) -> bytes:
        content = bytearray(self.safe)
        if mode == "dropped":
            return bytes(content)
        events = [event for _, event in self.pending]
        if mode == "in order":
            events = events[: random.randint(0, len(events))]
        elif mode == "reordered":
            events = [event for event in events if random.random() < 0.5]
        for event in events:
            if mode == "torn" and type(event) is Written:
                _tear(content, event, random)
            elif mode != "torn" or random.random() < 0.5:
                _apply(content, event)
        return bytes(content)


def _apply(content: bytearray, event: Written | Truncated) -> None:
    if type(event) is Written:
        _grow(content, event.offset)
        content[event.offset : event.offset + len(event.data)] = event.data
    elif type(event) is Truncated:
        del content[event.size :]
        _grow(content, event.size)


def _tear(content: bytearray, event: Written, random: Random) -> None:
    """Let some of the sectors arrive that a write touches."""
    start, end = event.offset, event.offset + len(event.data)
    if random.random() < 0.5 and end > len(content):
        # The file has its new length, and there what was on the disk before.
        content += random.randbytes(end - len(content))
    while start < end:
        edge = min((start // SECTOR + 1) * SECTOR, end)
        if random.random() < 0.5:
            _grow(content, start)
            piece = event.data[start - event.offset : edge - event.offset]
            content[start:edge] = piece
        start = edge


def _grow(content: bytearray, size: int) -> None:
    if len(content) < size:
        content += bytes(size - len(content))
