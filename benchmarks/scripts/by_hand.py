"""Floor: the start that a person would write against plain ``sqlite3``.

``by_hand.py DATABASE KEY FOLDER`` opens or makes DATABASE, applies the migrations of
FOLDER that it lacks, and inserts one workflow with the primary key KEY. Only what this
needs is imported.
"""

import os
import sqlite3
import sys

VERSION_TABLE = """
CREATE TABLE goose_db_version (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL,
    is_applied INTEGER NOT NULL,
    tstamp TIMESTAMP DEFAULT (datetime('now'))
);
INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1);
"""


def connect(path: str) -> sqlite3.Connection:
    """Open the database, made with mode 0600, with the settings that mooring makes."""
    if not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = 1")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA cell_size_check = 1")
    return connection


def migrate(connection: sqlite3.Connection, folder: str) -> None:
    """Apply what is missing, all in one transaction."""
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE name = 'goose_db_version'"
    )
    applied = set()
    script = [] if tables.fetchall() else [VERSION_TABLE]
    if not script:
        rows = connection.execute("SELECT version_id FROM goose_db_version")
        applied = {version for (version,) in rows}
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".sql"):
            continue
        version = int(name.partition("_")[0])
        if version in applied:
            continue
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            script.append(file.read().partition("-- +goose Down")[0])
        script.append(
            "INSERT INTO goose_db_version (version_id, is_applied)"
            f" VALUES ({version}, 1);"
        )
    if script:
        connection.executescript("\n".join(["BEGIN IMMEDIATE;", *script, "COMMIT;"]))


def statements(script: str) -> list[str]:
    """Return the statements of a script, for peers that take one at a time."""
    found, rest = [], ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return found


def insert(connection: sqlite3.Connection, key: str) -> None:
    """Insert one workflow."""
    connection.execute(
        "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, input)"
        " VALUES (?, ?, ?, ?)",
        (key, "greeting", "created", '{"name": "world"}'),
    )


def main() -> None:
    """Do what the arguments say."""
    path, key, folder = sys.argv[1:]
    connection = connect(path)
    migrate(connection, folder)
    insert(connection, key)
    connection.close()


if __name__ == "__main__":
    main()
