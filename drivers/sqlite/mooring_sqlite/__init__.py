"""SQLite driver for mooring, on the standard library's ``sqlite3``.

The functions below are the driver; what they need is imported when they are called,
so that naming the driver costs little and listing it nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mooring.core import hookimpl

if TYPE_CHECKING:
    from mooring.core import CheckProgress, DriverInfo, Folder, Health

    from mooring_sqlite._config import SqliteConfig
    from mooring_sqlite._store import SqliteStore

__all__ = ["SqliteConfig", "SqliteStore", "__version__"]

__version__ = "0.1.0"


@hookimpl
def driver_info() -> DriverInfo:
    """Describe the driver."""
    from mooring.core import Capability, DriverInfo

    from mooring_sqlite._config import SqliteConfig

    return DriverInfo(
        name="sqlite", config_class=SqliteConfig, capabilities=frozenset(Capability)
    )


@hookimpl
def open_store(config: SqliteConfig) -> SqliteStore:
    """Open the file, or the private in-memory database, that *config* names."""
    from mooring_sqlite._store import open_sqlite

    return open_sqlite(config)


@hookimpl
def health_check(
    store: SqliteStore,
    deep: bool,
    timeout: float,
    integrity: bool,
    progress: CheckProgress,
) -> Health:
    """Look at the connections and the disk, and deeper at all around them."""
    from mooring_sqlite._health import check

    return check(
        store, deep=deep, timeout=timeout, integrity=integrity, progress=progress
    )


@hookimpl
def migrations_dir() -> Folder:
    """Return the folder of the driver's own migrations."""
    from mooring.core import package_folder

    return package_folder("mooring_sqlite", "migrations")


def __getattr__(name: str) -> Any:
    if name == "SqliteConfig":
        from mooring_sqlite._config import SqliteConfig

        return SqliteConfig
    if name == "SqliteStore":
        from mooring_sqlite._store import SqliteStore

        return SqliteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    # pluggy looks at each name for hooks, and takes its time for it.
    return [*__all__, "driver_info", "health_check", "migrations_dir", "open_store"]
