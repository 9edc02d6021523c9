"""What clients at work saw is checked afterwards for every known anomaly."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import Loop, OpenStore, Program
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.history import (
    TABLES,
    Client,
    Txn,
    anomalies,
    load,
    run_clients,
)


def assert_in_order(history: Sequence[Txn], store: core.SqlStore) -> None:
    """Check a history with a last look at everything, and that much happened in it."""
    last = Client(store, name="the last", number=9999, random=Random(0)).look()  # noqa: S311 - draws nothing
    ends = Counter((txn.isolation, txn.outcome) for txn in history if txn.ops)
    kinds = {"default", "snapshot"}
    if Capability.SERIALIZABLE in store.capabilities:
        kinds.add("serializable")
    print(dict(ends))  # noqa: T201 - shown beside a failure

    assert last.outcome == "committed"
    assert anomalies([*history, last]) == []
    assert {kind for kind, outcome in ends if outcome == "committed"} == kinds
    assert any(outcome == "aborted" for _, outcome in ends)


class HistoriesContract:
    """What clients at work saw is checked afterwards for every known anomaly."""

    @pytest.fixture
    def workplace(self, store: core.SqlStore) -> core.SqlStore:
        """A store with the tables of the workload."""
        for sql in TABLES:
            store.execute(sql)
        return store

    @pytest.fixture
    def rough(self, hasty: Mapping[str, object]) -> Mapping[str, object]:
        """Options with which connections are replaced and waits end in errors."""
        return {"conn_max_lifetime": 0.05, "statement_timeout": 0.3, **hasty}

    @pytest.mark.parametrize("clients", [2, 6])
    def test_threads_see_no_anomaly(
        self, workplace: core.SqlStore, loop: Loop, clients: int
    ) -> None:
        rounds, random = loop(480 // clients, 3000 // clients)
        history = run_clients(
            workplace, part=0, clients=clients, rounds=rounds, random=random
        )

        assert_in_order(history, workplace)

    @requires(Capability.DURABLE)
    def test_threads_see_no_anomaly_where_much_goes_wrong(
        self,
        workplace: core.SqlStore,
        rough: Mapping[str, object],
        open_store: OpenStore,
        loop: Loop,
    ) -> None:
        rounds, random = loop(50, 400)
        with open_store(**rough) as store:
            history = run_clients(
                store, part=0, clients=6, rounds=rounds, random=random
            )

        assert_in_order(history, workplace)

    @requires(Capability.MULTI_PROCESS)
    def test_processes_see_no_anomaly(
        self,
        workplace: core.SqlStore,
        rough: Mapping[str, object],
        program: Program,
        loop: Loop,
    ) -> None:
        rounds, random = loop(50, 400)
        processes = [
            program(
                "from mooring.testing.history import main\n"
                f"main({{**config, **{dict(rough)!r}}}, clients=3, rounds={rounds},"
                f" part={part}, seed={random.randrange(2**32)})\n"
            )
            for part in (1, 2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        history = run_clients(
            workplace, part=0, clients=2, rounds=rounds, random=random
        )
        for process in processes:
            printed, errors = process.communicate(timeout=PATIENCE + rounds)
            assert errors == ""
            history += load(printed)

        assert_in_order(history, workplace)
