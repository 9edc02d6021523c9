"""What a program that logs is told; logging itself is the program's to set up.

Each record has the stable name of its event in ``event_name``, and its figures beside
it as fields of their own, so that a formatter for JSON, or structlog, needs no more.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from mooring.core._config import StoreConfig
from mooring.core._origin import origin_of

if TYPE_CHECKING:
    from mooring.core._configure import Config
    from mooring.core._registry import Registry
    from mooring.migrate import Step

_log: Final = logging.getLogger("mooring.core")
# As the library's documentation of `logging` advises: no words where nobody listens.
logging.getLogger("mooring").addHandler(logging.NullHandler())


def log_opened(
    store: Any, registry: "Registry", given: "Config", steps: "Iterable[Step]"
) -> None:
    """Log that a store was opened, and each migration that this applied.

    Args:
        store: The store.
        registry: Where its driver was found.
        given: What `open` was called with.
        steps: What was applied.
    """
    if not _log.isEnabledFor(logging.INFO):
        return
    driver, target = store.driver, str(getattr(store, "target", ""))
    shared = {"driver": driver, "target": target}
    applied = 0
    for step in steps:
        applied += 1
        extra = {
            **shared,
            "event_name": "migration.applied",
            "migration": step.name,
            "version": step.version,
            "seconds": step.duration,
        }
        _log.info("applied %s to %s %s", step.name, driver, target, extra=extra)
    versions = getattr(store, "schema_versions", {})
    told = [f"v{v} ({a}/{k})" for v, a, k in versions.values()]
    source = _origin(given)
    brought_by = {e.name: e for e in registry.drivers()}.get(driver)
    extra = {
        **shared,
        "event_name": "store.opened",
        "distribution": brought_by.distribution if brought_by else "",
        "distribution_version": brought_by.version if brought_by else "",
        "version": next(iter(versions.values()), (None,))[0],
        "migrations": ", ".join(told),
        "applied": applied,
        "settings_from": source,
    }
    _log.info(
        "opened %s %s, %s, settings from %s",
        driver,
        target,
        ", ".join(told) or "migrations not looked at",
        source,
        extra=extra,
    )


def _origin(given: "Config") -> str:
    """Return in words what the configuration was made of."""
    if isinstance(given, StoreConfig):
        return origin_of(given) or type(given).__name__
    return "a mapping" if isinstance(given, Mapping) else "a URL"
