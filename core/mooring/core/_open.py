"""Opening: from a configuration to a store that is migrated and ready."""

import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mooring.core._base import SqlStoreBase
from mooring.core._config import DEFAULT_DRIVER, StoreConfig
from mooring.core._driver import DriverEntry
from mooring.core._registry import Registry
from mooring.core._secret import mask, secrets_in
from mooring.core._structure import structure
from mooring.core.errors import (
    ConfigError,
    DriverError,
    DriverProtocolError,
    MooringError,
    OpenError,
    Problem,
)

if TYPE_CHECKING:
    from mooring.core._health import Check, Health
    from mooring.core._store import SqlStore, Store
    from mooring.migrate import Source

Config = StoreConfig | Mapping[str, object] | str
Migrate = Literal["apply", "verify", "skip"]

_lock = threading.Lock()
_default: Registry | None = None


class _Opened(NamedTuple):
    """What a store was opened with."""

    registry: Registry
    sources: "list[Source]"


_opened: "weakref.WeakKeyDictionary[Store, _Opened]" = weakref.WeakKeyDictionary()


def default_registry() -> Registry:
    """Return the registry that is used where none is given; one per process."""
    global _default
    with _lock:
        if _default is None:
            _default = Registry()
        return _default


def drivers() -> list[DriverEntry]:
    """Return every driver, usable or not and why; nothing is imported."""
    return default_registry().drivers()


def configure(config: Config, *, registry: Registry | None = None) -> StoreConfig:
    """Return the driver's configuration instance that *config* stands for.

    Nothing is opened; the driver that is named is loaded.

    Args:
        config: A mapping with the key ``driver``, a URL such as ``sqlite:app.db``, or
            an instance of a driver's configuration class. An empty or absent driver
            is ``postgres``.
        registry: Where drivers are looked for; the process's own by default.

    Raises:
        UnknownDriverError: No such driver is registered.
        DriverError: The driver cannot be used.
        ConfigError: With every problem of the configuration. No secret is in it.
    """
    registry = registry or default_registry()
    if isinstance(config, StoreConfig):
        return _known_instance(config, registry)
    if isinstance(config, str):
        name, options = from_url(config, registry)
        return _instance(registry, name, options, assumed=False)
    if not isinstance(config, Mapping):
        raise ConfigError(
            [f"expected a mapping, a URL or a StoreConfig, not {_kind(config)}"]
        )
    options = dict(config)
    given = options.pop("driver", None)
    if not isinstance(given, str | None):
        raise ConfigError([Problem("driver", f"expected str, got {_kind(given)}")])
    name = (given or "").strip().lower()
    if any(sign in name for sign in ":/@"):
        raise ConfigError(
            [Problem("driver", "not the name of a driver (value hidden)")],
            hint="a URL is given by itself: core.open(url)",
        )
    return _instance(registry, name or DEFAULT_DRIVER, options, assumed=not name)


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
            store is closed.
    """
    registry = registry or default_registry()
    config = configure(config, registry=registry)
    name = config.driver
    store: SqlStore = _open_store(registry, name, config)
    try:
        sources = _sources(registry, config, migrations)
        mode = migrate or ("apply" if config.auto_migrate else "verify")
        if mode != "skip":
            _bring_to_head(store, sources, mode)
    except BaseException:
        store.close()
        raise
    _opened[store] = _Opened(registry, sources)
    return store


def health_check(
    store: "Store", *, deep: bool = False, timeout: float | None = None
) -> "Health":
    """Return how *store* is. It never writes, and may be called beside open scopes.

    Args:
        store: Any store that `open` returned, closed ones too.
        deep: Also ask what takes longer or needs more rights.
        timeout: Seconds, > 0; ``health_check_timeout`` by default. The answer comes
            within it: what could not be found out in time is ``unknown``.

    Raises:
        DriverProtocolError: The store's driver returned no `Health`.
    """
    from mooring.core._health import Check, Health

    opened = _opened.get(store) or _Opened(default_registry(), [])
    if timeout is None:
        timeout = store.config.health_check_timeout
    started = monotonic()
    try:
        health = _ask(
            opened.registry,
            "health_check",
            store.config,
            store=store,
            deep=deep,
            timeout=timeout,
        )
    except MooringError as error:
        failed = Check(name="health_check", status="failed", detail=error.message)
        return Health.of((failed,), latency=monotonic() - started)
    if not isinstance(health, Health):
        raise _broken_hook(store.driver, "health_check", health, "a Health")
    if not opened.sources:
        return health
    left = timeout - (monotonic() - started)
    check = _migrations_check(store, opened.sources, left)
    return Health.of((*health.checks, check), latency=monotonic() - started)


def driver_migrations(store: "Store") -> "Source | None":
    """Return the migrations that the store's own driver brings, None if none."""
    opened = _opened.get(store)
    registry = opened.registry if opened else default_registry()
    return _driver_source(registry, store.config)


# -- configuration ------------------------------------------------------------


def _known_instance(config: StoreConfig, registry: Registry) -> StoreConfig:
    if not config.driver:
        raise ConfigError(
            [f"{_kind(config)} names no driver; use the configuration class of one"]
        )
    expected = registry.info(config.driver).config_class
    if type(config) is not expected:
        raise ConfigError(
            [f"{config.driver!r} needs {expected.__name__}, not {_kind(config)}"]
        )
    return config


