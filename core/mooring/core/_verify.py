"""What a plugin must be to be a driver."""

from collections.abc import Iterator
from typing import Any

import attrs
import pluggy

from mooring.core._config import StoreConfig
from mooring.core._driver import SUPPORTED_API, Capability, DriverInfo
from mooring.core.errors import DriverProtocolError, IncompatibleDriverError


def is_name(name: str) -> bool:
    """Return whether *name* is ``[a-z][a-z0-9_]*``; spares compiling that."""
    plain = name.replace("_", "a")
    return name[:1].isalpha() and plain.isascii() and plain.isalnum() and name.islower()


def verified(name: str, info: object) -> DriverInfo:
    """Return *info* if it is what a driver called *name* may answer."""

    def wrong(what: str, hint: str | None = None) -> DriverProtocolError:
        return DriverProtocolError(f"driver {name!r}: {what}", driver=name, hint=hint)

    if not isinstance(info, DriverInfo):
        raise wrong(f"driver_info returned {type(info).__name__}, not a DriverInfo")
    for field, kind in (
        ("name", str),
        ("api", int),
        ("aliases", tuple),
        ("capabilities", frozenset),
    ):
        if not isinstance(getattr(info, field), kind):
            raise wrong(f"its DriverInfo.{field} is not a {kind.__name__}")
    if info.api not in SUPPORTED_API:
        newest = max(SUPPORTED_API)
        side = "mooring" if info.api > newest else f"the driver {name!r}"
        raise IncompatibleDriverError(
            f"driver {name!r} speaks API version {info.api}, this mooring speaks"
            f" {', '.join(map(str, sorted(SUPPORTED_API)))}",
            driver=name,
            hint=f"upgrade {side}",
        )
    if name != info.name and name not in info.aliases:
        raise wrong(
            f"it calls itself {info.name!r}",
            hint=f"name its entry point {info.name!r}, or list {name!r} in aliases",
        )
    # What a plugin answers may be anything, whatever its annotations say.
    config_class: Any = info.config_class
    if not (
        isinstance(config_class, type)
        and issubclass(config_class, StoreConfig)
        and attrs.has(config_class)
    ):
        raise wrong("its config_class is not an attrs subclass of core.StoreConfig")
    fixed = attrs.fields_dict(config_class)["driver"]
    if fixed.init or fixed.default != info.name:
        raise wrong(
            f"its {config_class.__name__}.driver is not fixed to {info.name!r}",
            hint=f'driver: str = attrs.field(default="{info.name}", init=False)',
        )
    if not all(isinstance(c, Capability) for c in info.capabilities):
        raise wrong("its capabilities are not all of core.Capability")
    return info


def has_hook(manager: pluggy.PluginManager, plugin: object, hook: str) -> bool:
    """Return whether *plugin* answers that hook, and does not only wrap it."""
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    return any(
        impl.plugin is plugin and not (impl.wrapper or impl.hookwrapper)
        for impl in caller.get_hookimpls()
    )


def one_line(error: BaseException) -> str:
    """Return the whole text of an error in one line."""
    return "; ".join(str(error).splitlines()) or type(error).__name__


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its class where it has none."""
    lines: Iterator[str] = iter(str(error).splitlines())
    return next(lines, "") or type(error).__name__
