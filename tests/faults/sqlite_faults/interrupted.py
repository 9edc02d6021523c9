"""A process whose main thread gets one Ctrl-C after the other while six others write.

Nobody but the main thread may learn of them, and each row that was acknowledged is
there in the end.
"""

import faulthandler
import itertools
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

from mooring import core

Work = Callable[[Any], object]

ADD = "INSERT INTO t (id) VALUES (:id)"
# Seconds after which a thread that does not end is taken for one that never will.
PATIENCE = 30.0


class Writer:
    """Writes row after row, in each way in turn.

    Args:
        store: Where to.
        name: Of the rows, before their number.
    """

    def __init__(self, store: core.SqlStore, name: str) -> None:
        self._store = store
        self._names = (f"{name}-{number}" for number in itertools.count())
        ways: list[Callable[[Work], object]] = [self._block, store.run, self._single]
        self._ways = itertools.cycle(ways)
        self.acknowledged: set[str] = set()
        self.unknown: set[str] = set()

    def write(self) -> None:
        """Write one, or raise."""
        name = next(self._names)
        self.unknown.add(name)
        next(self._ways)(lambda tx: tx.execute(ADD, {"id": name}))
        self.acknowledged.add(name)

    def _block(self, work: Work) -> None:
        with self._store.transaction() as tx:
            work(tx)

    def _single(self, work: Work) -> None:
        work(self._store)


class Interrupts:
    """Sends signals to the main thread, as long as it is armed."""

    def __init__(self, count: int, seed: int) -> None:
        self._left = count
        self._random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.armed = False

    @property
    def over(self) -> bool:
        """Whether all were sent."""
        return self._left == 0

    def send(self) -> None:
        """Send them all."""
        main = threading.main_thread().ident
        assert main is not None
        while self._left:
            time.sleep(self._random.uniform(0.0, 0.004))
            if self.armed:
                self._left -= 1
                signal.pthread_kill(main, signal.SIGINT)

    def receive(self, *_: object) -> None:
        """Raise KeyboardInterrupt; the next one comes when it was caught."""
        self.armed = False
        raise KeyboardInterrupt


def main() -> None:
    """Write, and print what came of it: what was lost, and who failed."""
    faulthandler.enable()
    task = json.loads(sys.argv[1])
    store = core.open(task["config"])
    assert isinstance(store, core.SqlStore)
    store.execute("CREATE TABLE t (id TEXT PRIMARY KEY)")
    interrupts = Interrupts(task["count"], task["seed"])
    signal.signal(signal.SIGINT, interrupts.receive)
    failures: list[str] = []

    def work(writer: Writer) -> None:
        try:
            while not interrupts.over:
                writer.write()
        except Exception as error:  # noqa: BLE001 - told
            failures.append(repr(error))

    mine = Writer(store, "main")
    others = [Writer(store, f"other {number}") for number in range(6)]
    threads = [threading.Thread(target=work, args=[other]) for other in others]
    threads.append(threading.Thread(target=interrupts.send))
    for thread in threads:
        thread.daemon = True
        thread.start()
    caught = 0
    while True:
        try:
            interrupts.armed = True
            while not interrupts.over:
                mine.write()
            time.sleep(0.1)  # for the last one
            break
        except KeyboardInterrupt:
            caught += 1
    for thread in threads:
        thread.join(PATIENCE)
    if any(thread.is_alive() for thread in threads):
        faulthandler.dump_traceback()
    found = {row["id"] for row in store.execute("SELECT id FROM t")}
    acknowledged = mine.acknowledged.union(*(each.acknowledged for each in others))
    store.run(lambda tx: tx.execute(ADD, {"id": "after"}))
    told = {
        "caught": caught,
        "acknowledged": len(acknowledged),
        "lost": sorted(acknowledged - found),
        "not asked for": sorted(found - acknowledged - mine.unknown),
        "hang": sum(thread.is_alive() for thread in threads),
        "failures": failures,
    }
    store.close()
    print(json.dumps(told))  # noqa: T201 - whoever started it reads it


if __name__ == "__main__":
    main()
