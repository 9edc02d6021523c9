"""What a mutant is: one exchanged part of a driver, and the tests that must see it."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from mutant_drivers._driver import (
    Config,
    Driver,
    MigrationSession,
    Session,
    Snapshot,
    Store,
    Transaction,
    Unit,
)
from mutant_drivers._plain_driver import PlainDriver, PlainStore

P = TypeVar("P", bound=type[Any])


@attrs.frozen(kw_only=True)
class Mutant:
    """A driver with one defect.

    Attributes:
        name: The driver's name.
        topic: Which rules it breaks, in a word or two.
        defect: What is wrong, in one sentence.
        caught_by: The tests of the contract that must fail on it.
        control: The driver that has its other properties, and no defect.
        waits: Its test waits long before it fails.
        driver: The plugin.
    """

    name: str
    topic: str
    defect: str
    caught_by: tuple[str, ...]
    control: str
    waits: bool
    driver: Driver | PlainDriver = attrs.field(repr=False, eq=False)


MUTANTS: dict[str, Mutant] = {}


def caught_by(
    *tests: str, control: str = "unharmed", waits: bool = False
) -> Callable[[P], P]:
    """Make a driver of the class below: a part of one, with the defect.

    Its docstring is the sentence on what is wrong, its module the topic.
    """

    def register(part: P) -> P:
        words = re.findall("[A-Z][a-z0-9]*", part.__name__)
        name = "_".join(words).lower()
        MUTANTS[name] = Mutant(
            name=name,
            topic=part.__module__.rpartition("._")[2].replace("_", " "),
            defect=(part.__doc__ or "").partition("\n\n")[0].replace("\n    ", " "),
            caught_by=tests,
            control=control,
            waits=waits,
            driver=_driver_with(part)(name),
        )
        return part

    return register


def _driver_with(part: type[Any]) -> type[Driver] | type[PlainDriver]:
    if issubclass(part, (Driver, PlainDriver)):
        return part
    if issubclass(part, PlainStore):
        return type("Mutated", (PlainDriver,), {"store_class": part})
    if issubclass(part, Config):
        return type("Mutated", (Driver,), {"base_config": part})
    return type("Mutated", (Driver,), {"store_class": _store_with(part)})


def _store_with(part: type[Any]) -> type[Store]:
    if issubclass(part, Store):
        return part
    if issubclass(part, Unit):
        part = type("Mutated", (MigrationSession,), {"unit_class": part})
    places: dict[type[Any], str] = {
        Session: "session_class",
        Transaction: "transaction_class",
        Snapshot: "snapshot_class",
        MigrationSession: "migration_class",
    }
    (place,) = (name for kind, name in places.items() if issubclass(part, kind))
    return type("Mutated", (Store,), {place: part})
