# ruff: noqa: PT012 - blocks that raise are what is tested
"""What is DuckDB's own: its file, its one process, its one result a connection."""

import os
import signal
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from mooring import core, migrate

PATIENCE = 40.0
Start = Callable[..., "Popen[str]"]
OpenStore = Callable[..., core.SqlStore]
ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
COUNT = "SELECT count(*) FROM users"
ENDLESS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
)
OPEN = """
import sys
from mooring import core
store = core.open({"driver": "duckdb", "path": sys.argv[1], "connect_timeout": 0.2})
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is."""
    return tmp_path / "app.duckdb"


@pytest.fixture
def open_store(path: Path) -> Iterator[OpenStore]:
    """Open the store with some options; it is closed afterwards."""
    opened: list[core.SqlStore] = []

    def open_store(**options: Any) -> core.SqlStore:
        config = {"driver": "duckdb", "path": str(path), **options}
        opened.append(core.open(config))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


# -- the file -----------------------------------------------------------------------


def test_a_new_file_is_its_users_alone_and_so_is_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "app.duckdb"
    before = os.umask(0)
    try:
        core.open({"driver": "duckdb", "path": str(path)}).close()
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["empty", "text", "another engine's"])
def test_a_file_that_is_no_database_is_not_changed(
    open_store: OpenStore, path: Path, kind: str
) -> None:
    if kind == "another engine's":
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE t (x)")
        other.close()
    else:
        path.write_bytes(b"" if kind == "empty" else b"no database" * 1000)
    before = path.read_bytes()

    with pytest.raises(core.CorruptStoreError, match="not a DuckDB database") as caught:
        open_store()

    assert caught.value.hint is not None
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"path": "{folder}/none.duckdb", "create": False}, "does not exist"),
        ({"path": "{folder}"}, "not a regular file"),
        ({"path": "/proc/none/app.duckdb"}, "/proc/none"),
    ],
)
def test_what_cannot_be_opened_is_told_and_leaves_nothing(
    open_store: OpenStore, tmp_path: Path, options: dict[str, Any], named: str
) -> None:
    options["path"] = options["path"].format(folder=tmp_path)

    with pytest.raises(core.OpenError, match=named):
        open_store(**options)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"path": ""},
        {"path": "~/app.duckdb"},
        {"path": "folder/"},
        {"path": "a\nb"},
        {"path": "a", "memory_limit": "much"},
        {"path": "a", "threads": -1},
    ],
    ids=str,
)
def test_a_wrong_configuration_is_told_before_anything_is_opened(
    options: dict[str, Any],
) -> None:
    with pytest.raises(core.ConfigError):
        core.open({"driver": "duckdb", **options})


@pytest.mark.parametrize(
    "url", ["duckdb://app.db", "duckdb:app.db?mode=ro", "duckdb:%zz"]
)
def test_a_url_that_cannot_be_read_is_refused(url: str) -> None:
    with pytest.raises(core.ConfigError):
        core.configure(url)


def test_a_url_names_a_path() -> None:
    assert core.configure("duckdb:a%20b.db") == core.configure(
        {"driver": "duckdb", "path": "a b.db"}
    )


def test_a_file_that_was_replaced_is_noticed(open_store: OpenStore, path: Path) -> None:
    store = open_store(health_check_period=0)
    path.rename(path.with_name("moved"))

    assert core.health_check(store).status == "failed"
    with pytest.raises(core.OpenError, match="removed or replaced"):
        store.execute(COUNT)


def test_stores_of_one_file_share_the_engine_and_its_options(
    open_store: OpenStore,
) -> None:
    one, two = open_store(), open_store()
    one.execute(ADD, {"id": "u1"})

    assert two.execute(COUNT).scalar() == 1
    with pytest.raises(core.OpenError, match="threads"):
        open_store(threads=1)


# -- one process --------------------------------------------------------------------


def test_another_process_is_told_who_has_the_file(
    open_store: OpenStore, path: Path, start: Start
) -> None:
    open_store()
    child = start(OPEN, path)
    _, errors = child.communicate(timeout=PATIENCE)

    assert "StoreBusyError" in errors
    assert f"PID {os.getpid()}" in errors
    assert "connect_timeout" in errors


def test_a_process_waits_for_the_one_that_is_about_to_close(
    open_store: OpenStore, path: Path, start: Start
) -> None:
    child = start(OPEN + "print('open', flush=True)\nsys.stdin.readline()\n", path)
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n"
    waiting = threading.Timer(0.3, child.kill)
    waiting.start()
    store = open_store(connect_timeout=PATIENCE)
    waiting.join()

    assert store.execute(COUNT).scalar() == 0


