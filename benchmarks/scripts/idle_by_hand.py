"""Floor: a process that asked one query through plain psycopg, and is idle.

``idle_by_hand.py KEYWORD=VALUE...`` takes libpq's keywords, and ends with its standard
input.
"""

import sys

import psycopg


def main() -> None:
    """Do what the arguments say."""
    params = dict(word.split("=", 1) for word in sys.argv[1:])
    with psycopg.connect(autocommit=True, **params) as connection:  # type: ignore[arg-type]  # any keyword
        connection.execute("SELECT count(*) FROM workflow_states").fetchone()
        sys.stdout.write("idle\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
