"""The SQLite library that Python uses: its version, and how it was built."""

import sqlite3
from typing import Final

from mooring.core import Check

from mooring_sqlite._connect import untrusted_schema_works

# Before these, two connections that write and checkpoint at the same moment can damage
# a database in WAL mode (sqlite.org/wal.html, "The WAL-Reset Bug").
_FIXED: Final = (3, 51, 3)
_FIXED_BRANCHES: Final = {(3, 44): 6, (3, 50): 7}


def library_check(connection: sqlite3.Connection) -> Check:
    """Look at the version and the compile options."""
    options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    threads = next((o for o in options if o.startswith("THREADSAFE=")), "")
    left_out = sorted(o for o in options if o.startswith("OMIT_"))
    detail = f"SQLite {sqlite3.sqlite_version}, {threads or 'THREADSAFE is not told'}"
    if left_out:
        detail += f", {', '.join(left_out)}"
    if threads == "THREADSAFE=0":
        return Check(
            name="library",
            status="failed",
            detail=f"{detail}: it is not made for threads",
            fix="use a Python whose SQLite was built with SQLITE_THREADSAFE=1",
        )
    found = []
    if not _is_fixed(sqlite3.sqlite_version_info):
        found.append("it has the WAL-reset bug, which in rare cases damages a database")
    if not untrusted_schema_works():
        found.append("trusted_schema stays on, since json_type() in a CHECK needs it")
    if found:
        fixed = ".".join(map(str, _FIXED))
        return Check(
            name="library",
            status="warning",
            detail=f"{detail}: {'; '.join(found)}",
            fix=f"use a Python with SQLite {fixed} or newer",
        )
    return Check(name="library", status="ok", detail=detail)


def _is_fixed(version: tuple[int, int, int]) -> bool:
    least = _FIXED_BRANCHES.get(version[:2])
    return version >= _FIXED or (least is not None and version[2] >= least)
