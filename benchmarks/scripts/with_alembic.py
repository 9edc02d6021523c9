"""Peer: the same start with SQLAlchemy and Alembic.

The file is made and put into WAL mode first, as `by_hand` does it: in SQLite's own
default mode it would be slower. FOLDER has the migrations as Alembic wants them.
"""

import sys

import by_hand
import sqlalchemy
from alembic import command
from alembic.config import Config


def main() -> None:
    """Do what the arguments say."""
    path, key, folder = sys.argv[1:]
    connection = by_hand.connect(path)
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    config = Config()
    config.set_main_option("script_location", folder)
    with engine.connect() as own:
        config.attributes["connection"] = own
        command.upgrade(config, "head")
        own.commit()
    insert = sqlalchemy.text(
        "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, input)"
        " VALUES (:key, 'greeting', 'created', :input)"
    )
    with engine.begin() as own:
        own.execute(insert, {"key": key, "input": '{"name": "world"}'})
    engine.dispose()
    connection.close()


if __name__ == "__main__":
    main()
