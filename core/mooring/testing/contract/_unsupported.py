"""What a store does not have it refuses, at once and by name, and never imitates."""

from collections.abc import Callable

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import lacks
from mooring.testing.contract._fixture_types import Program
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import ADD, COUNT

ADD_KEY = (
    "INSERT INTO api_keys (id, user_id, hash, prefix) VALUES ('k', 'u1', :hash, 'p')"
)


def refused(error: core.UnsupportedByDriver, store: core.SqlStore, what: str) -> bool:
    return (error.capability, error.driver) == (what, store.driver) and bool(error.hint)


class UnsupportedContract:
    """What a store does not have it refuses at once, and never imitates."""

    @lacks(Capability.SAVEPOINTS)
    def test_without_savepoints_one_is_refused_and_the_transaction_goes_on(
        self,
        store: core.SqlStore,
    ) -> None:
        with store.transaction() as tx:
            tx.execute(ADD, {"id": "u1"})
            with pytest.raises(core.UnsupportedByDriver) as caught, tx.savepoint():
                tx.execute(ADD, {"id": "u2"})
            tx.execute(ADD, {"id": "u3"})

        assert refused(caught.value, store, "savepoints")
        assert store.execute(COUNT).scalar() == 2

    @lacks(Capability.SERIALIZABLE)
    def test_without_serializable_nothing_is_begun(self, store: core.SqlStore) -> None:
        with pytest.raises(core.UnsupportedByDriver) as caught:
            store.transaction(isolation="serializable")
        with pytest.raises(core.UnsupportedByDriver):
            store.run(lambda tx: tx.execute(ADD, {"id": "u1"}))

        assert refused(caught.value, store, "serializable")
        assert store.execute(COUNT).scalar() == 0

    @lacks(Capability.CASCADING_FOREIGN_KEYS)
    def test_without_cascades_a_parent_stays_as_long_as_its_children(
        self,
        store: core.SqlStore,
    ) -> None:
        store.execute(ADD, {"id": "u1"})
        store.execute(ADD_KEY, {"hash": b"x"})
        with pytest.raises(core.ForeignKeyViolation):
            store.execute("DELETE FROM users")
        store.execute("DELETE FROM api_keys")
        store.execute("DELETE FROM users")

        assert store.execute(COUNT).scalar() == 0

    @lacks(Capability.CASCADING_FOREIGN_KEYS)
    def test_without_cascades_a_key_that_asks_for_them_is_not_made(
        self,
        store: core.SqlStore,
    ) -> None:
        with pytest.raises(core.StatementError):
            store.execute(
                "CREATE TABLE pets (owner TEXT REFERENCES users (id) ON DELETE CASCADE)"
            )
        with pytest.raises(core.StatementError):
            store.execute("SELECT * FROM pets")

    @lacks(Capability.MULTI_PROCESS)
    def test_without_multi_process_another_process_is_refused_or_has_its_own(
        self, open_store: Callable[..., core.SqlStore], program: Program
    ) -> None:
        store = open_store()
        store.execute(ADD, {"id": "u1"})
        process = program(
            "config['connect_timeout'] = 0.2\n"
            "try:\n"
            "    with core.open(config) as store:\n"
            f"        print(store.execute({COUNT!r}).scalar())\n"
            "except core.StoreBusyError as error:\n"
            "    print(0 if error.hint and 'process' in error.message else error)\n"
        )

        assert process.communicate(timeout=PATIENCE) == ("0\n", "")
        assert store.execute(COUNT).scalar() == 1

    @lacks(Capability.DURABLE)
    def test_without_durability_a_store_that_is_opened_again_is_empty(
        self,
        config: dict[str, object],
    ) -> None:
        with core.open(config) as store:
            store.execute(ADD, {"id": "u1"})
        with core.open(config) as store:
            assert store.execute(COUNT).scalar() == 0
