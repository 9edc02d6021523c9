"""DuckDB driver for mooring: an example of a complete driver for SQL.

The functions below are the driver; what they need is imported when they are called,
so that naming the driver costs little and listing it nothing.
"""

from typing import TYPE_CHECKING, Any

from mooring.core import hookimpl

if TYPE_CHECKING:
    from mooring.core import DriverInfo, Folder, Health

    from mooring_duckdb._config import DuckdbConfig
    from mooring_duckdb._store import DuckdbStore

__all__ = ["DuckdbConfig", "DuckdbStore", "__version__"]

__version__ = "0.1.0"


@hookimpl
def driver_info() -> "DriverInfo":
    """Describe the driver: what DuckDB does not have is not declared."""
    from mooring.core import Capability, DriverInfo

    from mooring_duckdb._config import DuckdbConfig

    return DriverInfo(
        name="duckdb",
        config_class=DuckdbConfig,
        capabilities=frozenset(
            {
                Capability.CONCURRENT_SNAPSHOTS,
                Capability.DURABLE,
                Capability.TRANSACTIONAL_DDL,
            }
        ),
    )


@hookimpl
def open_store(config: "DuckdbConfig") -> "DuckdbStore":
    """Open the file, or the private in-memory database, that *config* names."""
    from mooring_duckdb._store import open_duckdb

    return open_duckdb(config)


@hookimpl
def health_check(store: "DuckdbStore", deep: bool, timeout: float) -> "Health":
    """Look at the connections, the file and the disk."""
    from mooring_duckdb._health import check

    return check(store, deep=deep, timeout=timeout)


@hookimpl
def migrations_dir() -> "Folder":
    """Return the folder of the driver's own migrations."""
    from mooring.core import package_folder

    return package_folder("mooring_duckdb", "migrations")


def __getattr__(name: str) -> Any:
    if name == "DuckdbConfig":
        from mooring_duckdb._config import DuckdbConfig

        return DuckdbConfig
    if name == "DuckdbStore":
        from mooring_duckdb._store import DuckdbStore

        return DuckdbStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
