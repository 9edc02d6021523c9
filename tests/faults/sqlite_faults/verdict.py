"""What is wrong with a database, after what its writers were told."""

import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from sqlite_faults.ledger import Ledger
from sqlite_faults.workload import PAIR, SINGLE, TALLY, TWIN

# What SQLite says of a damaged file, and Python of a message that is no text.
DAMAGE = (sqlite3.Error, UnicodeDecodeError)


def problems(path: Path, ledger: Ledger, *, lost: bool = False) -> list[str]:
    """Return what is wrong with the database at *path*, which nobody has open.

    Args:
        path: The database.
        ledger: What its writers were told.
        lost: Whether to leave out what was acknowledged and is not there.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = [*_damage(connection), *_halves(connection)]
            there = _names(connection)
    except DAMAGE as error:
        return [f"{type(error).__name__}: {error}"]
    if not lost:
        found += [f"lost: {n}" for n in ledger.acknowledged if n not in there]
    kept = there & set(ledger.refused)
    return found + [f"kept, though refused: {name}" for name in sorted(kept)]


def missing(path: Path, ledger: Ledger) -> int:
    """Return how many that were acknowledged are not there: all, if it is damaged."""
    try:
        return len(set(ledger.acknowledged) - present(path))
    except DAMAGE:
        return len(ledger.acknowledged)


def present(path: Path) -> set[str]:
    """Return the names of the transactions that are there, whole or not."""
    with closing(sqlite3.connect(path)) as connection:
        return _names(connection)


def _names(connection: sqlite3.Connection) -> set[str]:
    if not _has_schema(connection):
        return set()
    return {
        name
        for (name,) in connection.execute("SELECT id FROM users")
        if name.startswith((PAIR, SINGLE)) and not name.endswith(TWIN)
    }


def _has_schema(connection: sqlite3.Connection) -> bool:
    query = "SELECT count(*) FROM sqlite_master WHERE name = 'api_keys'"
    return bool(connection.execute(query).fetchone()[0])


def _damage(connection: sqlite3.Connection) -> list[str]:
    answer = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    found = [] if answer == ["ok"] else [f"integrity: {line}" for line in answer]
    orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    return found + [f"orphan: {row}" for row in orphans]


def _halves(connection: sqlite3.Connection) -> list[str]:
    if not _has_schema(connection):
        return []
    users = dict(connection.execute("SELECT id, email FROM users"))
    keys = defaultdict(set)
    for user, key in connection.execute("SELECT user_id, id FROM api_keys"):
        keys[user].add(key)
    newest: dict[str, int] = defaultdict(int)
    found = []
    for name in users:
        kind, worker, number = [*name.split("-"), "", ""][:3]
        if kind == PAIR:
            newest[worker] = max(newest[worker], int(number))
            if keys[name] != {name}:
                found.append(f"half: {name} without its key")
        elif kind == SINGLE:
            twin = name.removesuffix(TWIN) if name.endswith(TWIN) else name + TWIN
            if twin not in users:
                found.append(f"half: {name} without {twin}")
    for name, email in users.items():
        kind, worker = [*name.split("-"), ""][:2]
        if kind == TALLY:
            expected = f"{TALLY}-{worker}-{newest[worker]}"
            if email != expected or keys[name] != {expected}:
                found.append(f"half: {name} is {email} {keys[name]}, not {expected}")
    return found
