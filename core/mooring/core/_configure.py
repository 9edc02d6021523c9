"""From a mapping, a URL or an instance to a driver's configuration, strictly."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, TypeVar

from mooring.core._config import (
    DEFAULT_DRIVER,
    PLAIN_TYPES,
    SECRET_TYPES,
    StoreConfig,
    option_fields,
)
from mooring.core._driver import DriverInfo
from mooring.core._registry import Registry, default_registry
from mooring.core._secret import mask
from mooring.core._verify import is_name, kind_of
from mooring.core.errors import ConfigError, DriverError

Config = StoreConfig | Mapping[str, object] | str


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
        name, options = parse_url(config, registry=registry)
        return _instance(registry, name, options, assumed=False)
    if not isinstance(config, Mapping):
        raise ConfigError(
            [f"expected a mapping, a URL or a StoreConfig, not {kind_of(config)}"]
        )
    options = dict(config)
    name = driver_name(options.pop("driver", None))
    return _instance(registry, name or DEFAULT_DRIVER, options, assumed=not name)


def driver_name(given: object) -> str:
    """Return the driver's name as it is registered; "" where none is given.

    Raises:
        ConfigError: It is none; a text that may be a secret is not shown.
    """
    hint = None
    if not isinstance(given, str | None):
        problem = f"expected str, got {kind_of(given)}"
    elif given and any(sign in given for sign in ":/@"):
        problem = "not the name of a driver (value hidden)"
        hint = "give a URL by itself, core.open(url); or as url in a file, or DB_URL"
    else:
        return (given or "").strip().lower()
    from mooring.core._problem import Problem

    raise ConfigError([Problem("driver", problem)], hint=hint)


def _known_instance(config: StoreConfig, registry: Registry) -> StoreConfig:
    if not config.driver:
        raise ConfigError(
            [f"{kind_of(config)} names no driver; use the configuration class of one"]
        )
    expected = registry.info(config.driver).config_class
    if type(config) is not expected:
        raise ConfigError(
            [f"{config.driver!r} needs {expected.__name__}, not {kind_of(config)}"]
        )
    return config


def parse_url(
    url: str, *, registry: Registry | None = None
) -> tuple[str, dict[str, object]]:
    """Return the driver that a URL names, and the options that it stands for.

    Raises:
        ConfigError: It cannot be read; the message never shows it.
        DriverError: The driver cannot be used.
    """
    info = driver_of_url(url, registry or default_registry())
    try:
        return info.name, info.config_class.options_from_url(url.strip())
    except ConfigError as error:
        from mooring.core._problem import Problem

        told = [Problem(p.key, mask(p.message, _hidden(url))) for p in error.problems]
        failure = ConfigError(told, hint=error.hint)
    except Exception:  # noqa: BLE001 - a third party's; its text may hold the password
        failure = ConfigError(["the URL cannot be read (value hidden)"])
    # Outside the except block, so that what it says is not in its context.
    raise failure


def driver_of_url(url: str, registry: Registry) -> DriverInfo:
    """Return the driver that a URL names; the rest of it is not read.

    Raises:
        ConfigError: It is no URL; the message never shows it.
        DriverError: The driver cannot be used.
    """
    scheme, colon, _ = url.strip().partition(":")
    name = scheme.lower()
    if colon and is_name(name.partition("+")[0]) and "+" in name:
        name = name.partition("+")[0]
        raise ConfigError(
            ["the URL is of SQLAlchemy (value hidden): its scheme has a '+'"],
            hint=f"begin it with {name}: instead",
        )
    if not colon or not name.replace("_", "").isalnum():
        raise ConfigError(
            ["not a URL (value hidden): it must begin with a driver's name and ':'"],
            hint='write DRIVER:PLACE, or give a mapping with the key "driver"',
        )
    return registry.info(name)


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
    # Outside the except block, so that nothing of the first attempt is its context.
    raise not_set(failure, name, registry) from failure.__cause__


def structure(options: Mapping[str, object], config_class: type[StoreConfig]) -> Any:
    """Return an instance of *config_class* made of *options*.

    Plain options take a fast door: the class is called directly, its validators run.
    Everything else, and everything wrong, goes field by field through cattrs, which
    collects all problems. Both doors give equal instances.

    Raises:
        ConfigError: With every problem found; no secret is in it, nor in its context.
    """
    if all(type(key) is str for key in options) and _is_plain(options, config_class):
        made: Any = config_class
        try:
            return made(**options)
        except Exception:  # noqa: BLE001, S110 - a third party's validator
            pass  # the slow door finds the other problems too
    from mooring.core._strict import structure_fields

    result = structure_fields(options, config_class)
    if isinstance(result, list):
        raise ConfigError(result)
    return result


def _is_plain(options: Mapping[str, object], config_class: type[StoreConfig]) -> bool:
    fields = option_fields(config_class)
    for key, value in options.items():
        field = fields.get(key)
        if field is None:
            return False
        if field.type in SECRET_TYPES and type(value) is str:
            continue
        if type(value) not in PLAIN_TYPES.get(field.type, ()):
            return False
    return True


E = TypeVar("E", bound=DriverError | ConfigError)


def not_set(failure: E, driver: str, registry: Registry, *, also: str = "") -> E:
    """Return the error, saying that its driver was only assumed.

    Args:
        failure: What is wrong with that driver or its options.
        driver: Its name.
        registry: Where drivers are looked for.
        also: Where else it can be named, for the hint.
    """
    failure = copy(failure)  # the registry keeps the other to tell it again
    hint = "set driver"
    usable = usable_names(registry)
    if usable:
        hint += f": {' or '.join(usable)}"
    hint += also
    if failure.hint and not isinstance(failure, ConfigError):
        hint += f"; or for {driver}: {failure.hint}"
    failure.hint = hint
    failure.message = f"driver is not set, so {driver!r} is assumed; {failure.message}"
    return failure


def usable_names(registry: Registry) -> list[str]:
    """Return the drivers that can be named, without their other names."""
    found = [e for e in registry.drivers() if e.state in ("available", "loaded")]
    targets: dict[tuple[str, str], str] = {}
    for entry in found:
        targets.setdefault((entry.distribution, entry.target), entry.name)
    return list(targets.values())


def _hidden(url: str) -> list[str]:
    """Return what must not be shown of a URL that cannot be read."""
    rest = url.partition(":")[2].strip()
    userinfo = rest.rpartition("@")[0]
    password = userinfo.lstrip("/").partition(":")[2]
    # Punctuation alone hides nothing, and would tear holes into the message.
    return [text for text in (rest, userinfo, password) if text.strip(":/@?#")]
