"""A process whose disk remembers: it runs the workload, then answers with power cuts.

It opens a new database, writes, closes, opens it again and writes. Then it prints how
often it synced the log, and for how many transactions. For each line that it reads, the
path of an empty folder, it writes there what a power cut left, and prints what had been
acknowledged until then.
"""

import json
import os
import sys
from collections.abc import Callable
from random import Random
from time import sleep
from typing import Any

from mooring import core
from mooring_sqlite.testing import File, RecordingDisk, install_shim

from sqlite_faults.ledger import Ledger
from sqlite_faults.workload import prepare, run


class CountingDisk(RecordingDisk):
    """One that counts transactions and syncs of the log; others wait for those."""

    syncs = notes = 0

    def sync(self, file: File, go: Callable[[], int]) -> int:
        """Sync, and count."""
        self.syncs += file.kind == "wal"
        sleep(0.001)
        return super().sync(file, go)

    def note(self, text: str) -> None:
        """Remember, and count."""
        self.notes += 1
        super().note(text)


def main() -> None:
    """Record, and answer."""
    task = json.loads(sys.argv[1])
    random = Random(task["seed"])  # noqa: S311 - to be repeated, not to be secret
    disk = CountingDisk(os.path.dirname(task["config"]["path"]))
    install_shim(disk)
    write(disk, task, random)
    recording = disk.recording()
    say({"syncs": disk.syncs, "acknowledged": disk.notes})
    for remains in recording.power_cuts(task["cuts"], random):
        remains.write_to(sys.stdin.readline().rstrip("\n"))
        say({"noted": remains.noted, "mode": remains.mode})


def write(disk: RecordingDisk, task: dict[str, Any], random: Random) -> None:
    """Run the workload, in two sessions."""
    ledger = Ledger()
    half = task["numbers"] // 2
    sessions = range(1, half + 1), range(half + 1, task["numbers"] + 1)
    for session, numbers in enumerate(sessions):
        with core.open(task["config"]) as store:
            assert isinstance(store, core.SqlStore)
            if session == 0:
                prepare(store, task["workers"])
            run(
                store,
                workers=task["workers"],
                numbers=numbers,
                random=random,
                ledger=ledger,
                told=disk.note,
            )
    if ledger.refused or ledger.unknown or ledger.unexpected:
        raise SystemExit(f"it failed on a disk that did not: {ledger}")


def say(answer: object) -> None:
    """Print a line."""
    print(json.dumps(answer), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
