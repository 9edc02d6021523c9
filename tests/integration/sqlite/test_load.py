import os
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import monotonic

import pytest
from mooring import core
from mooring_sqlite import SqliteStore

OpenSqlite = Callable[..., SqliteStore]
Loop = Callable[[int, int], tuple[int, Random]]

THREADS = 32
ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.soak
@pytest.mark.parametrize("path", ["app.db", ":memory:"])
def test_32_threads_that_write_and_32_that_read_lose_nothing(
    open_sqlite: OpenSqlite,
    loop: Loop,
    report: Callable[[str], None],
    tmp_path: Path,
    path: str,
) -> None:
    open_sqlite(path).close()  # its lock file stays open as long as the process
    seconds, random = loop(2, 20)
    files, threads = descriptors(), threading.active_count()
    store = open_sqlite(
        path, busy_timeout=60, pool_timeout=60, max_open_conns=8, conn_max_lifetime=0.5
    )
    written: list[list[str]] = [[] for _ in range(THREADS)]
    read = [0] * THREADS
    errors: list[BaseException] = []
    seeds = [random.random() for _ in range(THREADS)]
    end = monotonic() + seconds

    def write(worker: int) -> None:
        mine = Random(seeds[worker])  # noqa: S311 - to be repeated, not to be secret
        number = 0
        while monotonic() < end:
            ids = [f"{worker}-{number}-{part}" for part in range(mine.randint(1, 4))]
            if len(ids) == 1:
                store.execute(ADD, {"id": ids[0]})
            else:
                with store.transaction() as tx:
                    for name in ids:
                        tx.execute(ADD, {"id": name})
            written[worker] += ids
            number += 1

    def look(worker: int) -> None:
        seen = 0
        while monotonic() < end:
            with store.read() as snapshot:
                count = snapshot.execute("SELECT count(*) FROM users").scalar()
                again = snapshot.execute("SELECT count(id) FROM users").scalar()
            if count != again or count < seen:
                raise AssertionError(f"{seen} rows, then {count}, then {again}")
            seen = store.execute("SELECT count(*) FROM users").scalar()
            read[worker] += 2

    def work(job: Callable[[int], None], worker: int) -> None:
        try:
            job(worker)
        except BaseException as error:  # noqa: BLE001 - told below, whatever it is
            errors.append(error)

    workers = [
        threading.Thread(target=work, args=(job, worker))
        for job in (write, look)
        for worker in range(THREADS)
    ]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    wanted = {name for names in written for name in names}
    found = {str(row["id"]) for row in store.execute("SELECT id FROM users")}
    integrity = store.execute("PRAGMA integrity_check").scalar()
    healthy = core.health_check(store, integrity=True, timeout=60)
    store.close()

    assert errors == []
    assert found == wanted
    assert integrity == "ok"
    assert healthy.ok, healthy
    assert all(written), "a thread never had its turn"
    assert all(read), "a thread never had its turn"
    assert threading.active_count() == threads
    assert descriptors() == files
    report(
        f"{THREADS} + {THREADS} threads for {seconds} s: {len(wanted)} rows written,"
        f" {sum(read)} reads, 0 errors, 0 lost, least busy writer"
        f" {min(map(len, written))} rows, no thread or descriptor left"
    )
