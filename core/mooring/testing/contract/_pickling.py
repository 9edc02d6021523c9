"""An error goes to another process whole: as its class, with its hint."""

import pickle
from typing import Any

import pytest

from mooring import core


class PicklingContract:
    """An error goes to another process whole: as its class, with its hint."""

    def test_an_error_keeps_its_hint_where_it_is_pickled(
        self, store: core.SqlStore
    ) -> None:
        with pytest.raises(core.ReadOnlyError) as caught, store.read() as snapshot:
            snapshot.execute("DELETE FROM users")

        copy: Any = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own

        assert copy.hint == caught.value.hint
        assert str(copy) == str(caught.value)
        assert copy.retryable == caught.value.retryable
