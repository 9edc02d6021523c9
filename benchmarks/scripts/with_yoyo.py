"""Peer: the same start with yoyo-migrations.

The file is made and put into WAL mode first, as `by_hand` does it: in SQLite's own
default mode yoyo would be slower.
"""

import sys

import by_hand
import yoyo


def main() -> None:
    """Do what the arguments say; the folder holds the migrations as yoyo wants them."""
    path, key, folder = sys.argv[1:]
    connection = by_hand.connect(path)
    backend = yoyo.get_backend(f"sqlite:///{path}")
    migrations = yoyo.read_migrations(folder)
    with backend.lock():
        backend.apply_migrations(backend.to_apply(migrations))
    backend.connection.close()
    by_hand.insert(connection, key)
    connection.close()


if __name__ == "__main__":
    main()
