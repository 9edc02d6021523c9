# ruff: noqa: PT012 - blocks that raise are what is tested
"""What transactions see of each other."""

import threading
from contextlib import suppress
from typing import Any, Literal

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import Spawn
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import count


def put(connection: core.Connection, user: str, role: str) -> None:
    connection.execute(
        "INSERT INTO users (id, email, role) VALUES (:id, :email, :role)",
        {"id": user, "email": f"{user}@example.org", "role": role},
    )


def commits_and_rolls_back(
    store: core.SqlStore, isolation: Literal["serializable"] | None
) -> None:
    with store.transaction(isolation=isolation) as tx:
        put(tx, "u1", "user")
    with (
        pytest.raises(ZeroDivisionError),
        store.transaction(isolation=isolation) as tx,
    ):
        put(tx, "u2", "user")
        raise ZeroDivisionError

    assert count(store) == 1


class IsolationContract:
    """What transactions see of each other."""

    def test_the_default_isolation_commits_and_rolls_back(
        self, store: core.SqlStore
    ) -> None:
        commits_and_rolls_back(store, None)

    @requires(Capability.SERIALIZABLE)
    def test_serializable_commits_and_rolls_back(self, store: core.SqlStore) -> None:
        commits_and_rolls_back(store, "serializable")

    @pytest.mark.parametrize(
        "isolation", ["", "SERIALIZABLE", "read committed", "snapshot", 1, True]
    )
    def test_any_other_isolation_is_refused_before_anything_happens(
        self, store: core.SqlStore, isolation: Any
    ) -> None:
        with pytest.raises(core.ArgumentError, match="isolation"):
            store.transaction(isolation=isolation)

        assert count(store) == 0

    @requires(Capability.CONCURRENT_SNAPSHOTS)
    def test_nobody_sees_what_is_not_committed(
        self, store: core.SqlStore, spawn: Spawn
    ) -> None:
        with store.transaction() as tx:
            put(tx, "u1", "user")
            seen = spawn(count, store).result(PATIENCE)

            assert count(tx) == 1
            assert seen == 0

        assert count(store) == 1

    @requires(Capability.SERIALIZABLE)
    def test_serializable_transactions_never_skew_each_other(
        self, store: core.SqlStore, spawn: Spawn
    ) -> None:
        """Each may leave only if the other stays; both read before either writes."""
        put(store, "u1", "admin")
        put(store, "u2", "admin")
        together = threading.Barrier(2)

        def resign(user: str) -> None:
            def leave(tx: core.Transaction) -> None:
                admins = tx.execute("SELECT count(*) FROM users WHERE role = 'admin'")
                # Where one waits for the other they never meet, which is as good.
                with suppress(threading.BrokenBarrierError):
                    together.wait(0.2)
                if admins.scalar() == 2:
                    tx.execute(
                        "UPDATE users SET role = 'user' WHERE id = :id", {"id": user}
                    )

            store.run(leave)

        for future in [spawn(resign, "u1"), spawn(resign, "u2")]:
            future.result(PATIENCE)

        admins = store.execute(
            "SELECT count(*) FROM users WHERE role = 'admin'"
        ).scalar()
        assert admins == 1
