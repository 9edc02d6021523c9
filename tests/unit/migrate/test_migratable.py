"""A migrator takes a store that has every side of `core.Migratable`, and no other."""

import pytest
from mooring import core, migrate
from mooring.migrate._view import SIDES


def test_the_sides_that_are_asked_for_are_those_of_the_protocol() -> None:
    assert {name for name in vars(core.Migratable) if name[0] != "_"} == set(SIDES)


@pytest.mark.parametrize("missing", SIDES)
def test_a_store_that_lacks_one_is_refused(missing: str) -> None:
    half = type("Half", (), dict.fromkeys(set(SIDES) - {missing}))
    with pytest.raises(core.UnsupportedByDriver, match="Half is not") as caught:
        migrate.Migrator(half())

    assert caught.value.capability == "migrations"
