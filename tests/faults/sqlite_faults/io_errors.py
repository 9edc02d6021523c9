"""A process whose disk fails: it runs one case for each line that it reads.

A line, and the answer to it, is JSON. After the last transaction, and before it closes
the store, it prints a line and waits for one: whoever started it may copy the files
meanwhile, as a kill would leave them.
"""

import json
import sys
from collections.abc import Callable
from random import Random
from time import sleep
from typing import Any

import attrs
from mooring import core
from mooring_sqlite.testing import DiskFault, FailingDisk, File, install_shim

from sqlite_faults.ledger import Ledger
from sqlite_faults.workload import ADD_USER, COUNT_USERS, prepare, run

WORKERS = 4
NUMBERS = range(1, 7)


class SlowFailingDisk(FailingDisk):
    """One whose syncs take so long that transactions wait for each other."""

    syncs = 0

    def sync(self, file: File, go: Callable[[], int]) -> int:
        """Sync, or fail, and count those of the log."""
        self.syncs += file.kind == "wal"
        sleep(0.001)
        return super().sync(file, go)


def main() -> None:
    """Run the cases."""
    disk = SlowFailingDisk()
    install_shim(disk)
    for line in sys.stdin:
        print(json.dumps(run_case(disk, json.loads(line))), flush=True)  # noqa: T201 - the answer


def run_case(disk: SlowFailingDisk, case: dict[str, Any]) -> dict[str, Any]:
    """Run one case; return what there is to tell.

    Its "config" opens a new database, its "fault" is a `DiskFault`, "seed" decides what
    is written, and "while" says what fails: "open", "work" or "close".
    """
    random = Random(case["seed"])  # noqa: S311 - to be repeated, not to be secret
    fault = DiskFault(**{**case["fault"], "kinds": tuple(case["fault"]["kinds"])})
    ledger = Ledger()
    failed: dict[str, str] = {}
    if case["while"] == "open":
        disk.fail(fault)
        failed["open"] = attempt(lambda: core.open(case["config"]).close(), ledger)
        disk.heal()
    store = core.open(case["config"])
    assert isinstance(store, core.SqlStore)
    prepare(store, WORKERS)
    disk.syncs = 0
    run(store, workers=WORKERS, numbers=NUMBERS, random=random, ledger=ledger)
    shared = len(ledger.acknowledged) - disk.syncs
    if ledger.refused or ledger.unknown:
        ledger.unexpected.append("a transaction failed on a disk that did not")
    if case["while"] != "open":
        disk.fail(fault)
    if case["while"] == "work":
        later = range(NUMBERS.stop, 2 * NUMBERS.stop)
        run(store, workers=WORKERS, numbers=later, random=random, ledger=ledger)
        disk.heal()
    print("written", flush=True)  # noqa: T201 - see above
    sys.stdin.readline()
    if case["while"] == "work":
        failed["after"] = attempt(lambda: use(store), ledger)
    failed["close"] = attempt(store.close, ledger)
    failures = disk.failed
    disk.heal()
    return {
        "ledger": attrs.asdict(ledger),
        "failed": failed,
        "failures": failures,
        "shared": shared,
    }


def use(store: core.SqlStore) -> None:
    """Read and write."""
    store.execute(ADD_USER, {"id": "after"})
    count = store.execute(f"{COUNT_USERS} WHERE id = 'after'").scalar()
    if count != 1:
        raise AssertionError(f"{count} rows where one was written")


def attempt(what: Any, ledger: Ledger) -> str:
    """Do something that may fail; return the error by name, "" if there is none."""
    try:
        what()
    except core.MooringError as error:
        return type(error).__name__
    except BaseException as error:  # noqa: BLE001 - told to the test, whatever it is
        ledger.unexpected.append(repr(error))
        return type(error).__name__
    return ""


if __name__ == "__main__":
    main()