def from_url(url: str, registry: Registry) -> tuple[str, dict[str, object]]:
    """Return the driver that a URL names, and the options that it stands for."""
    scheme, colon, _ = url.strip().partition(":")
    name = scheme.lower()
    if not colon or not name.replace("_", "").isalnum():
        raise ConfigError(
            ["not a URL (value hidden): it must begin with a driver's name and ':'"],
            hint='write "NAME:...", or give a mapping with the key "driver"',
        )
    info = registry.info(name)
    try:
        return info.name, info.config_class.options_from_url(url.strip())
    except ConfigError as error:
        told = [Problem(p.key, mask(p.message, _hidden(url))) for p in error.problems]
        failure = ConfigError(told, hint=error.hint)
    except Exception:  # noqa: BLE001 - a third party's; its text may hold the password
        failure = ConfigError(["the URL cannot be read (value hidden)"])
    # Outside the except block, so that what it says is not in its context.
    raise failure


def _instance(
    registry: Registry, name: str, options: Mapping[str, object], *, assumed: bool
) -> StoreConfig:
    """Return the instance; say so in its errors if the driver was only assumed."""
    failure: DriverError | ConfigError
    try:
        info = registry.info(name)
        instance: StoreConfig = structure(options, info.config_class)
    except (DriverError, ConfigError) as error:
        if not assumed:
            raise
        failure = error
    else:
        return instance
    from copy import copy

    cause = failure.__cause__
    failure = copy(failure)  # the registry keeps the other to tell it again
    hint = "set driver"
    entries = registry.drivers()
    usable = [e.name for e in entries if e.state in ("available", "loaded")]
    if usable:
        hint += f": {' or '.join(usable)}"
    if isinstance(failure, DriverError) and failure.hint:
        hint += f"; or for {name}: {failure.hint}"
    failure.hint = hint
    failure.message = f"driver is not set, so {name!r} is assumed; {failure.message}"
    # Outside the except block, so that nothing of the first attempt is its context.
    raise failure from cause


# -- the store ----------------------------------------------------------------


def _open_store(registry: Registry, name: str, config: StoreConfig) -> Any:
    store = _ask(registry, "open_store", config, config=config)
    if _is_store(store, name):
        return store
    with suppress(Exception):
        store.close()
    raise _broken_hook(name, "open_store", store, f"a Store of {name!r}")


def _is_store(store: Any, name: str) -> bool:
    try:
        weakref.ref(store)
        hash(store)
    except TypeError:
        return False
    close = getattr(store, "close", None)
    return callable(close) and getattr(store, "driver", None) == name


def _ask(registry: Registry, hook: str, owner: StoreConfig, **arguments: object) -> Any:
    """Call a hook of *owner*'s driver; what it raises is ours and shows no secret."""
    name = owner.driver
    try:
        return registry.call(name, hook, **arguments)
    except Exception as error:
        secrets = list(secrets_in(owner))
        leaks = any(mask(text, secrets) != text for text in _texts_of(error))
        if isinstance(error, MooringError) and not leaks:
            raise
        text = mask(str(error), secrets) or type(error).__name__
        failure = OpenError(f"driver {name!r} failed in {hook}: {text}")
        if not leaks:
            raise failure from error
    # Outside the except block: the error that shows a secret must not be its context.
    raise failure


def _sources(
    registry: Registry,
    config: StoreConfig,
    migrations: "Source | Sequence[Source]",
) -> "list[Source]":
    """Return the driver's own source, if it has one, and the application's."""
    own = _driver_source(registry, config)
    given = list(migrations) if isinstance(migrations, Sequence) else [migrations]
    return [own, *given] if own else given


def _bring_to_head(store: Any, sources: "Iterable[Source]", mode: Migrate) -> None:
    from mooring.migrate import Migrator

    notes = []
    for source in sources:
        migrator = Migrator(store, source)
        if mode == "apply":
            migrator.up()
        else:
            migrator.require_head()
        versions = source.files()
        if versions:
            notes.append(f"v{max(versions)} ({len(versions)}/{len(versions)})")
    if isinstance(store, SqlStoreBase):
        store.schema = " ".join(notes)


def _migrations_check(
    store: Any, sources: "Iterable[Source]", timeout: float
) -> "Check":
    """Look whether all that is known is applied; within *timeout*, no file opened."""
    from mooring.core._health import Check

    name, detail = "migrations", "none"
    for source in sources:
        try:
            rows = store.migration_versions(source.table, timeout=max(timeout, 0))
            known = set(source.files())
        except MooringError as error:
            return Check(name=name, status="unknown", detail=error.message)
        applied = {row.version for row in rows or ()}
        if applied != known:
            detail = f"{len(known - applied)} pending, {len(applied - known)} unknown"
            return Check(name=name, status="failed", detail=detail)
        if applied:
            detail = f"at {max(applied)} ({len(applied)}/{len(known)})"
    return Check(name=name, status="ok", detail=detail)


def _driver_source(registry: Registry, config: StoreConfig) -> "Source | None":
    name = config.driver
    if not registry.implements(name, "migrations_dir"):
        return None
    folder = _ask(registry, "migrations_dir", config, config=config)
    if not callable(getattr(folder, "iterdir", None)):
        raise _broken_hook(name, "migrations_dir", folder, "a Folder")
    from mooring.migrate import Source

    return Source(folder)


def _broken_hook(
    name: str, hook: str, answer: object, expected: str
) -> DriverProtocolError:
    return DriverProtocolError(
        f"driver {name!r}: its {hook} returned {_kind(answer)}, not {expected}",
        driver=name,
        hint="report this to the authors of the driver",
    )


def _hidden(url: str) -> list[str]:
    """Return what must not be shown of a URL that cannot be read."""
    rest = url.partition(":")[2].strip()
    userinfo = rest.rpartition("@")[0]
    password = userinfo.lstrip("/").partition(":")[2]
    return [rest, userinfo, password]


def _texts_of(error: BaseException) -> Iterable[str]:
    """Yield the texts of an error and of all that hangs on it, groups and notes too."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield f"{found} {found.args!r} {vars(found)!r}"
        waiting += [found.__cause__, found.__context__]
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__
