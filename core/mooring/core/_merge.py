"""From layers to the options of one driver: who wins, and what is left out."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs

from mooring.core._config import (
    DEFAULT_DRIVER,
    SECRET_TYPES,
    StoreConfig,
    option_fields,
    suggest,
)
from mooring.core._config_file import read_text
from mooring.core._configure import driver_name, driver_of_url, not_set, parse_url
from mooring.core._driver import DriverInfo
from mooring.core._from_text import from_text
from mooring.core._layers import Given, Layer
from mooring.core._problem import Problem
from mooring.core._registry import Registry
from mooring.core._secret import Secret
from mooring.core._verify import kind_of
from mooring.core.errors import ConfigError, DriverError

Options = dict[str, Given]
Fields = Mapping[str, "attrs.Attribute[Any]"]


@attrs.frozen(kw_only=True)
class Merged:
    """What all layers together say.

    Attributes:
        driver: The driver's name.
        named: Where it is named; None if it is only assumed.
        config_class: Its class.
        options: What it is to be configured with.
        problems: What cannot be read, each with the option as it was given.
        warnings: What has no effect, in words.
        hints: What to do about the problems, where that is known.
    """

    driver: str
    named: Given | None
    config_class: type[StoreConfig]
    options: Options
    problems: list[tuple[Problem, Given]]
    warnings: list[str]
    hints: list[str]


def merge(layers: Sequence[Layer], registry: Registry, *, also: str) -> Merged:
    """Return what *layers* say, the strongest first.

    Args:
        layers: Those that there are.
        registry: Where drivers are looked for.
        also: Where else than under its key the driver can be named, for hints.

    Raises:
        ConfigError: The driver's name or URL cannot be read.
        DriverError: The driver cannot be used.
    """
    driver, named = _driver(layers, registry)
    config_class = attrs.resolve_types(_config_class(driver, named, registry, also))
    merged = Merged(
        driver=driver,
        named=named,
        config_class=config_class,
        options={},
        problems=[],
        warnings=[],
        hints=[],
    )
    for layer in reversed(layers):
        _lay(_Reader(merged, layer, registry).read(), merged)
    return merged


def _driver(layers: Sequence[Layer], registry: Registry) -> tuple[str, Given | None]:
    """Return the driver that the strongest layer names, and where."""
    for layer in layers:
        named = _named(layer, registry)
        if named is not None:
            return named
    return DEFAULT_DRIVER, None


def _config_class(
    driver: str, named: Given | None, registry: Registry, also: str
) -> type[StoreConfig]:
    failure: DriverError
    try:
        return registry.info(driver).config_class
    except DriverError as error:
        if named is not None:
            raise
        failure = error
    # Outside the except block, so that nothing of the first is its context.
    raise not_set(failure, driver, registry, also=also) from failure.__cause__


def _named(layer: Layer, registry: Registry) -> tuple[str, Given] | None:
    """Return the driver that one layer names, by a URL or by its name."""
    given, url = layer.options.get("driver"), layer.options.get("url")
    name = _at(given, lambda: driver_name(given.value)) if given else ""
    if given and name and not (url and not _has_url(registry, name)):
        return _at(given, lambda: registry.info(name).name), given
    return (_driver_of(url, registry), url) if url else None


def _has_url(registry: Registry, driver: str) -> bool:
    """Return whether ``url`` is an option of the driver's own."""
    try:
        return "url" in option_fields(registry.info(driver).config_class)
    except DriverError:
        return False


def _driver_of(url: Given, registry: Registry) -> str:
    """Return the driver that a URL names."""
    info: DriverInfo = _at(url, lambda: driver_of_url(_text(url), registry))
    return info.name


def _text(url: Given) -> str:
    value = url.value.reveal() if isinstance(url.value, Secret) else url.value
    if not isinstance(value, str):
        raise ConfigError([Problem("url", f"expected str, got {kind_of(value)}")])
    return value


def _at(given: Given | None, call: Any) -> Any:
    """Return what *call* does; its errors say where the option was given."""
    failure: ConfigError | DriverError
    try:
        return call()
    except ConfigError as error:
        where = given.source if given else ""
        told = [problem._replace(source=where) for problem in error.problems]
        failure = ConfigError(told, hint=error.hint)
    except DriverError as error:
        if given is None:
            raise
        from copy import copy

        failure = copy(error)  # the registry keeps the other to tell it again
        failure.message = f"{given.source}: {error.message}"
        failure.__cause__ = error.__cause__
    # Outside the except block, so that the first is not its context.
    raise failure


