"""What a store does not declare it refuses, clearly and before anything is begun."""

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing._capabilities import lacks

ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
COUNT = "SELECT count(*) FROM users"


class UndeclaredContract:
    """What a store does not declare it refuses, and imitates nothing."""

    @lacks(Capability.SAVEPOINTS)
    def test_a_savepoint_is_refused_where_there_are_none(
        self, store: core.SqlStore
    ) -> None:
        with store.transaction() as tx:
            tx.execute(ADD, {"id": "u1"})
            with pytest.raises(core.UnsupportedByDriver) as caught, tx.savepoint():
                tx.execute(ADD, {"id": "u2"})
            tx.execute(ADD, {"id": "u3"})

        assert caught.value.capability == Capability.SAVEPOINTS
        assert caught.value.hint is not None
        assert store.execute(COUNT).scalar() == 2

    @lacks(Capability.SERIALIZABLE)
    def test_serializable_is_refused_where_it_is_not_to_be_had(
        self, store: core.SqlStore
    ) -> None:
        called: list[object] = []
        with pytest.raises(core.UnsupportedByDriver) as caught:
            store.run(called.append)
        with pytest.raises(core.UnsupportedByDriver):
            store.transaction(isolation="serializable")

        assert caught.value.capability == Capability.SERIALIZABLE
        assert caught.value.hint is not None
        assert called == []

    @lacks(Capability.CASCADING_FOREIGN_KEYS)
    def test_a_cascade_is_refused_where_there_are_none(
        self, store: core.SqlStore
    ) -> None:
        store.execute("CREATE TABLE parents (id BIGINT PRIMARY KEY)")
        with pytest.raises(core.StatementError):
            store.execute(
                "CREATE TABLE children (parent BIGINT"
                " REFERENCES parents (id) ON DELETE CASCADE)"
            )
