"""A process to be killed: it prints the name of each transaction that was acknowledged.

It begins where the one before it was killed, with numbers that nobody had.
"""

import itertools
import json
import sys
from random import Random

from mooring import core

from sqlite_faults.ledger import Ledger
from sqlite_faults.workload import prepare, run


def main() -> None:
    """Write until somebody kills it, or something fails."""
    task = json.loads(sys.argv[1])
    store = core.open(task["config"])
    assert isinstance(store, core.SqlStore)
    if task["first"] == 1:
        prepare(store, task["workers"])
    print("ready", flush=True)  # noqa: T201 - whoever started it waits
    run(
        store,
        workers=task["workers"],
        numbers=itertools.count(task["first"]),
        random=Random(task["seed"]),  # noqa: S311 - to be repeated, not to be secret
        ledger=Ledger(),
        told=tell,
    )


def tell(name: str) -> None:
    """Print a name at once, in one piece."""
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
