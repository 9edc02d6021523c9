"""The registry: finds drivers, loads the one that is named, and calls it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pluggy

from mooring.core import _discovery, _hookspecs
from mooring.core._driver import DriverInfo
from mooring.core._verify import first_line, has_hook, is_name, one_line, verified
from mooring.core.errors import (
    DriverConflictError,
    DriverDisabledError,
    DriverError,
    DriverLoadError,
    DriverProtocolError,
    IncompatibleDriverError,
    UnknownDriverError,
)

if TYPE_CHECKING:
    from mooring.core._entry import DriverEntry, DriverState

GROUP = "mooring.drivers"
# Names separated by commas; set but empty: none. The same as Registry(allow=...).
ALLOW_VARIABLE = "MOORING_DRIVERS"


class Registry:
    """Drivers by name: the installed ones and those the program registers itself.

    Finding reads metadata only; nothing is imported before a driver is named. One
    broken, misspelt or conflicting plugin never harms another.

    Args:
        allow: Names of the drivers that may be used; () allows none. By default the
            environment variable ``MOORING_DRIVERS`` decides, and all if it is not set.
        discover: Look for installed drivers; False knows only registered ones.
    """

    def __init__(
        self, *, allow: Iterable[str] | None = None, discover: bool = True
    ) -> None:
        # Replaced as a whole, never changed: a call that another thread began goes
        # on with the plugins that it knew.
        self._manager = pluggy.PluginManager(_hookspecs.PROJECT)
        self._allow = _allowed(allow)
        self._discover = discover
        self._lock = threading.RLock()
        self._found: dict[str, list[_discovery.EntryPoint]] | None = None
        self._explicit: dict[str, object] = {}
        self._loaded: dict[str, tuple[object, DriverInfo]] = {}
        self._failed: dict[str, DriverError] = {}

    def register(self, plugin: object, *, name: str) -> None:
        """Register a driver that is not installed: for tests and embedders.

        It is checked when it is first used, as installed ones are.

        Args:
            plugin: A module or object with ``@hookimpl`` functions.
            name: The name that a configuration's ``driver`` will use.

        Raises:
            DriverConflictError: The name is taken.
            DriverProtocolError: The name is not ``[a-z][a-z0-9_]*``.
        """
        if not is_name(name):
            raise DriverProtocolError(
                f"driver name {name!r} is not allowed",
                driver=name,
                hint="use lower-case letters, digits and _, beginning with a letter",
            )
        with self._lock:
            if name in self._explicit or name in self._installed():
                raise self._conflict(name, also=["this program"])
            self._explicit[name] = plugin

    def register_observer(self, plugin: object, *, name: str) -> None:
        """Register a plugin that wraps the drivers' hooks, to time or log them.

        Raises:
            DriverProtocolError: It has an unknown hook, or one that is not
                ``@hookimpl(wrapper=True)`` and would answer in a driver's place.
        """
        with self._lock:
            manager = self._with(plugin, f"observer:{name}", name)
            callers = manager.get_hookcallers(plugin) or []
            for impl in (i for c in callers for i in c.get_hookimpls()):
                wraps = impl.wrapper or impl.hookwrapper
                if impl.plugin is plugin and not wraps:
                    raise DriverProtocolError(
                        f"observer {name!r} would answer in a driver's place",
                        driver=name,
                        hint=f"make its {impl.function.__name__} a wrapper:"
                        " @hookimpl(wrapper=True)",
                    )
            self._manager = manager

    def drivers(self) -> list[DriverEntry]:
        """Return every driver by name, usable or not and why; nothing is imported."""
        with self._lock:
            found = self._installed(complete=True)
            entries = [self._entry(name, entries) for name, entries in found.items()]
            entries += [self._entry(name, []) for name in self._explicit]
        return sorted(entries, key=lambda entry: entry.name)

    def info(self, name: str) -> DriverInfo:
        """Load the driver called *name* and return its description.

        Raises:
            UnknownDriverError: There is none; says what there is and what to install.
            DriverError: It cannot be used; the subclass and the cause say why.
        """
        with self._lock:
            return self._load(name)[1]

    def call(self, name: str, hook: str, **arguments: object) -> Any:
        """Call *hook* of the driver called *name*, and of the observers around it.

        Returns:
            The driver's answer; None only where it does not implement the hook.
        """
        with self._lock:
            plugin, _ = self._load(name)
            others = [p for p, _ in self._loaded.values() if p is not plugin]
            caller = self._manager.subset_hook_caller(hook, others)
        return caller(**arguments)

    def implements(self, name: str, hook: str) -> bool:
        """Return whether the driver called *name* has that hook."""
        with self._lock:
            plugin, _ = self._load(name)
        return has_hook(self._manager, plugin, hook)

    def _installed(
        self, *, complete: bool = False
    ) -> Mapping[str, list[_discovery.EntryPoint]]:
        """Return installed entry points by name.

        *complete* asks the standard library too: before anything is listed or
        called unknown. Otherwise one fast scan per process and registry is enough.
        """
        if not self._discover:
            return {}
        if self._found is None or complete:
            scan = _discovery.scan_metadata if complete else _discovery.scan
            found: dict[str, list[_discovery.EntryPoint]] = {}
            for entry in scan(GROUP):
                found.setdefault(entry.name, []).append(entry)
            self._found = found
        return self._found

    def _entry(self, name: str, found: Sequence[_discovery.EntryPoint]) -> DriverEntry:
        from mooring.core._entry import DriverEntry

        state: DriverState = "available"
        reason = ""
        if name in self._loaded:
            state = "loaded"
        elif name in self._failed:
            error = self._failed[name]
            incompatible = isinstance(error, IncompatibleDriverError)
            state = "incompatible" if incompatible else "broken"
            reason = first_line(error.__cause__ or error)
        elif not is_name(name):
            state, reason = "broken", "its name is not [a-z][a-z0-9_]*"
        elif len(found) > 1:
            state, reason = "conflict", "two distributions claim this name"
        elif not self._allows(name):
            state, reason = "disabled", f"not in the allow-list ({ALLOW_VARIABLE})"
        return DriverEntry(
            name=name,
            distribution=", ".join(f.distribution for f in found),
            version=", ".join(f.version for f in found),
            target=", ".join(f.value for f in found) or repr(self._explicit.get(name)),
            state=state,
            reason=reason,
        )

    def _allows(self, name: str) -> bool:
        return self._allow is None or name in self._allow

    def _knows(self, name: str) -> bool:
        return (
            name in self._explicit
            or name in self._installed()
            or name in self._installed(complete=True)
        )

    def _load(self, name: str) -> tuple[object, DriverInfo]:
        if name in self._loaded:
            return self._loaded[name]
        if name in self._failed:
            failed = self._failed[name]
            # A new error, so that tracebacks of several calls do not pile up in one.
            raise type(failed)(
                failed.message, driver=name, hint=failed.hint
            ) from failed.__cause__
        if not self._allows(name) and self._knows(name):
            raise DriverDisabledError(
                f"driver {name!r} is disabled in this process",
                driver=name,
                hint=f"add it to {ALLOW_VARIABLE} or to Registry(allow=...)",
            )
        plugin = self._import(name)
        try:
            loaded = plugin, self._checked(name, plugin)
        except DriverError as error:
            self._failed[name] = error
            raise
        self._loaded[name] = loaded
        return loaded

    def _import(self, name: str) -> object:
        if name in self._explicit:
            return self._explicit[name]
        entries = self._installed().get(name) or self._installed(complete=True).get(
            name
        )
        if not entries or not is_name(name):
            raise self._unknown(name)
        if len(entries) > 1:
            raise self._conflict(name)
        entry = entries[0]
        try:
            module, _, attribute = entry.value.partition(":")
            plugin: object = import_module(module)
            for part in filter(None, attribute.split(".")):
                plugin = getattr(plugin, part)
        except (Exception, SystemExit) as cause:
            error = DriverLoadError(
                f"driver {name!r} of {entry.distribution} {entry.version} cannot be"
                f" loaded: {first_line(cause)}",
                driver=name,
                hint=_load_hint(cause, entry.distribution),
            )
            error.__cause__ = cause
            self._failed[name] = error
            raise error from cause
        return plugin

    def _checked(self, name: str, plugin: object) -> DriverInfo:
        """Register *plugin* and hold it to the contract of a driver."""
        for other, info in self._loaded.values():
            if other is plugin:  # an alias of a driver that is loaded already
                return verified(name, info)
        manager = self._with(plugin, f"driver:{name}", name)
        for hook in _hookspecs.REQUIRED_HOOKS:
            if not has_hook(manager, plugin, hook):
                raise DriverProtocolError(
                    f"driver {name!r} lacks the hook {hook}",
                    driver=name,
                    hint="mark the function with @core.hookimpl",
                )
        others = [p for p, _ in self._loaded.values()]
        try:
            info = manager.subset_hook_caller("driver_info", others)()
        except (Exception, SystemExit) as cause:
            raise DriverLoadError(
                f"driver {name!r} failed to describe itself: {first_line(cause)}",
                driver=name,
            ) from cause
        checked = verified(name, info)
        self._manager = manager
        return checked

    def _with(self, plugin: object, key: str, name: str) -> pluggy.PluginManager:
        """Return a manager with *plugin* too; a misspelt hook is refused."""
        manager = _manager_of(self._manager.list_name_plugin())
        try:
            hash(plugin)  # pluggy keeps plugins in sets, where it would fail later
            manager.register(plugin, key)
        except (TypeError, ValueError, pluggy.PluginValidationError) as cause:
            raise DriverProtocolError(
                f"plugin {name!r} cannot be registered: {one_line(cause)}",
                driver=name,
                hint="give an attrs class that is a plugin eq=False"
                if isinstance(cause, TypeError)
                else None,
            ) from cause
        try:
            manager.check_pending()
        except pluggy.PluginValidationError as cause:
            raise DriverProtocolError(
                f"plugin {name!r} implements a hook that does not exist:"
                f" {first_line(cause)}",
                driver=name,
                hint="the hooks are driver_info, open_store, health_check,"
                " migrations_dir",
            ) from cause
        return manager

    def _conflict(self, name: str, also: Sequence[str] = ()) -> DriverConflictError:
        found = self._installed().get(name, ())
        claims = [f"{e.distribution} {e.version}".strip() for e in found]
        if name in self._explicit:
            claims.append("this program")
        claims += also
        return DriverConflictError(
            f"driver {name!r} is claimed more than once: by {' and by '.join(claims)}",
            driver=name,
            distributions=claims,
            hint="uninstall all but one of them"
            if found
            else "register it under another name",
        )

    def _unknown(self, name: str) -> UnknownDriverError:
        from mooring.core._unknown import unknown_driver

        return unknown_driver(name, self.drivers(), group=GROUP)


_default_lock = threading.Lock()
_default: Registry | None = None


def default_registry() -> Registry:
    """Return the registry that is used where none is given; one per process."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Registry()
        return _default


def drivers() -> list[DriverEntry]:
    """Return every driver, usable or not and why; nothing is imported."""
    return default_registry().drivers()


def _allowed(allow: Iterable[str] | None) -> frozenset[str] | None:
    if allow is not None:
        return frozenset(allow)
    value = os.environ.get(ALLOW_VARIABLE)
    if value is None:
        return None
    return frozenset(filter(None, (name.strip() for name in value.split(","))))


def _load_hint(cause: BaseException, distribution: str) -> str:
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        return f"install the module {cause.name!r} that {distribution} needs"
    return f"reinstall {distribution}, or report this to its authors"


def _manager_of(plugins: Iterable[tuple[str, object]]) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(_hookspecs.PROJECT)
    manager.add_hookspecs(_hookspecs)
    for name, plugin in plugins:
        manager.register(plugin, name)
    return manager
