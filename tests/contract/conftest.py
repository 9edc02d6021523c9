"""What the contract runs on: one entry a configuration, and the fixtures over it.

A new driver adds its entries to `SUBJECTS`; no test asks which driver it has. A test
that needs a capability says ``@pytest.mark.requires(Capability.X)`` and runs on the
subjects that have it; one that states what its absence means says ``lacks`` instead.
``test_lifecycle`` holds that every subject has exactly what is written here.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from mooring import core
from mooring.core import Capability

# Long enough for a machine under load, short enough that a hang is seen as one.
PATIENCE = 20.0


@attrs.frozen(kw_only=True, eq=False)
class Subject:
    """A configuration that the contract holds for.

    Attributes:
        config: Makes the options of an empty store; it may ask for fixtures.
        hasty: Options that make every wait for a lock or a connection short.
        leaky: Statements of this engine that would outlive their caller.
        footprint: What a write would change, seen from outside where possible.
        relations: A query of the names of tables and indexes, with ``kind``.
        lacks: The capabilities it does not have.
        lacks_sql: Optional SQL that the engine refuses. It is no capability, since
            nothing but the application's own statements asks for it.
    """

    config: Callable[[pytest.FixtureRequest], dict[str, object]]
    hasty: Mapping[str, object]
    leaky: tuple[str, ...]
    footprint: Callable[[core.SqlStore], object]
    relations: str
    lacks: frozenset[Capability] = frozenset()
    lacks_sql: frozenset[str] = frozenset()


def _sqlite_files(store: core.SqlStore) -> object:
    path = Path(str(getattr(store.config, "path", "")))
    files = (path, path.with_name(path.name + "-wal"))
    return [(file.read_bytes(), file.stat().st_mtime_ns) for file in files]


def _sqlite_counters(store: core.SqlStore) -> object:
    changes = store.execute("SELECT total_changes()").scalar()
    return changes, store.execute("PRAGMA schema_version").scalar()


def _sqlite(path: str = "", **options: object) -> Any:
    def config(request: pytest.FixtureRequest) -> dict[str, object]:
        folder = request.getfixturevalue("tmp_path")
        return {"driver": "sqlite", "path": path or str(folder / "app.db"), **options}

    return config


def _postgres(**options: object) -> Any:
    def config(request: pytest.FixtureRequest) -> dict[str, object]:
        return {**request.getfixturevalue("postgres_config"), **options}

    return config


def _next_transaction(store: core.SqlStore) -> object:
    """Return the number that the next transaction gets, if it writes."""
    return store.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())").scalar()


def _duckdb(path: str = "") -> Any:
    def config(request: pytest.FixtureRequest) -> dict[str, object]:
        folder = request.getfixturevalue("tmp_path")
        return {"driver": "duckdb", "path": path or str(folder / "app.duckdb")}

    return config


def _duckdb_files(store: core.SqlStore) -> object:
    path = Path(str(getattr(store.config, "path", "")))
    found = [file.stat() for file in sorted(path.parent.glob(f"{path.name}*"))]
    # Reading one by hand would drop the lock of this process.
    return [(file.st_ino, file.st_size, file.st_mtime_ns) for file in found]


def _duckdb_tables(store: core.SqlStore) -> object:
    rows = store.execute("SELECT table_name, estimated_size FROM duckdb_tables()")
    return sorted(map(tuple, rows))


_NOT_IN_DUCKDB = frozenset(
    {
        Capability.CASCADING_FOREIGN_KEYS,
        Capability.MULTI_PROCESS,
        Capability.SAVEPOINTS,
        Capability.SERIALIZABLE,
    }
)

_SQLITE: dict[str, Any] = {
    "hasty": {"busy_timeout": 0.15, "pool_timeout": 0.15},
    "leaky": (
        "PRAGMA foreign_keys = OFF",
        "pragma Query_Only(1)",
        "PRAGMA main.synchronous = 0",
        "ATTACH ':memory:' AS other",
        "DETACH other",
    ),
    "relations": "SELECT type AS kind, name FROM sqlite_master",
}

_POSTGRES: dict[str, Any] = {
    "hasty": {"pool_timeout": 0.15, "lock_timeout": 0.15},
    "leaky": (
        "LISTEN other",
        "PREPARE other AS SELECT 1",
        "DEALLOCATE ALL",
        "DECLARE other CURSOR WITH HOLD FOR SELECT 1",
        "SELECT set_config('search_path', 'other', false)",
        "SELECT pg_advisory_lock(1), 2",
        "select 1 FROM pg_catalog.pg_try_advisory_lock_shared (1)",
        "LOAD 'auto_explain'",
    ),
    "footprint": _next_transaction,
    "relations": (
        "SELECT 'table' AS kind, tablename AS name FROM pg_tables"
        " WHERE schemaname = current_schema()"
        " UNION ALL SELECT 'index', indexname FROM pg_indexes"
        " WHERE schemaname = current_schema()"
    ),
}

_DUCKDB: dict[str, Any] = {
    "lacks_sql": frozenset({"deferrable constraints"}),
    "hasty": {"pool_timeout": 0.15},
    "leaky": (
        "PRAGMA threads = 1",
        "pragma Enable_Profiling",
        "PRAGMA disable_checkpoint_on_shutdown",
        "CALL enable_logging()",
        "SET LOCAL threads = 1",
        "USE memory",
        "LOAD json",
        "INSTALL httpfs",
        "PREPARE other AS SELECT 1",
        "FORCE CHECKPOINT",
    ),
    "relations": (
        "SELECT 'table' AS kind, table_name AS name FROM duckdb_tables()"
        " UNION ALL SELECT 'index', index_name FROM duckdb_indexes()"
    ),
}

SUBJECTS = {
    "duckdb-file": Subject(
        config=_duckdb(),
        footprint=_duckdb_files,
        lacks=_NOT_IN_DUCKDB,
        **_DUCKDB,
    ),
    "duckdb-memory": Subject(
        config=_duckdb(":memory:"),
        footprint=_duckdb_tables,
        lacks=_NOT_IN_DUCKDB | {Capability.DURABLE},
        **_DUCKDB,
    ),
    "sqlite-file": Subject(
        config=_sqlite(),
        footprint=_sqlite_files,
        **_SQLITE,
    ),
    "sqlite-memory": Subject(
        config=_sqlite(":memory:"),
        footprint=_sqlite_counters,
        lacks=frozenset(
            {
                Capability.CONCURRENT_SNAPSHOTS,
                Capability.DURABLE,
                Capability.MULTI_PROCESS,
            }
        ),
        **_SQLITE,
    ),
    "sqlite-one-connection": Subject(
        config=_sqlite(max_open_conns=1),
        footprint=_sqlite_files,
        lacks=frozenset({Capability.CONCURRENT_SNAPSHOTS}),
        **_SQLITE,
    ),
    "postgres": Subject(config=_postgres(), **_POSTGRES),
    "postgres-one-connection": Subject(
        config=_postgres(max_open_conns=1),
        lacks=frozenset({Capability.CONCURRENT_SNAPSHOTS}),
        **_POSTGRES,
    ),
}


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "requires(*capabilities): runs on the subjects that have all of them",
        "lacks(*capabilities): runs on the subjects that have none of them",
        "requires_sql(*features): runs on the subjects whose SQL has all of them",
        "lacks_sql(*features): runs on the subjects whose SQL has none of them",
    ):
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "subject" not in metafunc.fixturenames:
        return
    needed = _marked(metafunc, "requires") | _marked(metafunc, "requires_sql")
    absent = _marked(metafunc, "lacks") | _marked(metafunc, "lacks_sql")
    chosen = {
        name: subject
        for name, subject in SUBJECTS.items()
        if not needed & (lacking := subject.lacks | subject.lacks_sql)
        and absent <= lacking
    }
    if not chosen:
        # An empty parameter set would be a skip, and a skip looks like a pass.
        raise pytest.UsageError(f"{metafunc.definition.nodeid} runs on no subject")
    metafunc.parametrize(
        "subject", list(chosen.values()), ids=list(chosen), indirect=True
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(60))


def _marked(metafunc: pytest.Metafunc, mark: str) -> frozenset[str]:
    marks = metafunc.definition.iter_markers(mark)
    return frozenset(argument for found in marks for argument in found.args)


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Subject:
    """The entry of `SUBJECTS` that the test runs on."""
    found: Subject = request.param
    return found


@pytest.fixture
def config(subject: Subject, request: pytest.FixtureRequest) -> dict[str, object]:
    """The options of a store that is empty."""
    return subject.config(request)


@pytest.fixture
def open_store(config: dict[str, object]) -> Iterator[Callable[..., core.SqlStore]]:
    """Open stores of `config`, some options changed; they are closed afterwards.

    ``migrate`` and ``migrations`` go to `core.open`.
    """
    opened: list[core.SqlStore] = []

    def open_store(**options: Any) -> core.SqlStore:
        migrate = options.pop("migrate", None)
        sources = options.pop("migrations", ())
        merged = {**config, **options}
        opened.append(core.open(merged, migrations=sources, migrate=migrate))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def open_hasty(
    subject: Subject, open_store: Callable[..., core.SqlStore]
) -> Callable[..., core.SqlStore]:
    """Open stores that do not wait long for a lock or a connection."""
    return lambda **options: open_store(**{**subject.hasty, **options})


@pytest.fixture
def store(open_store: Callable[..., core.SqlStore]) -> core.SqlStore:
    """A store that is open."""
    return open_store()


@pytest.fixture
def leaky(subject: Subject) -> tuple[str, ...]:
    """Statements of the engine that would outlive their caller."""
    return subject.leaky


@pytest.fixture
def footprint(subject: Subject) -> Callable[[core.SqlStore], object]:
    """Return what a write would change."""
    return subject.footprint


@pytest.fixture
def names(subject: Subject) -> Callable[[core.SqlStore, str], list[str]]:
    """Return what a store has of a kind, "table" or "index", sorted by name."""

    def names(store: core.SqlStore, kind: str) -> list[str]:
        rows = store.execute(subject.relations)
        return sorted(str(row["name"]) for row in rows if row["kind"] == kind)

    return names


@pytest.fixture
def samples(store: core.SqlStore) -> core.SqlStore:
    """A store with an empty table that has a column of each portable type.

    The types of bytes, times and JSON have a different name on each engine: they are
    those of the columns of the shipped schema.
    """
    store.execute(
        "CREATE TABLE samples AS SELECT"
        " id, email AS text, hash AS data, last_used AS moment, input AS document,"
        " CAST(0 AS BIGINT) AS whole, CAST(0 AS DOUBLE PRECISION) AS ratio,"
        " CAST(0 AS BOOLEAN) AS flag"
        " FROM (SELECT users.id, email, hash, last_used FROM users, api_keys) AS u,"
        " workflow_states WHERE 1 = 0"
    )
    return store


@pytest.fixture
def program(
    config: dict[str, object],
) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Run Python code in another process; it finds ``config`` and ``core``."""
    started: list[subprocess.Popen[str]] = []
    start = (
        "import json, sys\nfrom mooring import core\nconfig = json.loads(sys.argv[1])\n"
    )

    def program(code: str) -> "subprocess.Popen[str]":
        started.append(
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", start + code, json.dumps(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield program
    for process in started:
        process.kill()
        process.communicate(timeout=PATIENCE)
