"""SQLite: a thousand migration files, from nothing and at head."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from time import perf_counter
from typing import Literal

from mooring import core, migrate

from benchmarks.measure import DIFFERENCE, Against, Group, measure
from benchmarks.scripts.by_hand import VERSION_TABLE, connect
from benchmarks.work import environment, run_script

FILES = 1000
FEW = 4

HAND = "by hand, file by file"
EACH = "mooring, file by file"
ALL = "mooring, all in one transaction"
OPEN_FEW = f"open, {FEW} files"
OPEN_MANY = f"open, {FILES} files"

# The bars are those of the project's goals.
_APPLYING = (Against(EACH, HAND, 1.3), Against(ALL, EACH, 0.5), Against(ALL, HAND))
_OPENING = (Against(OPEN_MANY, OPEN_FEW, 1.2),)

STATEMENTS = 5000
READ = "read the file"
PARSE = "read and parse it"
# In seconds, as the goal has it.
_PARSING = (Against(PARSE, READ, 0.2),)


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield applying the files, and starting where they are applied.

    Raises:
        SystemExit: The sides do not leave the same behind.
    """
    many = _write_files(folder, FILES)
    sides = {HAND: by_hand, EACH: file_by_file, ALL: all_at_once}
    left = set()
    for side in sides.values():
        path = os.path.join(folder, f"{side.__name__}.db")
        side(path, many)
        left.add(left_in(path))
    if len(left) != 1:
        raise SystemExit("the sides do not leave the same tables and versions")

    def case(apply: str, number: int) -> float:
        path = os.path.join(folder, f"{sides[apply].__name__}-{number}.db")
        started = perf_counter()
        sides[apply](path, many)
        seconds = perf_counter() - started
        for suffix in ("", "-wal", "-shm", "-mooring.lock"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
        return seconds

    yield measure(
        "migrations-apply",
        f"sqlite: {FILES} one-table files from nothing, synchronous FULL",
        {name: partial(case, name) for name in sides},
        _APPLYING,
        max(rounds // 2, 1),
    )
    env = environment(folder)
    opened = {}
    for name, count, files in (
        (OPEN_FEW, FEW, _write_files(folder, FEW)),
        (OPEN_MANY, FILES, many),
    ):
        path = os.path.join(folder, f"open-{count}.db")
        run_script("open_with_files", path, "", files, env)  # which applies them
        opened[name] = (path, files)

    def start(name: str, _: int) -> float:
        path, files = opened[name]
        started = perf_counter()
        run_script("open_with_files", path, "", files, env)
        return perf_counter() - started

    yield measure(
        "migrations-open",
        "sqlite: start of a process with nothing to migrate",
        {name: partial(start, name) for name in opened},
        _OPENING,
        rounds,
    )
    large = _write_large(folder)

    def read(name: str, _: int) -> float:
        started = perf_counter()
        with open(large, "rb") as file:
            data = file.read()
        if name == PARSE:
            found = migrate.parse(data, name="1_large.sql")
            if len(found.up) != STATEMENTS:
                raise SystemExit("the file does not give the statements it was made of")
        return perf_counter() - started

    yield measure(
        "migrations-parse",
        f"a file of 1 MB with {STATEMENTS} statements",
        {name: partial(read, name) for name in (READ, PARSE)},
        _PARSING,
        rounds,
        compared=DIFFERENCE,
    )


def by_hand(path: str, folder: str) -> None:
    """Apply the files of *folder* as a person would, each in its transaction."""
    with closing(connect(path)) as connection:
        connection.executescript(f"BEGIN;{VERSION_TABLE}COMMIT;")
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                forward = file.read().partition("-- +goose Down")[0]
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(forward)
            connection.execute(
                "INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, 1)",
                (int(name.partition("_")[0]),),
            )
            connection.execute("COMMIT")


def file_by_file(path: str, folder: str) -> None:
    """Apply them with mooring, each in a transaction."""
    _apply(path, folder, "each")


def all_at_once(path: str, folder: str) -> None:
    """Apply them with mooring, all in one transaction."""
    _apply(path, folder, "all")


def left_in(path: str) -> tuple[tuple[object, ...], ...]:
    """Return the tables and versions in a database, mooring's own table left out."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'mooring%'"
            " AND name NOT LIKE 'sqlite_stat%' AND name <> 'goose_db_version'"
            " AND sql IS NOT NULL ORDER BY name"
        ).fetchall()
        versions = connection.execute(
            "SELECT version_id FROM goose_db_version ORDER BY id"
        ).fetchall()
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    return (*tables, *versions, (journal,))


def _apply(path: str, folder: str, transaction: Literal["each", "all"]) -> None:
    with core.open({"driver": "sqlite", "path": path}, migrate="skip") as store:
        migrator = migrate.Migrator(store, migrate.Source(folder))
        migrator.up(transaction=transaction)


def _write_large(folder: str) -> str:
    """Write a migration of 1 MB, statements of four lines, and return its path."""
    path = os.path.join(folder, "1_large.sql")
    rows = ",\n".join(f"  ({number}, '{'x' * 45}')" for number in range(3))
    with open(path, "w", encoding="utf-8") as file:
        file.write("-- +goose Up\n")
        file.write(f"INSERT INTO items (id, name) VALUES\n{rows};\n" * STATEMENTS)
    if os.path.getsize(path) < 1_000_000:
        raise SystemExit("the file is too small")
    return path


def _write_files(folder: str, count: int) -> str:
    """Make a folder of *count* migrations with a table each, and return it."""
    files = os.path.join(folder, f"files-{count}")
    os.mkdir(files)
    for number in range(1, count + 1):
        path = os.path.join(files, f"{20250101000000 + number}_table.sql")
        with open(path, "w", encoding="utf-8") as file:
            columns = "id INTEGER PRIMARY KEY, name TEXT NOT NULL"
            file.write(f"-- +goose Up\nCREATE TABLE t{number} ({columns});\n\n")
            file.write(f"-- +goose Down\nDROP TABLE t{number};\n")
    return files
