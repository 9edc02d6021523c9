"""The program under load: writers, readers, snapshots and backups, until it is told.

``python -m benchmarks.soak_load OPTIONS``, with a JSON object. It ends when its
standard input does, and then writes what it did as JSON.
"""

import json
import logging
import os
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from random import Random
from time import sleep
from typing import Any

from mooring import core

from benchmarks.acknowledged import KEPT, Acknowledged, problems, row_id

ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
DROP = "DELETE FROM users WHERE id >= :first AND id < :last"
MINE = "SELECT count(*) FROM users WHERE id >= :first AND id < :last"
# Longest pause between two uses of a thread, in seconds.
_PAUSE = 0.02


class Load:
    """What the threads share.

    Args:
        store: The store that they use.
        acknowledged: Where writers note what they were told.
        random: Makes the seeds of the threads.
    """

    def __init__(
        self, store: Any, path: str, acknowledged: Acknowledged, random: Random
    ) -> None:
        self.store = store
        self.path = path
        self.acknowledged = acknowledged
        self.stop = threading.Event()
        self.counts: Counter[str] = Counter()
        self.errors: list[str] = []
        self._random = random
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[Random], None]) -> None:
        """Run *work* again and again in a thread of its own."""
        mine = Random(self._random.random())  # noqa: S311 - to be repeated

        def loop() -> None:
            while not self.stop.is_set():
                try:
                    work(mine)
                except Exception as error:  # noqa: BLE001 - told at the end
                    self.errors.append(f"{name}: {error!r}")
                    if len(self.errors) > 20:
                        return

        thread = threading.Thread(target=loop, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        """Let the threads end."""
        self.stop.set()
        for thread in self._threads:
            thread.join(120)

    def writer(self, writer: int, begin: int) -> Callable[[Random], None]:
        """Return what a writer does: one number more, in one of three ways."""
        number = begin

        def write(random: Random) -> None:
            nonlocal number
            number += 1
            row = {"id": row_id(writer, number)}
            old = {
                "first": row_id(writer, 0),
                "last": row_id(writer, max(number - KEPT, 1)),
            }

            def both(tx: Any) -> None:
                tx.execute(ADD, row)
                tx.execute(DROP, old)

            if number % 10:
                self.store.execute(ADD, row)
            elif number % 20:
                self.store.run(both)
            else:
                with self.store.transaction() as tx:
                    both(tx)
            self.acknowledged.note(writer, number)
            self.counts["commits"] += 1
            sleep(random.random() * _PAUSE)

        return write

    def read(self, random: Random) -> None:
        """Read once, or several times from one snapshot, or a stream."""
        bounds = {"first": row_id(0, 0), "last": row_id(1, 0)}
        if random.random() < 0.5:
            self.store.execute(MINE, bounds)
            self.counts["reads"] += 1
        else:
            with self.store.read() as snapshot:
                count = snapshot.execute(MINE, bounds).scalar()
                rows = snapshot.stream(
                    "SELECT id FROM users WHERE id >= :first AND id < :last", bounds
                )
                streamed = sum(1 for _ in rows)
                again = snapshot.execute(MINE, bounds).scalar()
            if not count == streamed == again:
                self.errors.append(f"a snapshot had {count}, {streamed}, {again} rows")
            self.counts["snapshots"] += 1
        sleep(random.random() * _PAUSE)

    def linger(self, random: Random) -> None:
        """Hold a snapshot, for longer than its deadline at times."""
        deadline = self.store.config.read_deadline
        bounds = {"first": row_id(0, 0), "last": row_id(1, 0)}
        try:
            with self.store.read() as snapshot:
                count = snapshot.execute(MINE, bounds).scalar()
                self.stop.wait(random.random() * 2 * deadline)
                again = snapshot.execute(MINE, bounds).scalar()
        except core.SnapshotExpiredError:
            self.counts["snapshots that were too old"] += 1
        else:
            self.counts["snapshots that were held"] += 1
            if count != again:
                self.errors.append(f"a snapshot had {count}, then {again} rows")

    def back_up(self, random: Random) -> None:
        """Copy the database with the backup API, and look at the copy."""
        copy = f"{self.path}-copy"
        before = self.acknowledged.numbers()
        with (
            closing(sqlite3.connect(self.path)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        after = self.acknowledged.numbers()
        with closing(sqlite3.connect(copy)) as target:
            self.errors += [
                f"backup: {found}" for found in problems(target, before, after)
            ]
        os.unlink(copy)
        self.counts["backups"] += 1
        self.stop.wait(5 + 10 * random.random())


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


def main() -> None:
    """Run until standard input ends."""
    options = json.loads(sys.argv[1])
    warnings = _Warnings()
    logging.getLogger("mooring").addHandler(warnings)
    begin = options["begin"]
    acknowledged = Acknowledged(options["acknowledged"], len(begin))
    random = Random(options["seed"])  # noqa: S311 - to be repeated
    with core.open({"driver": "sqlite", **options["store"]}) as store:
        load = Load(store, options["store"]["path"], acknowledged, random)
        for writer, number in enumerate(begin):
            load.start(f"writer-{writer}", load.writer(writer, number))
        for reader in range(options["readers"]):
            load.start(f"reader-{reader}", load.read)
        if options["whole"]:
            load.start("lingering-reader", load.linger)
            load.start("backup", load.back_up)
        sys.stdout.write("running\n")
        sys.stdout.flush()
        sys.stdin.read()
        load.end()
        health = core.health_check(store, deep=True, timeout=30)
        load.errors += [
            f"{check.name}: {check.detail}"
            for check in health.checks
            if check.status in ("failed", "unknown")
        ]
    done = {
        "counts": load.counts,
        "errors": load.errors,
        "warnings": warnings.seen,
    }
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main()
