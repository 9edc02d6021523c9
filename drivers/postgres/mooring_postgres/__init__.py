"""PostgreSQL driver for mooring, on psycopg 3.

The functions below are the driver; what they need is imported when they are called,
so that naming the driver costs little and listing it nothing.
"""

from typing import TYPE_CHECKING, Any

from mooring.core import hookimpl

if TYPE_CHECKING:
    from mooring.core import CheckProgress, DriverInfo, Folder, Health

    from mooring_postgres._config import PostgresConfig
    from mooring_postgres._store import PostgresStore

__all__ = ["PostgresConfig", "PostgresStore", "__version__"]

__version__ = "0.1.0"


@hookimpl
def driver_info() -> "DriverInfo":
    """Describe the driver."""
    from mooring.core import Capability, DriverInfo

    from mooring_postgres._config import PostgresConfig

    return DriverInfo(
        name="postgres",
        aliases=("postgresql",),
        config_class=PostgresConfig,
        capabilities=frozenset(Capability),
    )


@hookimpl
def open_store(config: "PostgresConfig") -> "PostgresStore":
    """Open the database that *config* names."""
    from mooring_postgres._client import require_client

    require_client()
    from mooring_postgres._store import open_postgres

    return open_postgres(config)


@hookimpl
def health_check(
    store: "PostgresStore",
    deep: bool,
    timeout: float,
    integrity: bool,
    progress: "CheckProgress",
) -> "Health":
    """Look at the server and the pool, and deeper at what stands between."""
    from mooring_postgres._health import check

    return check(
        store, deep=deep, timeout=timeout, integrity=integrity, progress=progress
    )


@hookimpl
def migrations_dir() -> "Folder":
    """Return the folder of the driver's own migrations."""
    from mooring.core import package_folder

    return package_folder("mooring_postgres", "migrations")


def __getattr__(name: str) -> Any:
    if name == "PostgresConfig":
        from mooring_postgres._config import PostgresConfig

        return PostgresConfig
    if name == "PostgresStore":
        from mooring_postgres._store import PostgresStore

        return PostgresStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
