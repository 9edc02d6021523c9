"""Schema migrations: files in goose's format, planned and run on any store."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mooring.migrate._migration import Migration, Statement
    from mooring.migrate._migrator import Migrator
    from mooring.migrate._parse import parse
    from mooring.migrate._progress import Event
    from mooring.migrate._rules import Rules
    from mooring.migrate._run import Step
    from mooring.migrate._source import Source
    from mooring.migrate._status import MigrationStatus
    from mooring.migrate._validate import Finding, validate

_HOME = {
    "_migration": ("Migration", "Statement"),
    "_migrator": ("Migrator",),
    "_parse": ("parse",),
    "_progress": ("Event",),
    "_rules": ("Rules",),
    "_run": ("Step",),
    "_source": ("Source",),
    "_status": ("MigrationStatus",),
    "_validate": ("Finding", "validate"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Event",
    "Finding",
    "Migration",
    "MigrationStatus",
    "Migrator",
    "Rules",
    "Source",
    "Statement",
    "Step",
    "parse",
    "validate",
]


def __getattr__(name: str) -> object:
    # As in mooring.core: a start at head imports no parser and no runner.
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
