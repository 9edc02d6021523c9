"""Clients that work on one store, with faults, and record what they did and saw."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from random import Random
from time import monotonic_ns, sleep
from typing import Any

from mooring import core
from mooring.core import Capability
from mooring.testing.history._history import Isolation, Op, Outcome, Txn, dump

# Serializable transactions write to lists and registers of their own: what holds
# between them does not hold beside others.
SHARED = ("1", "2", "3")
STRICT = ("4", "5", "6")
LISTS = SHARED + STRICT
REGISTERS = ("1", "2")
TABLES = (
    "CREATE TABLE history_lists (id BIGINT PRIMARY KEY, items TEXT NOT NULL)",
    "CREATE TABLE history_registers (id BIGINT PRIMARY KEY, item BIGINT)",
    "INSERT INTO history_lists VALUES (1, ''), (2, ''), (3, '')",
    "INSERT INTO history_lists VALUES (4, ''), (5, ''), (6, '')",
    "INSERT INTO history_registers VALUES (1, NULL), (2, NULL)",
)
_APPEND = "UPDATE history_lists SET items = items || :items WHERE id = :id"
_REPLACE = "UPDATE history_lists SET items = :items WHERE id = :id"
_LIST = "SELECT items FROM history_lists WHERE id = :id"
_WRITE = "UPDATE history_registers SET item = :item WHERE id = :id"
_REGISTER = "SELECT item FROM history_registers WHERE id = :id"
_REFUSED = "INSERT INTO history_lists VALUES (1, '')"
_ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT count(*) FROM n"
)


class FaultError(Exception):
    """What a client raises to give up its transaction."""


class Recorder:
    """The operations of one transaction, done and noted."""

    def __init__(self, connection: Any, values: Iterator[int]) -> None:
        self.ops: list[Op] = []
        self._connection = connection
        self._values = values

    def append(self, key: str) -> None:
        """Append in the statement itself."""
        value = next(self._values)
        # Before it is done: an error may come behind the effect.
        self.ops.append(Op("append", f"list {key}", value))
        self._do(_APPEND, key, items=f"{value},")

    def list(self, key: str) -> tuple[int, ...]:
        """Read a list."""
        text = self._do(_LIST, key).scalar()
        values = tuple(int(item) for item in text.split(",") if item)
        self.ops.append(Op("list", f"list {key}", values))
        return values

    def read_and_append(self, key: str) -> None:
        """Append to what was read: a change in between must not be lost."""
        value = next(self._values)
        items = [*self.list(key), value]
        self.ops.append(Op("append", f"list {key}", value))
        self._do(_REPLACE, key, items="".join(f"{item}," for item in items))

    def register(self, key: str) -> None:
        """Read a register."""
        value = self._do(_REGISTER, key).scalar()
        self.ops.append(Op("register", f"register {key}", value))

    def read_and_write(self, key: str) -> None:
        """Read a register and replace its value."""
        self.register(key)
        value = next(self._values)
        self.ops.append(Op("write", f"register {key}", value))
        self._do(_WRITE, key, item=value)

    def _do(self, sql: str, key: str, **values: object) -> core.Result:
        found: core.Result = self._connection.execute(sql, {"id": int(key), **values})
        return found


class Client:
    """One client: it runs transactions of all kinds, one after the other.

    Args:
        store: A store with `TABLES`, which others use too.
        name: Its name; no other client of the history has it.
        number: Its number, which tells its values from those of others.
        random: What it draws from.
    """

    def __init__(
        self, store: core.SqlStore, *, name: str, number: int, random: Random
    ) -> None:
        self.history: list[Txn] = []
        self._store = store
        self._name = name
        self._random = random
        self._values = count(number * 1_000_000 + 1)
        self._kinds: list[Callable[[], None]] = [
            self._single,
            self._default,
            self._default,
            self._snapshot,
        ]
        if Capability.SERIALIZABLE in store.capabilities:
            self._kinds += [self._run, self._run, self._serializable]

    def work(self, rounds: int) -> list[Txn]:
        """Run so many transactions; return what was recorded."""
        for _ in range(rounds):
            self._random.choice(self._kinds)()
        return self.history

    def look(self) -> Txn:
        """Read everything once, when all others have ended; return that."""
        with self._noted("snapshot") as begin, self._store.read() as snapshot:
            found = begin(snapshot)
            for key in LISTS:
                found.list(key)
            for key in REGISTERS:
                found.register(key)
        return self.history[-1]

    @contextmanager
    def _noted(self, isolation: Isolation) -> Iterator[Callable[[Any], Recorder]]:
        """Note the transaction inside, however it ends; errors of the store are an end.

        What it gives is called with the connection: it starts the record anew.
        """
        recorder = Recorder(None, self._values)
        outcome: Outcome = "aborted"
        invoked = monotonic_ns()

        def begin(connection: Any) -> Recorder:
            nonlocal recorder, invoked
            if (
                recorder.ops
            ):  # one that is run again: its attempt before came to nothing
                self._note(isolation, "aborted", recorder, invoked)
                invoked = monotonic_ns()
            recorder = Recorder(connection, self._values)
            return recorder

        try:
            yield begin
            outcome = "committed"
        except core.OutcomeUnknownError:
            outcome = "unknown"
        except (core.StoreError, FaultError):
            outcome = "aborted"
        finally:
            self._note(isolation, outcome, recorder, invoked)

    def _note(
        self, isolation: Isolation, outcome: Outcome, recorder: Recorder, invoked: int
    ) -> None:
        self.history.append(
            Txn(
                client=self._name,
                isolation=isolation,
                outcome=outcome,
                ops=tuple(recorder.ops),
                invoked=invoked,
                completed=monotonic_ns(),
            )
        )

    # -- kinds of transactions ------------------------------------------------------

    def _single(self) -> None:
        with self._noted("default") as begin:
            single = begin(self._store)
            self._random.choice([single.append, single.list])(self._one(SHARED))

    def _default(self) -> None:
        with self._noted("default") as begin, self._store.transaction() as tx:
            self._mixed(begin(tx), tx)

    def _serializable(self) -> None:
        with (
            self._noted("serializable") as begin,
            self._store.transaction(isolation="serializable") as tx,
        ):
            self._read_then_write(begin(tx))
            self._maybe_fail(tx)

    def _run(self) -> None:
        def attempt(tx: core.Transaction) -> None:
            self._read_then_write(begin(tx))

        with self._noted("serializable") as begin:
            self._store.run(attempt, attempts=5)

    def _snapshot(self) -> None:
        with self._noted("snapshot") as begin, self._store.read() as snapshot:
            found = begin(snapshot)
            keys = self._random.sample(LISTS, 4)
            for key in [*keys, keys[0]]:
                found.list(key)
                # Time for others to commit in between, on a fast engine too.
                sleep(self._random.uniform(0, 0.002))
            found.register(self._one(REGISTERS))

    def _mixed(self, done: Recorder, tx: core.Transaction) -> None:
        # In one order, since waiting for a deadlock to be seen would take the time.
        for key in sorted(self._random.sample(SHARED, 2)):
            self._random.choice([done.append, done.list])(key)
            self._maybe_undo(tx, key)
            done.list(self._one(LISTS))
        self._maybe_fail(tx)

    def _read_then_write(self, done: Recorder) -> None:
        done.list(self._one(LISTS))
        if self._random.random() < 0.5:
            done.register(self._one(REGISTERS))
            done.read_and_append(self._one(STRICT))
        else:
            done.read_and_write(self._one(REGISTERS))

    def _one(self, keys: tuple[str, ...]) -> str:
        return self._random.choice(keys)

    # -- faults ---------------------------------------------------------------------

    def _maybe_fail(self, tx: core.Transaction) -> None:
        drawn = self._random.random()
        if drawn < 0.1:
            raise FaultError
        if drawn < 0.2:
            tx.execute(_REFUSED)
        if drawn < 0.22 and self._store.config.statement_timeout < 1:
            tx.execute(_ENDLESS)
        if drawn < 0.26:
            # As a careless caller: the error is hidden, the end must not be a commit.
            with suppress(core.StatementError):
                tx.execute("SELECT * FROM nowhere")

    def _maybe_undo(self, tx: core.Transaction, key: str) -> None:
        """Undo a part: to the others it is a transaction that was rolled back."""
        if Capability.SAVEPOINTS not in self._store.capabilities:
            return
        if self._random.random() < 0.2:
            invoked = monotonic_ns()
            undone = Recorder(tx, self._values)
            with suppress(FaultError), tx.savepoint():
                undone.append(key)
                raise FaultError
            self._note("default", "aborted", undone, invoked)


def run_clients(
    store: core.SqlStore, *, part: int, clients: int, rounds: int, random: Random
) -> list[Txn]:
    """Let clients work in threads of their own; return the history of all.

    Args:
        store: A store with `TABLES`.
        part: Number of this part of the history, where several processes make one.
        clients: How many, < 100.
        rounds: How many transactions each runs.
        random: What they draw from.

    Raises:
        Exception: What a client raised that is no answer of a store.
    """
    working = [
        Client(
            store,
            name=f"client {part}.{number}",
            number=part * 100 + number,
            random=Random(random.randrange(2**32)),  # noqa: S311 - to be repeated, not to be secret
        )
        for number in range(clients)
    ]
    errors: list[BaseException] = []

    def work(client: Client) -> None:
        try:
            client.work(rounds)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(client,)) for client in working]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [txn for client in working for txn in client.history]


def main(config: dict[str, object], **options: Any) -> None:
    """Be a process of a workload: work, and print the history."""
    seed = options.pop("seed")
    with core.open(config) as store:
        print("ready", flush=True)  # noqa: T201 - its parent reads it
        sys.stdin.readline()
        history = run_clients(store, random=Random(seed), **options)  # noqa: S311 - as above
    print(dump(history), flush=True)  # noqa: T201 - its parent reads it
