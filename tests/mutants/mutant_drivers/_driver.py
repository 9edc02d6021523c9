"""A driver for SQLite under another name, of which every part can be exchanged."""

from collections.abc import Mapping
from typing import Any, cast

import attrs
from mooring import core
from mooring.core import Capability, Secret, Statement, hookimpl, option
from mooring.core._snapshot import Snapshot
from mooring.core._transaction import Isolation, Transaction
from mooring_sqlite._config import SqliteConfig
from mooring_sqlite._dialect import DIALECT, translate
from mooring_sqlite._health import check
from mooring_sqlite._migrate import SqliteMigrationSession, SqliteUnit
from mooring_sqlite._path import Location, locate, prepare_file
from mooring_sqlite._session import SqliteSession
from mooring_sqlite._store import SqliteStore

Params = Mapping[str, object] | None


@attrs.frozen(kw_only=True, eq=False, repr=False)  # as StoreConfig has them
class Config(SqliteConfig):
    """The options of the SQLite driver, and a password, so that there is a secret."""

    password: Secret = option(Secret(""), "A secret of no use.", secret=True)


class Session(SqliteSession):
    """A connection; `store` is the store that it belongs to."""

    store: "Store"


class Unit(SqliteUnit):
    """A unit of a migration run."""


class MigrationSession(SqliteMigrationSession):
    """The migration lock, held."""

    unit_class: type[Unit] = Unit

    def unit(self, *, transaction: bool) -> Unit:
        return self.unit_class(self, transaction=transaction)


class Prepared:
    """A statement whose values are looked at, and changed, by somebody else before."""

    def __init__(self, statement: Statement, store: "Store") -> None:
        self._statement = statement
        self._store = store

    def bind(self, params: Params) -> tuple[str, tuple[object, ...]]:
        return self._statement.bind(self._store.prepared(params, self.names))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._statement, name)


class Store(SqliteStore):
    """A SQLite database made of the parts that its class names."""

    session_class: type[Session] = Session
    transaction_class: type[Transaction[Any]] = Transaction
    snapshot_class: type[Snapshot[Any]] = Snapshot
    migration_class: type[MigrationSession] = MigrationSession
    config: Any  # of the class that its driver makes

    def __init__(self, config: SqliteConfig, location: Location) -> None:
        super().__init__(config, location)
        self.translate = self._prepared
        # Transactions that share a COMMIT are of another class than mutants name.
        self.group_commit = "off"

    def _prepared(self, sql: str) -> Statement:
        # It does all that a Statement does.
        return cast("Statement", Prepared(self.translated(sql), self))

    def translated(self, sql: str) -> Statement:
        return translate(sql)

    def prepared(self, params: Params, names: tuple[str, ...]) -> Params:  # noqa: ARG002 - for mutants
        return params

    def transaction(
        self, *, isolation: Isolation = None, **_other: Any
    ) -> Transaction[Any]:
        return self.transaction_class(self, self.translate, self._writers, isolation)

    def read(self) -> Snapshot[Any]:
        return self.snapshot_class(self, self.translate, self._readers)

    def migration_session(self, table: str, *, timeout: float) -> MigrationSession:
        self.refuse_nested()
        return self.migration_class(self.location, self._writers, table, timeout)

    def _session(self, *, read_only: bool, timeout: float) -> Session:
        plain = super()._session(read_only=read_only, timeout=timeout)
        session = self.session_class(
            plain.connection,
            settings=plain.settings,
            target=plain.target,
            statement_timeout=self.config.statement_timeout,
            read=self._read_rows,
        )
        session.store = self
        return session


class Driver:
    """The plugin; `name` is that of its entry point.

    Attributes:
        config_class: The class whose ``driver`` is fixed to the name.
    """

    base_config: type[Config] = Config
    store_class: type[Store] = Store
    capabilities = frozenset(Capability)

    def __init__(self, name: str) -> None:
        self.name = name
        fixed = {
            "__annotations__": {"driver": str},
            "driver": attrs.field(default=name, init=False),
        }
        class_name = f"ConfigOf_{name}"
        self.config_class: type[Config] = attrs.frozen(
            type(class_name, (self.base_config,), fixed),
            kw_only=True,
            eq=False,
            repr=False,
        )
        # Where pickle looks for a class.
        globals()[class_name] = self.config_class

    @hookimpl
    def driver_info(self) -> core.DriverInfo:
        return core.DriverInfo(
            name=self.name,
            config_class=self.config_class,
            capabilities=self.capabilities,
        )

    @hookimpl
    def open_store(self, config: Any) -> Store:
        location = locate(config.path, create=config.create)
        if not location.in_memory:
            prepare_file(location)
        store = self.store_class(config, location)
        try:
            store.connect()
        except BaseException:
            store.close()
            raise
        return store

    @hookimpl
    def health_check(self, store: Store, deep: bool, timeout: float) -> core.Health:
        return check(
            store,
            deep=deep,
            timeout=timeout,
            integrity=False,
            progress=lambda _what, _done, _total: None,
        )

    @hookimpl
    def migrations_dir(self) -> core.Folder:
        return core.package_folder("mooring_sqlite", "migrations")


__all__ = [
    "DIALECT",
    "Config",
    "Driver",
    "MigrationSession",
    "Params",
    "Session",
    "Snapshot",
    "Store",
    "Transaction",
    "Unit",
]
