"""Peer: the same with an engine of SQLAlchemy, whose pool has the connection."""

import sys

import sqlalchemy


def main() -> None:
    """Do what the arguments say."""
    params = dict(word.split("=", 1) for word in sys.argv[1:])
    engine = sqlalchemy.create_engine("postgresql+psycopg://", connect_args=params)
    with engine.connect() as connection:
        query = sqlalchemy.text("SELECT count(*) FROM workflow_states")
        connection.execute(query).one()
    sys.stdout.write("idle\n")
    sys.stdout.flush()
    sys.stdin.read()
    engine.dispose()


if __name__ == "__main__":
    main()
