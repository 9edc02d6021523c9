"""Where a configuration that was loaded came from, for the log."""

import re
import weakref
from collections.abc import Iterable
from typing import Final

from mooring.core._config import StoreConfig

_PLACE: Final = re.compile(r"(.+):\d+(?: \w+)?")

# By identity: two that are equal may come from different places.
_origins: Final[dict[int, str]] = {}


def remember_origin(config: StoreConfig, sources: Iterable[str]) -> None:
    """Note from which sources a configuration was made, as long as it lives."""
    named = dict.fromkeys(_named(source) for source in sources)
    _origins[id(config)] = ", ".join(named) or "defaults"
    weakref.finalize(config, _origins.pop, id(config), None)


def origin_of(config: StoreConfig) -> str | None:
    """Return the sources in words, such as "mooring.toml, environment"."""
    return _origins.get(id(config))


def _named(source: str) -> str:
    if source == "argument":
        return "arguments"
    if source.startswith("env "):
        return "environment"
    place = _PLACE.fullmatch(source)
    return place[1] if place else "flags"
