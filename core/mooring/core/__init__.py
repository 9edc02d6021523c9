"""The registry of drivers, configuration, and the protocols of an opened store.

Names are imported when they are first used (PEP 562): opening a store must not pay
for what it does not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mooring.core._base import SqlStoreBase, StoreBase
    from mooring.core._checkup import health_check
    from mooring.core._config import (
        DEFAULT_DRIVER,
        StoreConfig,
        option,
        option_fields,
    )
    from mooring.core._configure import configure, parse_url
    from mooring.core._converter import RowConverter
    from mooring.core._dialect import Dialect
    from mooring.core._driver import API_VERSION, Capability, DriverInfo
    from mooring.core._entry import DriverEntry
    from mooring.core._explain import Explanation, Setting, settings_of
    from mooring.core._folder import DiskFolder, File, Folder, package_folder
    from mooring.core._from_text import from_text
    from mooring.core._health import Check, CheckProgress, Health
    from mooring.core._hookspecs import hookimpl
    from mooring.core._imports import import_safely
    from mooring.core._lease import Lease, PoolStats, Waiter
    from mooring.core._load import explain, load
    from mooring.core._migration_session import (
        LetsFilesCommit,
        LimitsStatements,
        Migratable,
        MigrationSession,
        MigrationUnit,
        Unfinished,
    )
    from mooring.core._open import (
        driver_folder,
        open,  # noqa: A004 - core.open is the name that the design gives it
    )
    from mooring.core._pool import Pool
    from mooring.core._problem import Problem
    from mooring.core._registry import Registry, default_registry, drivers
    from mooring.core._result import Result, Row
    from mooring.core._secret import Secret
    from mooring.core._session import SavepointSession, Session
    from mooring.core._split import open_end, split_statements
    from mooring.core._statement import Statement, translate
    from mooring.core._store import (
        Autocommit,
        Connection,
        Snapshot,
        SqlStore,
        Store,
        Transaction,
    )
    from mooring.core._unit_scope import LendsConnection, unit_scope
    from mooring.core._values import In, Json
    from mooring.core._versions import AppliedRow, VersionTables
    from mooring.core.errors import (
        ArgumentError,
        CheckViolation,
        ConfigError,
        ConnectionLostError,
        CorruptStoreError,
        DatabaseAheadError,
        DriverConflictError,
        DriverDisabledError,
        DriverError,
        DriverLoadError,
        DriverProtocolError,
        ForeignKeyViolation,
        IncompatibleDriverError,
        IntegrityError,
        MigrationChangedError,
        MigrationError,
        MigrationFailedError,
        MigrationLockError,
        MigrationOrderError,
        MigrationParseError,
        MigrationsPendingError,
        MigrationUnfinishedError,
        MooringError,
        NestedTransactionError,
        NotNullViolation,
        OpenError,
        OutcomeUnknownError,
        ParameterError,
        PoolTimeoutError,
        ReadOnlyError,
        ResultError,
        SerializationError,
        SnapshotExpiredError,
        StatementError,
        StatementNotAllowedError,
        StatementTimeoutError,
        StorageError,
        StorageFullError,
        StoreBusyError,
        StoreClosedError,
        StoreError,
        TransactionAbortedError,
        UnavailableError,
        UniqueViolation,
        UnknownDriverError,
        UnsupportedByDriver,
    )

_HOME = {
    "_base": "SqlStoreBase StoreBase",
    "_checkup": "health_check",
    "_config": "DEFAULT_DRIVER StoreConfig option option_fields",
    "_configure": "configure parse_url",
    "_converter": "RowConverter",
    "_dialect": "Dialect",
    "_driver": "API_VERSION Capability DriverInfo",
    "_entry": "DriverEntry",
    "_explain": "Explanation Setting settings_of",
    "_folder": "DiskFolder File Folder package_folder",
    "_from_text": "from_text",
    "_health": "Check CheckProgress Health",
    "_hookspecs": "hookimpl",
    "_imports": "import_safely",
    "_lease": "Lease PoolStats Waiter",
    "_load": "explain load",
    "_migration_session": "LetsFilesCommit LimitsStatements Migratable"
    " MigrationSession MigrationUnit Unfinished",
    "_open": "driver_folder open",
    "_pool": "Pool",
    "_problem": "Problem",
    "_registry": "Registry default_registry drivers",
    "_result": "Result Row",
    "_secret": "Secret",
    "_session": "SavepointSession Session",
    "_split": "open_end split_statements",
    "_statement": "Statement translate",
    "_store": "Autocommit Connection Snapshot SqlStore Store Transaction",
    "_unit_scope": "LendsConnection unit_scope",
    "_values": "In Json",
    "_versions": "AppliedRow VersionTables",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "API_VERSION",
    "DEFAULT_DRIVER",
    "AppliedRow",
    "ArgumentError",
    "Autocommit",
    "Capability",
    "Check",
    "CheckProgress",
    "CheckViolation",
    "ConfigError",
    "Connection",
    "ConnectionLostError",
    "CorruptStoreError",
    "DatabaseAheadError",
    "Dialect",
    "DiskFolder",
    "DriverConflictError",
    "DriverDisabledError",
    "DriverEntry",
    "DriverError",
    "DriverInfo",
    "DriverLoadError",
    "DriverProtocolError",
    "Explanation",
    "File",
    "Folder",
    "ForeignKeyViolation",
    "Health",
    "In",
    "IncompatibleDriverError",
    "IntegrityError",
    "Json",
    "Lease",
    "LendsConnection",
    "LetsFilesCommit",
    "LimitsStatements",
    "Migratable",
    "MigrationChangedError",
    "MigrationError",
    "MigrationFailedError",
    "MigrationLockError",
    "MigrationOrderError",
    "MigrationParseError",
    "MigrationSession",
    "MigrationUnfinishedError",
    "MigrationUnit",
    "MigrationsPendingError",
    "MooringError",
    "NestedTransactionError",
    "NotNullViolation",
    "OpenError",
    "OutcomeUnknownError",
    "ParameterError",
    "Pool",
    "PoolStats",
    "PoolTimeoutError",
    "Problem",
    "ReadOnlyError",
    "Registry",
    "Result",
    "ResultError",
    "Row",
    "RowConverter",
    "SavepointSession",
    "Secret",
    "SerializationError",
    "Session",
    "Setting",
    "Snapshot",
    "SnapshotExpiredError",
    "SqlStore",
    "SqlStoreBase",
    "Statement",
    "StatementError",
    "StatementNotAllowedError",
    "StatementTimeoutError",
    "StorageError",
    "StorageFullError",
    "Store",
    "StoreBase",
    "StoreBusyError",
    "StoreClosedError",
    "StoreConfig",
    "StoreError",
    "Transaction",
    "TransactionAbortedError",
    "UnavailableError",
    "Unfinished",
    "UniqueViolation",
    "UnknownDriverError",
    "UnsupportedByDriver",
    "VersionTables",
    "Waiter",
    "configure",
    "default_registry",
    "driver_folder",
    "drivers",
    "explain",
    "from_text",
    "health_check",
    "hookimpl",
    "import_safely",
    "load",
    "open",
    "open_end",
    "option",
    "option_fields",
    "package_folder",
    "parse_url",
    "settings_of",
    "split_statements",
    "translate",
    "unit_scope",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # What is not listed is an error class.
    home = _MODULE_OF.get(name, "errors")
    module = import_module(f"{__name__}.{home}")
    # With its neighbours, which are asked for next: each way through here takes longer
    # than an ordinary import of a name.
    own = _HOME.get(home)
    names = own.split() if own else [n for n in __all__ if n not in _MODULE_OF]
    globals().update({name: getattr(module, name) for name in names})
    value: object = globals()[name]
    return value


def __dir__() -> list[str]:
    return __all__
