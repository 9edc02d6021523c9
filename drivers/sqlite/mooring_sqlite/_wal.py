"""The write-ahead log: how large it is, and who keeps it from being used again.

A checkpoint cannot go past the snapshot that somebody still reads, so that the log
grows (sqlite.org/wal.html, "Avoiding Excessively Large WAL Files").
"""

import os
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Final

from mooring.core import Check

from mooring_sqlite._config import MIB

if TYPE_CHECKING:
    from mooring_sqlite._store import SqliteStore

_LONG: Final = 60.0
# The bytes of -shm that readers lock, and the list of all locks of the machine
# (sqlite.org/walformat.html, "WAL Locks"; proc(5), /proc/locks).
_READ_LOCKS: Final = range(123, 128)
_LOCKS: Final = "/proc/locks"


def wal_checks(store: "SqliteStore") -> Iterator[Check]:
    """Look at the size of the log, and at connections that are lent for long."""
    size, limit = log_size(store), store.config.wal_limit
    detail = f"{size / MIB:.1f} MiB"
    if not limit or size <= limit:
        yield Check(name="wal", status="ok", detail=detail)
    else:
        readers = ", ".join(held_by(store)) or "nobody that is known"
        yield Check(
            name="wal",
            status="warning",
            detail=f"{detail}, more than wal_limit; read now by {readers}",
            fix="end what reads for long, such as a read() that nobody left, or lower"
            " read_deadline; the log goes when the last connection closes",
        )
    yield _lent(store)


def log_size(store: "SqliteStore") -> int:
    """Return how many bytes the log's file has; 0 where there is none."""
    try:
        return os.stat(f"{store.location.path}-wal").st_size
    except FileNotFoundError:
        return 0


def held_by(store: "SqliteStore") -> list[str]:
    """Return who reads a snapshot now: threads of this store, and other processes."""
    own = [lease.holder() for lease in store.read_leases()[:3]]
    others = [
        f"process {pid}"
        for pid in readers(f"{store.location.path}-shm")
        if pid != os.getpid()
    ]
    return own + others


def _lent(store: "SqliteStore") -> Check:
    """Look at who has had a connection of this store for long."""
    now = monotonic()
    held = [
        lease.holder()
        for pool in store.pools()
        for lease in pool.leases()[1]
        if now - lease.since > _LONG
    ]
    if not held:
        return Check(
            name="connections",
            status="ok",
            detail=f"none is lent for more than {_LONG:.0f} s",
        )
    return Check(
        name="connections",
        status="warning",
        detail=f"a connection is held by {', '.join(held)}",
        fix="leave transaction() and read() blocks soon; read long results in pieces",
    )


def readers(shared: str, locks: str = _LOCKS) -> list[int]:
    """Return the processes that read a snapshot now; [] where that is not known.

    The file itself is not opened: closing it again would drop SQLite's locks on it.

    Args:
        shared: Path of the database's ``-shm``.
        locks: Where the locks are listed.
    """
    try:
        inode = os.stat(shared).st_ino
        with open(locks, encoding="ascii") as lines:
            found = [line.split() for line in lines]
    except OSError:
        return []
    pids = {
        int(words[4])
        for words in found
        # 1: POSIX ADVISORY READ 4711 fe:01:99 123 123
        if len(words) == 8
        and words[5].rpartition(":")[2] == str(inode)
        and words[6].isdigit()
        and int(words[6]) in _READ_LOCKS
    }
    return sorted(pids)
