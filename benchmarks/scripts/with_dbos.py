"""Peer: DBOS, until it is launched on a database file.

It brings a schema of its own, so this is not the same work: it is what a program with
DBOS waits for before its first workflow. What `DBOS.destroy` waits for at the end is
left out. ``with_dbos.py DATABASE KEY FOLDER`` needs neither KEY nor FOLDER.
"""

import os
import sqlite3
import sys
from contextlib import closing

from dbos import DBOS


def main() -> None:
    """Do what the arguments say."""
    path = sys.argv[1]
    DBOS(
        config={
            "name": "start",
            "system_database_url": f"sqlite:///{path}",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )
    DBOS.launch()
    with closing(sqlite3.connect(path)) as connection:
        # Its tables are there.
        connection.execute("SELECT count(*) FROM workflow_status").fetchone()
    os._exit(0)


if __name__ == "__main__":
    main()
