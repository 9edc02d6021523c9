"""The key-value driver under another name: a store without SQL to plant defects in."""

from typing import Any

import attrs
from mooring import core
from mooring.core import Capability, Secret, hookimpl, option
from mooring_keyvalue import KeyValueConfig, KeyValueStore, health_check


@attrs.frozen(kw_only=True, eq=False, repr=False)  # as StoreConfig has them
class PlainConfig(KeyValueConfig):
    """The options of the key-value driver, and a password."""

    password: Secret = option(Secret(""), "A secret of no use.", secret=True)


class PlainStore(KeyValueStore):
    """Values by key; a mutant is a subclass."""

    config: Any  # of the class that its driver makes


class PlainDriver:
    """The plugin; `name` is that of its entry point.

    Attributes:
        config_class: The class whose ``driver`` is fixed to the name.
    """

    store_class: type[PlainStore] = PlainStore
    capabilities: frozenset[Capability] = frozenset()
    sql = False

    def __init__(self, name: str) -> None:
        self.name = name
        fixed = {
            "__annotations__": {"driver": str},
            "driver": attrs.field(default=name, init=False),
        }
        class_name = f"ConfigOf_{name}"
        self.config_class: type[PlainConfig] = attrs.frozen(
            type(class_name, (PlainConfig,), fixed),
            kw_only=True,
            eq=False,
            repr=False,
        )
        # Where pickle looks for a class.
        globals()[class_name] = self.config_class

    @hookimpl
    def driver_info(self) -> core.DriverInfo:
        return core.DriverInfo(
            name=self.name,
            config_class=self.config_class,
            capabilities=self.capabilities,
            sql=self.sql,
        )

    @hookimpl
    def open_store(self, config: Any) -> PlainStore:
        store = self.store_class(config)
        store.capabilities = self.capabilities
        return store

    @hookimpl
    def health_check(self, store: PlainStore, timeout: float) -> core.Health:
        return health_check(store, timeout)


class _Lasting(PlainDriver):
    capabilities = frozenset({Capability.DURABLE})


PLAIN: dict[str, PlainDriver] = {
    "plain": PlainDriver("plain"),
    "plain_and_lasting": _Lasting("plain_and_lasting"),
}
