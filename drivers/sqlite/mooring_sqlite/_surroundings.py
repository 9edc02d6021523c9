"""Where the database lies: its files, their folder, and the file system below."""

import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mooring.core import Check

from mooring_sqlite._config import MIB
from mooring_sqlite._mount import file_system, is_network
from mooring_sqlite._path import user_name

if TYPE_CHECKING:
    from mooring_sqlite._store import SqliteStore

# Below this a checkpoint of the write-ahead log may not fit any more.
_LEAST_FREE: Final = 16 * MIB
_BESIDE: Final = ("", "-wal", "-shm")


def disk(store: "SqliteStore") -> Check:
    """Look whether there is room left to write."""
    try:
        found = os.statvfs(os.path.dirname(store.location.path))
    except OSError as error:
        return _not_there("disk", error)
    free = found.f_bavail * found.f_frsize
    detail = f"{free // MIB} MiB free"
    if free >= _LEAST_FREE:
        return Check(name="disk", status="ok", detail=detail)
    return Check(
        name="disk",
        status="failed",
        detail=detail,
        fix=f"make room: a checkpoint needs {_LEAST_FREE // MIB} MiB",
    )


def surroundings(store: "SqliteStore") -> Iterator[Check]:
    """Look at what only a deep check asks for."""
    yield _files(store.location.path)
    yield _folder(os.path.dirname(store.location.path))
    yield _file_system(store)


def _files(path: str) -> Check:
    """Look at who may read and write the database and the files beside it."""
    shown, found = [], []
    for ending in _BESIDE:
        try:
            seen = os.stat(path + ending)
        except FileNotFoundError as error:
            if not ending:
                return _not_there("file", error)
            continue  # SQLite makes it when it needs it
        mode = stat.S_IMODE(seen.st_mode)
        name = os.path.basename(path) + ending
        shown.append(f"{name} mode {mode:04o} of {user_name(seen.st_uid)}")
        if mode & stat.S_IWOTH:
            found.append(("failed", f"everybody on this machine may change {name}"))
        elif mode & stat.S_IROTH:
            found.append(("warning", f"everybody on this machine may read {name}"))
        elif mode & stat.S_IWGRP:
            found.append(("warning", f"the group may change {name}"))
        if _is_strange(seen.st_uid):
            found.append(("warning", f"{name} belongs to {user_name(seen.st_uid)}"))
    fix = f"chmod 600 {path}*, owned by the user that runs the application"
    return _verdict("file", shown, found, fix)


def _folder(path: str) -> Check:
    """Look at who may remove the database, or put another in its place."""
    try:
        seen = os.stat(path)
    except OSError as error:
        return _not_there("folder", error)
    mode = stat.S_IMODE(seen.st_mode)
    shown = [f"{path} mode {mode:04o} of {user_name(seen.st_uid)}"]
    found = []
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        found.append(("failed", "everybody on this machine may replace the database"))
    elif mode & stat.S_IWOTH:
        found.append(("warning", "everybody on this machine may put files beside it"))
    elif mode & stat.S_IWGRP:
        found.append(("warning", "the group may replace the database"))
    if _is_strange(seen.st_uid):
        found.append(("warning", f"it belongs to {user_name(seen.st_uid)}"))
    fix = "keep the database in a folder of its own: mode 0700, owned by the user that"
    return _verdict("folder", shown, found, f"{fix} runs the application")


def _file_system(store: "SqliteStore") -> Check:
    try:
        device = os.stat(store.location.path).st_dev
    except OSError as error:
        return _not_there("file_system", error)
    kind = file_system(device)
    if is_network(kind):
        return Check(
            name="file_system",
            status="warning",
            detail=f"{kind}, a network file system: network_file_system allows it",
            fix="use a disk of this machine, or a database server; until then let one"
            " machine alone open the database",
        )
    return Check(
        name="file_system", status="ok", detail=kind or "not known on this system"
    )


def _is_strange(owner: int) -> bool:
    """Return whether a file is neither ours nor root's; root itself cannot tell."""
    return os.geteuid() != 0 and owner not in (os.geteuid(), 0)


def _verdict(
    name: str, shown: list[str], found: list[tuple[str, str]], fix: str
) -> Check:
    if not found:
        return Check(name=name, status="ok", detail=", ".join(shown))
    failed = any(status == "failed" for status, _ in found)
    return Check(
        name=name,
        status="failed" if failed else "warning",
        detail=f"{', '.join(shown)}: {'; '.join(text for _, text in found)}",
        fix=fix,
    )


def _not_there(name: str, error: OSError) -> Check:
    return Check(
        name=name,
        status="failed",
        detail=str(error.strerror),
        fix="restore the file from a backup, and open the store again",
    )
