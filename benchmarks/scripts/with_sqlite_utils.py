"""Peer: the same start with sqlite-utils and its migrations.

The connection is `by_hand`'s, which put the file into WAL mode: in SQLite's own default
mode it would be slower. FOLDER has the migrations of the driver.
"""

import os
import sys
from functools import partial

import by_hand
from sqlite_utils import Database, Migrations


def main() -> None:
    """Do what the arguments say."""
    path, key, folder = sys.argv[1:]
    database = Database(by_hand.connect(path))
    migrations = Migrations("mooring")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".sql"):
            register = migrations(name=name.removesuffix(".sql"))
            register(partial(_apply, path=os.path.join(folder, name)))
    migrations.apply(database)
    database["workflow_states"].insert(
        {
            "workflow_exec_id": key,
            "workflow_id": "greeting",
            "status": "created",
            "input": '{"name": "world"}',
        }
    )
    database.close()


def _apply(database: Database, path: str) -> None:
    with open(path, encoding="utf-8") as file:
        script = file.read().partition("-- +goose Down")[0]
    for statement in by_hand.statements(script):
        database.execute(statement)


if __name__ == "__main__":
    main()
