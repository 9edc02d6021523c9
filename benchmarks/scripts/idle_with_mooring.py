"""The same with an open store, whose pool has the connection."""

import sys

from mooring import core


def main() -> None:
    """Do what the arguments say."""
    params = dict(word.split("=", 1) for word in sys.argv[1:])
    with core.open({"driver": "postgres", **params}) as store:
        store.execute("SELECT count(*) FROM workflow_states").one()
        sys.stdout.write("idle\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
