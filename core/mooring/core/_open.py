"""Opening: from a configuration to a store that is migrated and ready."""

import sys
import weakref
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, get_args

from mooring.core._config import StoreConfig
from mooring.core._configure import Config, configure
from mooring.core._folder import Folder
from mooring.core._registry import Registry, default_registry
from mooring.core._verify import ask, broken_hook, kind_of
from mooring.core.errors import ArgumentError, DriverProtocolError, MigrationError

if TYPE_CHECKING:
    from mooring.core._store import SqlStore, Store
    from mooring.migrate import Migrator, Source, Step

Migrate = Literal["apply", "verify", "skip"]


class Opened:
    """What a store was opened with."""

    __slots__ = ("registry", "sources")

    def __init__(self, registry: Registry, sources: "list[Source]") -> None:
        self.registry = registry
        self.sources = sources


_opened: "weakref.WeakKeyDictionary[Store, Opened]" = weakref.WeakKeyDictionary()


def open(  # noqa: A001 - core.open is the name that the design gives it
    config: Config,
    *,
    migrations: "Source | Sequence[Source]" = (),
    migrate: Migrate | None = None,
    registry: Registry | None = None,
) -> "SqlStore":
    """Open the store that *config* names, migrated and checked.

    Typed as `SqlStore`, which every driver for SQL returns; a driver for something
    else returns a `Store`.

    Args:
        config: See `configure`.
        migrations: The application's own migrations, applied after the driver's.
        migrate: ``"apply"`` pending migrations, ``"verify"`` that there are none, or
            ``"skip"`` looking. By default ``auto_migrate`` says: apply or verify.
        registry: Where drivers are looked for; the process's own by default.

    Raises:
        ConfigError: The configuration is wrong; nothing was opened.
        DriverError: The driver cannot be used; nothing was opened.
        OpenError: The store cannot be opened; nothing is left open.
        CorruptStoreError: It is damaged or no database; no byte was changed.
        MigrationError: It cannot be migrated; what was applied before stays, and the
            store is closed. Or two sources share a version table; nothing was opened.
    """
    if migrate not in (None, *get_args(Migrate)):
        raise ArgumentError(
            f"migrate must be one of {', '.join(get_args(Migrate))}, not {migrate!r}"
        )
    registry = registry or default_registry()
    given = config
    config = configure(config, registry=registry)
    sources = _sources(registry, config, migrations)
    store: SqlStore = _open_store(registry, config.driver, config)
    try:
        mode = migrate or ("apply" if config.auto_migrate else "verify")
        done = [] if mode == "skip" else _bring_to_head(store, sources, mode)
        _opened[store] = Opened(registry, sources)
        # A program that logs has imported it; no other pays for that.
        if "logging" in sys.modules:
            from mooring.core._events import log_opened

            log_opened(store, registry, given, done)
    except BaseException:
        store.close()
        raise
    return store


def driver_folder(store: "Store") -> Folder | None:
    """Return the folder of migrations that the store's own driver brings, or None."""
    return _driver_folder(opened_with(store).registry, store.config)


def opened_with(store: "Store") -> Opened:
    """Return what *store* was opened with."""
    return _opened.get(store) or Opened(default_registry(), [])


def migrator_for(store: Any, source: "Source") -> "Migrator":
    """Return what migrates *store* from *source*, or looks how far it is."""
    from mooring.migrate import Migrator

    return Migrator(store, source)


def _open_store(registry: Registry, name: str, config: StoreConfig) -> Any:
    store = ask(registry, "open_store", config, config=config)
    if not _is_store(store, name):
        with suppress(Exception):
            store.close()
        raise broken_hook(name, "open_store", store, f"a Store of {name!r}")
    undeclared = store.capabilities - registry.info(name).capabilities
    if undeclared:
        with suppress(Exception):
            store.close()
        raise DriverProtocolError(
            f"driver {name!r}: its store claims {', '.join(sorted(undeclared))}, which"
            " its DriverInfo does not declare",
            driver=name,
            hint="report this to the authors of the driver",
        )
    return store


def _is_store(store: Any, name: str) -> bool:
    try:
        weakref.ref(store)
        hash(store)
    except TypeError:
        return False
    return (
        callable(getattr(store, "close", None))
        and getattr(store, "driver", None) == name
        and isinstance(getattr(store, "capabilities", None), frozenset)
    )


def _sources(
    registry: Registry,
    config: StoreConfig,
    migrations: "Source | Sequence[Source]",
) -> "list[Source]":
    """Return the driver's own source, if it has one, and the application's."""
    sources: list[Any] = (
        [*migrations] if isinstance(migrations, list | tuple) else [migrations]
    )
    own = _driver_folder(registry, config)
    if own is not None:
        from mooring.migrate import Source

        sources.insert(0, Source(own))
    tables: set[str] = set()
    for source in sources:
        table = getattr(source, "table", None)
        if table is None:
            raise ArgumentError(
                f"migrations takes a migrate.Source, not {kind_of(source)}",
                hint='migrations=migrate.Source("folder", table="app_versions")',
            )
        if table.lower() in tables:
            raise MigrationError(
                f"two sources of migrations share the version table {table}",
                hint="give yours a table of its own:"
                ' migrate.Source(folder, table="app_versions")',
            )
        tables.add(table.lower())
    return sources


def _bring_to_head(
    store: Any, sources: "Iterable[Source]", mode: Migrate
) -> "list[Step]":
    """Apply what is pending, or raise if anything is; return what was applied."""
    done: list[Step] = []
    for source in sources:
        migrator = migrator_for(store, source)
        if mode == "apply":
            done += migrator.ensure_head()
        else:
            migrator.require_head()
    return done


def _driver_folder(registry: Registry, config: StoreConfig) -> Folder | None:
    name = config.driver
    if not registry.implements(name, "migrations_dir"):
        return None
    folder: Folder = ask(registry, "migrations_dir", config, config=config)
    if not callable(getattr(folder, "iterdir", None)):
        raise broken_hook(name, "migrations_dir", folder, "a Folder")
    return folder
