"""What a driver says about itself."""

from enum import StrEnum
from typing import NamedTuple

from mooring.core._config import StoreConfig

# The hooks' API that this core speaks. A new hook or hook argument is no new version:
# plugins take the arguments they name.
API_VERSION = 1
SUPPORTED_API = frozenset({1})


class Capability(StrEnum):
    """What a store can have beyond what every SQL store must have. A closed list.

    Attributes:
        SAVEPOINTS: A part of a transaction can fail by itself.
        CASCADING_FOREIGN_KEYS: ``ON DELETE CASCADE`` is obeyed.
        TRANSACTIONAL_DDL: A migration that fails leaves nothing of its file.
        CONCURRENT_SNAPSHOTS: Snapshots are read beside each other and beside a write.
        MULTI_PROCESS: Several processes can have it open.
        SERIALIZABLE: Transactions can be as if they ran one after the other.
        DURABLE: What was committed survives a power cut.
    """

    SAVEPOINTS = "savepoints"
    CASCADING_FOREIGN_KEYS = "cascading_foreign_keys"
    TRANSACTIONAL_DDL = "transactional_ddl"
    CONCURRENT_SNAPSHOTS = "concurrent_snapshots"
    MULTI_PROCESS = "multi_process"
    SERIALIZABLE = "serializable"
    DURABLE = "durable"


# A named tuple: every start makes this class, and an attrs class would take it several
# times as long.
class DriverInfo(NamedTuple):
    """A driver's own description, the answer to the ``driver_info`` hook.

    Attributes:
        name: The driver's name: ``[a-z][a-z0-9_]*``, also its entry point's name.
        config_class: Its configuration class, a subclass of `StoreConfig`.
        capabilities: The most that a store of this driver can have; what an open store
            has is in ``store.capabilities``.
        aliases: Further entry-point names that lead to the same driver.
        api: The `API_VERSION` that the driver was written for.
        sql: Whether its stores speak SQL, and are a `SqlStore` each; False where they
            stop at `Store`.
    """

    name: str
    config_class: type[StoreConfig]
    capabilities: frozenset[Capability] = frozenset()
    aliases: tuple[str, ...] = ()
    api: int = API_VERSION
    sql: bool = True
