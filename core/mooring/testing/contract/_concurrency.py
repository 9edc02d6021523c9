"""Threads and processes at work on one store lose nothing and see nothing half done."""

import threading
from collections.abc import Callable

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import Program, Spawn
from mooring.testing.contract._patience import PATIENCE

INCREMENT = "UPDATE accounts SET amount = amount + :by WHERE id = :id"


def committed(work: Callable[[], None]) -> None:
    """Call *work* until it meets no conflict, which any engine may report."""
    for _ in range(1000):
        try:
            return work()
        except core.SerializationError:
            continue
    raise AssertionError


def amounts(connection: core.Connection) -> list[int]:
    rows = connection.execute("SELECT amount FROM accounts ORDER BY id")
    return [row["amount"] for row in rows]


class ConcurrencyContract:
    """Threads and processes on one store lose nothing and see nothing half done."""

    @pytest.fixture
    def accounts(self, store: core.SqlStore) -> core.SqlStore:
        """A store with two accounts of 100 each."""
        store.execute("CREATE TABLE accounts (id BIGINT PRIMARY KEY, amount BIGINT)")
        store.execute("INSERT INTO accounts VALUES (1, 100), (2, 100)")
        return store

    def test_no_increment_is_lost(self, accounts: core.SqlStore, spawn: Spawn) -> None:
        def work() -> None:
            for _ in range(25):
                accounts.execute(INCREMENT, {"id": 1, "by": 1})

        for future in [spawn(work) for _ in range(4)]:
            future.result(PATIENCE)

        assert amounts(accounts) == [200, 100]

    def test_readers_never_see_half_a_transfer(
        self, accounts: core.SqlStore, spawn: Spawn
    ) -> None:
        stop = threading.Event()

        def look() -> int:
            seen = 0
            while not stop.is_set() or not seen:
                with accounts.read() as snapshot:
                    one = snapshot.execute("SELECT amount FROM accounts WHERE id = 1")
                    two = snapshot.execute("SELECT amount FROM accounts WHERE id = 2")
                    assert one.scalar() + two.scalar() == 200
                assert sum(amounts(accounts)) == 200
                seen += 1
            return seen

        def transfer(by: int) -> None:
            with accounts.transaction() as tx:
                tx.execute(INCREMENT, {"id": 1, "by": -by})
                tx.execute(INCREMENT, {"id": 2, "by": by})

        def transfers(by: int) -> None:
            for _ in range(15):
                committed(lambda: transfer(by))

        looking = [spawn(look) for _ in range(2)]
        working = [spawn(transfers, by) for by in (1, 2)]
        try:
            for future in working:
                future.result(PATIENCE)
        finally:
            stop.set()

        assert all(future.result(PATIENCE) > 0 for future in looking)
        assert amounts(accounts) == [100 - 45, 100 + 45]

    def test_failures_of_some_do_not_touch_the_work_of_others(
        self, accounts: core.SqlStore, spawn: Spawn
    ) -> None:
        def work(*, fails: bool) -> None:
            try:
                with accounts.transaction() as tx:
                    tx.execute(INCREMENT, {"id": 1, "by": 1000 if fails else 1})
                    if fails:
                        tx.execute("INSERT INTO accounts VALUES (1, 0)")
            except core.UniqueViolation:
                assert fails

        def works(*, fails: bool) -> None:
            for _ in range(15):
                committed(lambda: work(fails=fails))

        futures = [spawn(lambda f=fails: works(fails=f)) for fails in (False, True) * 2]
        for future in futures:
            future.result(PATIENCE)

        assert amounts(accounts) == [130, 100]

    @requires(Capability.MULTI_PROCESS)
    def test_processes_lose_no_increment_of_each_other(
        self, accounts: core.SqlStore, program: Program
    ) -> None:
        code = (
            "with core.open(config) as store:\n"
            "    for _ in range(20):\n"
            "        store.run(lambda tx: tx.execute(\n"
            f"            {INCREMENT!r}, {{'id': 1, 'by': 1}}))\n"
        )
        processes = [program(code) for _ in range(2)]
        for _ in range(20):
            accounts.execute(INCREMENT, {"id": 1, "by": 1})
        for process in processes:
            _, errors = process.communicate(timeout=PATIENCE)

            assert (process.returncode, errors) == (0, "")

        assert amounts(accounts) == [160, 100]
