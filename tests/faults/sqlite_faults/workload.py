"""Threads that write small transactions, each in the three ways that a store has.

A transaction of a worker is named by it and a number. What belongs together is written
so that a half can be seen:

- ``run`` and ``transaction`` add a user with a key, and move the tally of their worker:
  its user's address and its only key, which is replaced, have the newest number;
- ``execute`` adds two users in one statement.
"""

import threading
import traceback
from collections.abc import Callable, Iterable
from random import Random

from mooring import core

from sqlite_faults.ledger import Ledger

TALLY = "tally"
TWIN = "-twin"
PAIR = "pair"  # begins the name of a transaction of several statements
SINGLE = "single"  # and this that of one statement
# The share of transactions that are large.
LARGE = 0.01
ADD_USER = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
ADD_TWINS = (
    "INSERT INTO users (id, email, role)"
    " VALUES (:id, :id, 'user'), (:twin, :twin, 'user')"
)
ADD_KEY = (
    "INSERT INTO api_keys (id, user_id, hash, prefix)"
    " VALUES (:id, :user, :payload, :id)"
)
DROP_KEYS = "DELETE FROM api_keys WHERE user_id = :user"
MOVE_TALLY = "UPDATE users SET email = :email WHERE id = :id"
HALF_TALLIES = (
    "SELECT count(*) FROM users JOIN api_keys ON user_id = users.id"
    f" WHERE users.id LIKE '{TALLY}-%' AND email <> api_keys.id"
)
COUNT_USERS = "SELECT count(*) FROM users"


def prepare(store: core.SqlStore, workers: int) -> None:
    """Write the tallies, and rows that stay as they are."""
    with store.transaction() as tx:
        for worker in range(workers):
            name = f"{TALLY}-{worker}"
            tx.execute(ADD_USER, {"id": name})
            tx.execute(MOVE_TALLY, {"id": name, "email": f"{name}-0"})
            tx.execute(ADD_KEY, {"id": f"{name}-0", "user": name, "payload": b""})


def write_pair(tx: core.Transaction, worker: int, number: int, payload: bytes) -> None:
    """Write what belongs together, in a transaction of the caller's."""
    name, tally = f"{PAIR}-{worker}-{number}", f"{TALLY}-{worker}"
    tx.execute(ADD_USER, {"id": name})
    tx.execute(ADD_KEY, {"id": name, "user": name, "payload": payload})
    newest = f"{tally}-{number}"
    tx.execute(MOVE_TALLY, {"id": tally, "email": newest})
    tx.execute(DROP_KEYS, {"user": tally})
    tx.execute(ADD_KEY, {"id": newest, "user": tally, "payload": payload})


def step(
    store: core.SqlStore, worker: int, number: int, random: Random
) -> tuple[str, Callable[[], object]]:
    """Return the name of transaction *number* (>= 1) of a worker, and what commits it.

    Most are small. Some are larger than a sector of a disk, and a few than what SQLite
    keeps in its memory before COMMIT.
    """
    payload = random.randbytes(random.choice((16, 16, 16, 700, 9000)))
    if random.random() < LARGE:
        payload = random.randbytes(1_200_000)
    way = random.choice(("run", "run", "transaction", "execute"))
    if way == "execute":
        name = f"{SINGLE}-{worker}-{number}"
        both = {"id": name, "twin": name + TWIN}
        return name, lambda: store.execute(ADD_TWINS, both)

    def fill(tx: core.Transaction) -> None:
        write_pair(tx, worker, number, payload)

    def in_a_block() -> None:
        with store.transaction() as tx:
            fill(tx)

    name = f"{PAIR}-{worker}-{number}"
    return name, (lambda: store.run(fill)) if way == "run" else in_a_block


def work(
    store: core.SqlStore,
    worker: int,
    numbers: Iterable[int],
    random: Random,
    ledger: Ledger,
    told: Callable[[str], object],
) -> None:
    """Write the transactions *numbers*, and note what became of each.

    The name of each that was acknowledged is *told* right after.
    """
    for number in numbers:
        name, commit = step(store, worker, number, random)
        try:
            commit()
        except core.OutcomeUnknownError:
            ledger.unknown.append(name)
        except core.MooringError as error:
            ledger.refused[name] = type(error).__name__
        except BaseException:  # noqa: BLE001 - told to the test, whatever it is
            ledger.unexpected.append(f"{name}: {traceback.format_exc()}")
        else:
            ledger.acknowledged.append(name)
            told(name)


def watch(store: core.SqlStore, ledger: Ledger, done: threading.Event) -> None:
    """Read until *done*: what was acknowledged is there, and no half of anything."""
    while not done.wait(0.002):
        names = ledger.acknowledged[-3:]
        try:
            with store.read() as snapshot:
                halves = snapshot.execute(HALF_TALLIES).scalar()
                query = f"{COUNT_USERS} WHERE id IN :names"
                found = snapshot.execute(query, {"names": core.In(names)}).scalar()
        except core.MooringError:
            continue  # it says that it cannot
        except BaseException:  # noqa: BLE001 - told to the test, whatever it is
            ledger.unexpected.append(f"a reader: {traceback.format_exc()}")
            return
        if halves or found != len(names):
            seen = f"{halves} halves, {found} of {names}"
            ledger.unexpected.append(f"a reader saw {seen}")


def run(
    store: core.SqlStore,
    *,
    workers: int,
    numbers: Iterable[int],
    random: Random,
    ledger: Ledger,
    told: Callable[[str], object] = str,
) -> None:
    """Write from as many threads as there are *workers*, while another one reads."""
    done = threading.Event()
    reader = threading.Thread(target=watch, args=(store, ledger, done))
    threads = [
        threading.Thread(
            target=work,
            args=(store, n, numbers, Random(random.random()), ledger, told),  # noqa: S311 - to be repeated, not to be secret
        )
        for n in range(workers)
    ]
    reader.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
