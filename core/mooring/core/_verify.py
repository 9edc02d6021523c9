"""A driver held to its contract: what it must be, and what its hooks may answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from mooring.core._config import StoreConfig
from mooring.core._driver import SUPPORTED_API, Capability, DriverInfo
from mooring.core._secret import mask, secrets_in
from mooring.core.errors import (
    DriverProtocolError,
    IncompatibleDriverError,
    MooringError,
    OpenError,
)

if TYPE_CHECKING:
    from mooring.core._registry import Registry


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


def ask(registry: Registry, hook: str, owner: StoreConfig, **arguments: object) -> Any:
    """Call a hook of *owner*'s driver.

    Raises:
        MooringError: What the hook raised, an `OpenError` in place of any other
            exception. If its text held a secret of *owner*, that is masked and the
            cause is dropped.
    """
    name = owner.driver
    try:
        return registry.call(name, hook, **arguments)
    except Exception as error:
        text, leaks = _without_secrets(error, owner)
        if isinstance(error, MooringError) and not leaks:
            raise
        failure = OpenError(f"driver {name!r} failed in {hook}: {text}")
        if not leaks:
            raise failure from error
    # Outside the except block: the error that shows a secret must not be its context.
    raise failure


def broken_hook(
    name: str, hook: str, answer: object, expected: str
) -> DriverProtocolError:
    """Return the error for a hook that answered what the contract does not allow."""
    return DriverProtocolError(
        f"driver {name!r}: its {hook} returned {kind_of(answer)}, not {expected}",
        driver=name,
        hint="report this to the authors of the driver",
    )


def _without_secrets(error: BaseException, owner: StoreConfig) -> tuple[str, bool]:
    """Return the text of an error with secrets masked, and whether it shows any.

    Apart, since a traceback keeps the frame of `ask` with all that is in it.
    """
    secrets = list(secrets_in(owner))
    leaks = any(mask(text, secrets) != text for text in _texts_of(error))
    return mask(str(error), secrets) or type(error).__name__, leaks


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


def kind_of(value: object) -> str:
    """Return the name of a value's type, for messages."""
    return "None" if value is None else type(value).__name__