class _Reader:
    """Reads one layer as options of the driver that was chosen."""

    def __init__(self, merged: Merged, layer: Layer, registry: Registry) -> None:
        self.merged = merged
        self.layer = layer
        self.registry = registry
        self.fields: Fields = option_fields(merged.config_class)

    def read(self) -> Options:
        """Return the layer's options; problems and warnings go to the merged."""
        given = dict(self.layer.options)
        driver = given.pop("driver", None)
        found: Options = {}
        url = given.get("url")
        if url is not None and (
            "url" not in self.fields or len(self.layer.options) < 2
        ):
            del given["url"]
            found = self._of_url(url)
            if driver is not None and found:
                self._compare(driver, url)
        for key, one in given.items():
            self._read_one(key, one, found)
        values = {key: one.value for key, one in found.items()}
        for key in self.merged.config_class.void_options(values):
            self._ignore(key, found.pop(key), "the connection string says it too")
        return found

    def _of_url(self, url: Given) -> Options:
        driver = self.merged.driver
        options: dict[str, object] = {}
        try:
            named = _driver_of(url, self.registry)
            if named == driver:
                options = parse_url(_text(url), registry=self.registry)[1]
        except ConfigError as error:
            for problem in error.problems:
                self._fail(problem.key or "url", problem.message, url)
            self.merged.hints.extend(filter(None, [error.hint]))
            return {}
        except DriverError:
            named = ""  # another one was chosen
        if named != driver:
            self._ignore("url", url, f"the driver is {driver}")
        return {
            key: Given(value=value, source=url.source) for key, value in options.items()
        }

    def _compare(self, driver: Given, url: Given) -> None:
        name = driver_name(driver.value)
        with suppress(DriverError):  # it is another one in any case
            name = self.registry.info(name).name if name else self.merged.driver
        if name != self.merged.driver:
            told = f"is not {self.merged.driver}, which {url.source} names"
            self._fail("driver", told, driver)

    def _read_one(self, key: str, given: Given, found: Options) -> None:
        name = self._name(key)
        if name not in self.fields:
            secret = self._secret_of_file(str(key))
            if secret is not None:
                self._read_secret(secret, given, found)
            elif self._is_for_others():
                self._ignore(key, given, self._unknown(key))
            else:
                found[key] = given
            return
        if name in found:
            self._ignore(key, given, f"{found[name].source} says it too")
            return
        try:
            value = given.value
            if given.is_text and isinstance(value, str):
                value = from_text(value, self.fields[name])
            if isinstance(value, str) and self.fields[name].type in SECRET_TYPES:
                value = Secret(value)
            found[name] = attrs.evolve(given, value=value, is_text=False)
        except ValueError as error:
            self._fail(name, str(error), given)

    def _name(self, key: str) -> str:
        """Return the option's first name, unless both of its names are given."""
        field = self.fields.get(key)
        first: str = (field.metadata.get("same_as") if field else None) or key
        return key if first in self.layer.options else first

    def _secret_of_file(self, key: str) -> str | None:
        """Return the secret option that ``DB_<NAME>_FILE`` is the file of."""
        name = key.removesuffix("_file")
        field = self.fields.get(name) if name != key else None
        secret = field is not None and field.type in SECRET_TYPES
        return name if secret and self.layer.prefix else None

    def _read_secret(self, name: str, given: Given, found: Options) -> None:
        if name in self.layer.options:
            other = self.layer.options[name].source
            self._fail(name, f"must not be set together with {other}", given)
            return
        try:
            text = read_text(str(given.value)).removesuffix("\n").removesuffix("\r")
        except ConfigError as error:
            self._fail(name, error.problems[0].message, given)
            return
        found[name] = Given(value=Secret(text), source=given.source)

    def _is_for_others(self) -> bool:
        if self.layer.shared:
            return True
        try:
            named = _named(self.layer, self.registry)
        except (ConfigError, DriverError):
            return True
        return named is not None and named[0] != self.merged.driver

    def _unknown(self, key: str) -> str:
        prefix, names = self.layer.prefix, [*self.fields, "driver", "url"]
        if not prefix:
            return f"it is no option of {self.merged.driver}"
        names = [f"{prefix}{name.upper()}" for name in names]
        near = suggest(f"{prefix}{key.upper()}", names)
        return f"it is no option of {self.merged.driver}{near}"

    def _ignore(self, key: str, given: Given, why: str) -> None:
        source = given.source
        # A variable's name says it already.
        where = source if source.startswith("env ") else f"{source} ({key})"
        self.merged.warnings.append(f"{where} is ignored: {why}")

    def _fail(self, key: str, told: str, given: Given) -> None:
        self.merged.problems.append((Problem(key, told, given.source), given))


def _lay(stronger: Options, merged: Merged) -> None:
    """Lay the options of a stronger layer over what is there."""
    options = merged.options
    fields = option_fields(merged.config_class)

    def first(key: str) -> str:
        field = fields.get(key)
        return (field.metadata.get("same_as") if field else None) or key

    failed = {problem.key for problem, _ in merged.problems}
    names = {first(key) for key in stronger} | failed
    weaker = {key: one for key, one in options.items() if first(key) not in names}
    known = {key: one.value for key, one in options.items() if key in weaker}
    values = merged.config_class.overlay(
        known, {key: one.value for key, one in stronger.items()}
    )
    options.clear()
    for key, value in values.items():
        given = stronger.get(key) or weaker[key]
        options[key] = attrs.evolve(given, value=value)
