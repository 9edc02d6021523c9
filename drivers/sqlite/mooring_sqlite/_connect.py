"""Opening a connection: its settings are made, read back, and kept for health checks.

The PRAGMAs are those of sqlite.org/pragma.html. ``foreign_keys``, ``synchronous`` and
``busy_timeout`` belong to a connection and not to the file: each one sets its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from functools import lru_cache
from time import monotonic, sleep
from typing import Final

from mooring.core import OpenError, StoreBusyError

from mooring_sqlite._config import MIB, SqliteConfig
from mooring_sqlite._deadline import Deadline
from mooring_sqlite._errors import ENGINE_ERRORS, translate_error
from mooring_sqlite._path import Location

Setting = int | str

_SYNCHRONOUS: Final = {"off": 0, "normal": 1, "full": 2}
# What those get, beside "locked", who switch one new file to WAL mode at the same time:
# another one deleted its journal, or took its lock, between two looks (seen with 3.40).
_MEET_IN_SWITCH: Final = frozenset(
    {sqlite3.SQLITE_IOERR_DELETE_NOENT, sqlite3.SQLITE_IOERR_RDLOCK}
)
# What the log's file is cut to when it begins anew. Not 0: a log that is written over
# costs a commit half of what one costs that grows.
_KEPT: Final = 64 * MIB
# The first with RETURNING and DROP COLUMN (sqlite.org/releaselog/3_35_0.html).
_OLDEST: Final = (3, 35)
# How often to ask again for what SQLite refuses at once instead of waiting.
_POLL_SECONDS: Final = 0.005


def refuse_old_library() -> None:
    """Raise OpenError where Python's SQLite cannot do what every engine here can."""
    if sqlite3.sqlite_version_info < _OLDEST:
        raise OpenError(
            f"SQLite {sqlite3.sqlite_version} is too old: it knows neither RETURNING"
            " nor DROP COLUMN",
            hint=f"use a Python with SQLite {'.'.join(map(str, _OLDEST))} or newer",
        )


def settings_for(
    config: SqliteConfig, location: Location, *, read_only: bool
) -> dict[str, Setting]:
    """Return what each connection's PRAGMAs must read back as, in order of setting."""
    settings: dict[str, Setting] = {
        "foreign_keys": 1,
        "journal_mode": "memory" if location.in_memory else "wal",
        "synchronous": _SYNCHRONOUS[config.synchronous],
        "busy_timeout": round(config.busy_timeout * 1000),
        "trusted_schema": 0 if untrusted_schema_works() else 1,
        "cell_size_check": 1,
        "query_only": int(read_only),
    }
    if not (read_only or location.in_memory):
        # The one that writes begins the log anew.
        settings["journal_size_limit"] = min(_KEPT, config.wal_limit or _KEPT)
    return settings


def connect(
    config: SqliteConfig,
    location: Location,
    settings: Mapping[str, Setting],
    *,
    timeout: float,
) -> sqlite3.Connection:
    """Return a connection on which every setting was made and verified.

    Args:
        config: The store's configuration.
        location: The database; its file exists.
        settings: What `settings_for` returned.
        timeout: Seconds to wait for locks, > 0.

    Raises:
        CorruptStoreError: The file is no database; no byte of it was changed.
        OpenError: It cannot be opened, or a setting does not hold.
        StoreBusyError: Another process held a lock too long.
    """
    deadline = monotonic() + timeout
    try:
        connection = sqlite3.connect(
            location.path if location.in_memory else location.uri,
            uri=not location.in_memory,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except ENGINE_ERRORS as cause:
        raise translate_error(cause, target=location.path) from cause
    ping = Deadline(connection, config.ping_timeout)
    try:
        # Reading first finds files that are no database before anything writes to
        # them.
        ping.watch()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        ping.unwatch()
        if not location.in_memory:
            _switch_to_wal(connection, location, deadline)
        _apply(connection, settings)
    except ENGINE_ERRORS as cause:
        connection.close()
        ping.reraise()
        raise translate_error(cause, target=location.path) from cause
    except BaseException:
        connection.close()
        raise
    return connection


def read_settings(
    connection: sqlite3.Connection, names: Iterable[str]
) -> dict[str, Setting]:
    """Return the present values of the PRAGMAs *names*."""
    return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}


def restore(connection: sqlite3.Connection, expected: Mapping[str, Setting]) -> None:
    """Bring a connection's settings back, after statements that may have changed them.

    Raises:
        OpenError: One does not hold.
        sqlite3.Error: The engine refused.
    """
    found = read_settings(connection, expected)
    # Only those: inside a transaction SQLite refuses some, if they are the same too.
    changed = {name: value for name, value in expected.items() if found[name] != value}
    if changed:
        _apply(connection, changed)


def _apply(connection: sqlite3.Connection, expected: Mapping[str, Setting]) -> None:
    for name, value in expected.items():
        if name != "journal_mode":
            connection.execute(f"PRAGMA {name} = {value}")
    found = read_settings(connection, expected)
    for name, value in expected.items():
        if found[name] != value:
            raise OpenError(
                f"PRAGMA {name} is {found[name]} on a new connection, not {value}",
                hint="this SQLite library or file system does not allow it: see"
                " `python -c 'import sqlite3; print(sqlite3.sqlite_version)'`",
            )


def _switch_to_wal(
    connection: sqlite3.Connection, location: Location, deadline: float
) -> None:
    """Put the file into WAL mode, and check the answer.

    SQLite answers "locked" at once while another connection writes or switches: it
    ignores its own busy timeout here.
    """
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            if mode != "wal":
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as cause:
            is_busy = cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not (is_busy or cause.sqlite_errorcode in _MEET_IN_SWITCH):
                raise
            if monotonic() >= deadline:
                if not is_busy:
                    raise
                raise StoreBusyError(
                    f"{location.path} could not be put into WAL mode: another process"
                    " kept it locked",
                    hint="close the other program, or raise connect_timeout",
                ) from cause
            sleep(_POLL_SECONDS)
            continue
        if mode == "wal":
            return
        raise OpenError(
            f"{location.path} stays in journal mode {mode!r} instead of WAL",
            hint="its file system cannot share memory between processes: use a local"
            " disk, not a network file system",
        )


@lru_cache(maxsize=1)
def untrusted_schema_works() -> bool:
    """Return whether ``trusted_schema=OFF`` leaves JSON functions in CHECKs usable.

    SQLite 3.40 refuses ``json_type()`` there as unsafe; later releases do not.
    """
    probe = sqlite3.connect(":memory:", isolation_level=None)
    try:
        probe.execute("PRAGMA trusted_schema = OFF")
        probe.execute("CREATE TABLE t (x CHECK (json_type(x) = 'array'))")
        probe.execute("INSERT INTO t VALUES ('[]')")
    except sqlite3.OperationalError:
        return False
    finally:
        probe.close()
    return True
