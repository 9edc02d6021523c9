"""What writers were told is kept, so that it can be asked for after a kill.

Each writer counts 1, 2, 3, ... and adds a row for each number; with each tenth it also
deletes, in the same transaction, what is more than `KEPT` numbers old. So at any moment
what must be there is known from the last number alone.
"""

import os
import sqlite3
from collections.abc import Sequence

KEPT = 2000
_WIDTH = 8


class Acknowledged:
    """The last number of each writer that was acknowledged, in a file.

    The operating system keeps what was written to it whatever becomes of the process.
    """

    def __init__(self, path: str, writers: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._writers = writers

    def note(self, writer: int, number: int) -> None:
        """Note that *number* was acknowledged."""
        os.pwrite(self._file, number.to_bytes(_WIDTH, "big"), _WIDTH * writer)

    def numbers(self) -> list[int]:
        """Return the last number of each writer."""
        data = os.pread(self._file, _WIDTH * self._writers, 0)
        data = data.ljust(_WIDTH * self._writers, b"\0")
        places = range(0, len(data), _WIDTH)
        return [int.from_bytes(data[at : at + _WIDTH], "big") for at in places]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def row_id(writer: int, number: int) -> str:
    """Return the key of a row; keys sort as numbers do."""
    return f"{writer:02d}-{number:012d}"


def oldest(last: int) -> int:
    """Return the first number that is still there, after *last* was written."""
    return max(last // 10 * 10 - KEPT, 1)


def problems(
    connection: sqlite3.Connection, before: Sequence[int], after: Sequence[int]
) -> list[str]:
    """Return what is wrong with a database; [] if nothing is.

    Args:
        connection: One to the database, or to a copy of it.
        before: The last number of each writer when the copy was begun; the same as
            *after* for the database itself.
        after: Those when it was done. One more may be there: committed, and not told.
    """
    found = [
        f"integrity_check: {row[0]}"
        for row in connection.execute("PRAGMA integrity_check(5)")
        if row[0] != "ok"
    ]
    found += [
        f"foreign_key_check: {row}"
        for row in connection.execute("PRAGMA foreign_key_check")
    ]
    for writer, (least, most) in enumerate(zip(before, after, strict=True)):
        rows = connection.execute(
            "SELECT id FROM users WHERE id >= ? AND id < ? ORDER BY id",
            (row_id(writer, 0), row_id(writer + 1, 0)),
        )
        numbers = [int(name.partition("-")[2]) for (name,) in rows]
        last = numbers[-1] if numbers else 0
        if not least <= last <= most + 1:
            found.append(
                f"writer {writer}: {last} is the last, told were {least} to {most}"
            )
        if last and numbers != [*range(oldest(last), last + 1)]:
            found.append(
                f"writer {writer}: of {oldest(last)} to {last} some are missing"
            )
    return found


def last_numbers(connection: sqlite3.Connection, writers: int) -> list[int]:
    """Return the last number of each writer that is in a database."""
    found = []
    for writer in range(writers):
        bounds = (row_id(writer, 0), row_id(writer + 1, 0))
        query = "SELECT max(id) FROM users WHERE id >= ? AND id < ?"
        (last,) = connection.execute(query, bounds).fetchone()
        found.append(int(last.partition("-")[2]) if last else 0)
    return found