@pytest.mark.parametrize("end", ["os._exit(0)", "sys.exit(0)", "del store; sys.exit()"])
def test_a_forked_child_that_ends_does_not_touch_the_file(
    path: Path, start: Start, end: str
) -> None:
    code = f"""
import os
add = {ADD!r}
store.execute(add, {{"id": "u1"}})
before = sorted(os.listdir(os.path.dirname(sys.argv[1])))
pid = os.fork()
if pid == 0:
    {end}
status = os.waitpid(pid, 0)[1]
assert sorted(os.listdir(os.path.dirname(sys.argv[1]))) == before
store.execute(add, {{"id": "u2"}})
print(status, store.execute({COUNT!r}).scalar(), flush=True)
os.kill(os.getpid(), 9)
"""
    # The client library notes on the child's stderr what was not freed.
    output, errors = start(OPEN + code, path).communicate(timeout=PATIENCE)

    assert output == "0 2\n", errors
    # What was written is in the log that the next process reads.
    with core.open({"driver": "duckdb", "path": str(path)}) as store:
        assert store.execute(COUNT).scalar() == 2


# -- statements ---------------------------------------------------------------------


@pytest.mark.parametrize("sql", [ENDLESS, "SELECT i FROM range(1000000000000) AS r(i)"])
def test_a_statement_beside_a_stream_without_end_meets_the_time_limit(
    open_store: OpenStore, sql: str
) -> None:
    store = open_store(statement_timeout=0.3)
    with pytest.raises(core.StatementTimeoutError), store.read() as one:
        rows = one.stream(sql, size=10)
        next(rows)
        one.execute(COUNT)

    assert store.execute(COUNT).scalar() == 0


def test_ctrl_c_ends_a_statement(path: Path, start: Start) -> None:
    code = f"""
from threading import Timer
import os
Timer(0.3, os.kill, (os.getpid(), {int(signal.SIGINT)})).start()
try:
    store.execute({ENDLESS.replace("SELECT i FROM n", "SELECT count(*) FROM n")!r})
except KeyboardInterrupt:
    print(store.execute({COUNT!r}).scalar())
store.close()
"""
    limited = OPEN.replace("0.2", '0.2, "statement_timeout": 5')
    output, errors = start(limited + code, path).communicate(timeout=PATIENCE)

    assert (output, errors) == ("0\n", "")


def test_a_value_does_not_stand_in_a_message(open_store: OpenStore) -> None:
    store = open_store()
    store.execute(ADD, {"id": "hunter2"})
    uses = [
        (ADD, {"id": "hunter2"}),
        ("SELECT CAST(:x AS INTEGER)", {"x": "hunter2"}),
        ("SELECT CAST(:x AS JSON)", {"x": "hunter2"}),
    ]
    for sql, values in uses:
        with pytest.raises(core.StoreError) as caught:
            store.execute(sql, values)

        assert "hunter2" not in str(caught.value)


def test_a_table_that_is_missing_is_no_variable_of_the_program(
    open_store: OpenStore,
) -> None:
    secrets = [{"a": 1}]
    with pytest.raises(core.StatementError, match="secrets"):
        open_store().execute("SELECT * FROM secrets")

    assert secrets


# -- migrations ---------------------------------------------------------------------


@pytest.mark.parametrize("head", ["", "-- +goose NO TRANSACTION\n"])
def test_a_file_leaves_the_settings_as_they_were(
    open_store: OpenStore, tmp_path: Path, head: str
) -> None:
    store = open_store()
    # Those of memory are told rounded, and kept as they are told.
    settings = (
        "SELECT name, value FROM duckdb_settings() WHERE name NOT LIKE '%memory%'"
        " ORDER BY name"
    )
    before = store.execute(settings).all()
    folder = tmp_path / "files"
    folder.mkdir()
    texts = (
        "CREATE SCHEMA other;\nUSE other;\nSET threads = 1;\nPRAGMA enable_profiling;",
        "CREATE TABLE made (x INT);",
    )
    for number, text in enumerate(texts, 1):
        file = folder / f"{number}_a.sql"
        file.write_text(f"{head}-- +goose Up\n{text}\n")
    migrate.Migrator(store, migrate.Source(folder, table="app_versions")).up()

    assert store.execute(settings).all() == before
    found = store.execute(
        "SELECT schema_name FROM duckdb_tables() WHERE table_name = 'made'"
    )
    assert found.scalar() == "main"


def test_threads_migrate_a_new_file_once(open_store: OpenStore, path: Path) -> None:
    gate = threading.Barrier(4)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            gate.wait(PATIENCE)
            core.open({"driver": "duckdb", "path": str(path)}).close()
        except BaseException as error:  # noqa: BLE001 - asserted below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert failures == []
    rows = open_store().execute("SELECT version_id FROM goose_db_version ORDER BY id")
    assert len(rows.all()) == 5
