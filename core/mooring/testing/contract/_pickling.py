"""An error goes to another process whole: as its class, with its hint."""

import pickle
from typing import Any

import pytest

from mooring import core
from mooring.testing.contract._capabilities import requires_sql
from mooring.testing.contract._fixture_types import Write


def assert_same(error: core.StoreError) -> None:
    copy: Any = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own

    assert type(copy) is type(error)
    assert copy.hint == error.hint
    assert str(copy) == str(error)
    assert copy.retryable == error.retryable


class PicklingContract:
    """An error goes to another process whole: as its class, with its hint."""

    def test_the_error_of_a_closed_store_keeps_its_hint_where_it_is_pickled(
        self, store: core.Store, write: Write
    ) -> None:
        store.close()
        with pytest.raises(core.StoreClosedError) as caught:
            write(store, "u1")

        assert_same(caught.value)

    @requires_sql()
    def test_an_error_keeps_its_hint_where_it_is_pickled(
        self, store: core.SqlStore
    ) -> None:
        with pytest.raises(core.ReadOnlyError) as caught, store.read() as snapshot:
            snapshot.execute("DELETE FROM users")

        assert_same(caught.value)
