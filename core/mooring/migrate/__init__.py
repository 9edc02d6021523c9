"""Schema migrations: files in goose's format, planned and run on any store."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mooring.migrate._losses import Loss
    from mooring.migrate._migration import Migration, Statement
    from mooring.migrate._migrator import Migrator
    from mooring.migrate._outcome import Outcome, Waited
    from mooring.migrate._parse import parse
    from mooring.migrate._plan import Plan, PlannedStep
    from mooring.migrate._progress import Event
    from mooring.migrate._repair import Correction, Repair
    from mooring.migrate._rules import Rules
    from mooring.migrate._run import Step
    from mooring.migrate._source import Source
    from mooring.migrate._status import MigrationStatus, Status
    from mooring.migrate._validate import Finding, validate

_HOME = {
    "_losses": "Loss",
    "_migration": "Migration Statement",
    "_migrator": "Migrator",
    "_outcome": "Outcome Waited",
    "_parse": "parse",
    "_plan": "Plan PlannedStep",
    "_progress": "Event",
    "_repair": "Correction Repair",
    "_rules": "Rules",
    "_run": "Step",
    "_source": "Source",
    "_status": "MigrationStatus Status",
    "_validate": "Finding validate",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "Correction",
    "Event",
    "Finding",
    "Loss",
    "Migration",
    "MigrationStatus",
    "Migrator",
    "Outcome",
    "Plan",
    "PlannedStep",
    "Repair",
    "Rules",
    "Source",
    "Statement",
    "Status",
    "Step",
    "Waited",
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
