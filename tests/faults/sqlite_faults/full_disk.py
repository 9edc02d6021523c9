"""A process on a small disk that fills up, and has room again later.

It is started in a mount namespace of its own, since it mounts that disk.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import attrs
from mooring import core

from sqlite_faults.io_errors import attempt, use
from sqlite_faults.ledger import Ledger
from sqlite_faults.verdict import problems
from sqlite_faults.workload import prepare, run

WORKERS = 4


def main() -> None:
    """Fill the disk, make it larger, go on; print what became of it."""
    task = json.loads(sys.argv[1])
    path = Path(task["config"]["path"])
    random = Random(task["seed"])  # noqa: S311 - to be repeated, not to be secret
    ledger = Ledger()
    mount(path.parent, f"size={task['kilobytes']}k")
    store = core.open(task["config"])
    assert isinstance(store, core.SqlStore)
    prepare(store, WORKERS)
    number = 1
    while not ledger.refused:
        numbers = range(number, number + 10)
        run(store, workers=WORKERS, numbers=numbers, random=random, ledger=ledger)
        number += 10
    acknowledged = len(ledger.acknowledged)
    mount(path.parent, "remount,size=64m")
    failed = attempt(lambda: use(store), ledger)
    numbers = range(number, number + 10)
    run(store, workers=WORKERS, numbers=numbers, random=random, ledger=ledger)
    store.close()
    answer = {
        "ledger": attrs.asdict(ledger),
        "while full": acknowledged,
        "after": failed,
        "problems": problems(path, ledger),
        "files": sorted(os.listdir(path.parent)),
    }
    print(json.dumps(answer), flush=True)  # noqa: T201 - the answer


def mount(folder: Path, options: str) -> None:
    """Mount a disk in memory, or change the one that is there."""
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
