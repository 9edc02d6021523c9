"""A migrator takes a store that is a `core.Migratable`, and no other."""

from typing import Any

import pytest
from mooring import core, migrate
from mooring.migrate._view import METHODS

SIDES = ("config", *METHODS)


def nothing(*_: object, **__: object) -> None:
    """Stand for a method."""


def store_with(sides: dict[str, object]) -> Any:
    whole = {"config": core.StoreConfig(), **dict.fromkeys(METHODS, nothing)}
    return type("Half", (), whole | sides)()


def store_without(side: str) -> Any:
    store = store_with({})
    delattr(type(store), side)
    return store


def refuse(store: Any) -> None:
    assert not isinstance(store, core.Migratable)
    with pytest.raises(core.UnsupportedByDriver, match="Half is not") as caught:
        migrate.Migrator(store)

    assert caught.value.capability == "migrations"


def test_the_sides_that_are_asked_for_are_those_of_the_protocol() -> None:
    assert {name for name in vars(core.Migratable) if name[0] != "_"} == set(SIDES)


def test_a_store_that_has_all_is_taken() -> None:
    store, source = store_with({}), migrate.Source(core.DiskFolder("."))

    assert isinstance(store, core.Migratable)
    assert migrate.Migrator(store, source).source is source


@pytest.mark.parametrize("missing", SIDES)
def test_a_store_that_lacks_one_is_refused(missing: str) -> None:
    refuse(store_without(missing))


@pytest.mark.parametrize("name", METHODS)
def test_a_store_that_says_it_has_none_is_refused(name: str) -> None:
    refuse(store_with({name: None}))
