import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from time import monotonic, sleep
from uuid import uuid4

import pytest
from mooring import core
from mooring_sqlite import SqliteStore

OpenSqlite = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]

ADD_USER = "INSERT INTO users (id, email, role) VALUES (:id, :email, 'user')"
COUNT_USERS = "SELECT count(*) FROM users"

# Takes the lock to write, says so, and keeps it until it is killed.
HOLDER = """
    import sqlite3, sys
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("holding", flush=True)
    sys.stdin.read()
"""

# Opens what it may not write; root, who may write everything, becomes another user.
NOT_WRITABLE = """
    from mooring import core

    folder, kind = sys.argv[1:]
    config = {"driver": "sqlite", "path": f"{folder}/app.db"}
    core.open(config).close()
    os.chmod(config["path"], 0o444 if kind == "file" else 0o666)
    os.chmod(folder, 0o777 if kind == "file" else 0o555)
    become_nobody()
    try:
        core.open(config)
    except core.OpenError as error:
        print(pwd.getpwuid(os.getuid()).pw_name, error.message)
"""


def add_user(store: SqliteStore | core.Transaction, name: object) -> None:
    store.execute(ADD_USER, {"id": str(name), "email": f"{name}@example.org"})


def count_users(store: SqliteStore) -> int:
    return int(store.execute(COUNT_USERS).scalar())


def digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@contextlib.contextmanager
def every_connection(store: SqliteStore) -> Iterator[list[sqlite3.Connection]]:
    """Borrow every connection that the store may open, all at one time."""
    with contextlib.ExitStack() as stack:
        found = []
        for pool in store.pools():
            for _ in range(pool.stats.max_open):
                lease = pool.acquire()
                stack.callback(pool.release, lease)
                found.append(lease.connection.connection)
        yield found


@contextlib.contextmanager
def statements_of(store: SqliteStore) -> Iterator[list[tuple[str, str]]]:
    """Note what each open connection is asked to do, with the name of its pool."""
    noted: list[tuple[str, str]] = []
    leases = [(pool.name, pool.acquire(), pool) for pool in store.pools()]
    for name, lease, pool in leases:
        lease.connection.connection.set_trace_callback(
            lambda sql, name=name: noted.append((name, sql))  # type: ignore[misc]  # mypy cannot infer a default's type
        )
        pool.release(lease)
    yield noted
    for _, lease, _ in leases:
        lease.connection.connection.set_trace_callback(None)


class TestStore:
    def test_should_create_file_database_at_specified_path(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        store = open_sqlite("new/folder/app.db")
        add_user(store, "u1")
        path = tmp_path / "new" / "folder" / "app.db"
        modes = {name: mode(path.with_name(name)) for name in os.listdir(path.parent)}
        folders = [mode(path.parent), mode(path.parent.parent)]
        store.close()

        assert modes == {
            "app.db": 0o600,
            "app.db-wal": 0o600,
            "app.db-shm": 0o600,
            "app.db-mooring.lock": 0o600,
        }
        assert folders == [0o700, 0o700]
        assert path.read_bytes().startswith(b"SQLite format 3\0")
        with contextlib.closing(sqlite3.connect(path)) as plain:
            assert plain.execute(COUNT_USERS).fetchone() == (1,)

    def test_should_create_in_memory_database_for_memory_path(
        self,
        open_sqlite: OpenSqlite,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        store = open_sqlite(":memory:")
        add_user(store, "u1")

        assert count_users(store) == 1
        assert os.listdir(tmp_path) == []
        assert core.Capability.DURABLE not in store.capabilities
        assert core.Capability.CONCURRENT_SNAPSHOTS not in store.capabilities

    @pytest.mark.parametrize("path", ["app.db", ":memory:"])
    @pytest.mark.parametrize("most", [1, 2, 9])
    def test_should_enable_foreign_keys_on_connection(
        self, open_sqlite: OpenSqlite, path: str, most: int
    ) -> None:
        store = open_sqlite(path, max_open_conns=most)

        with every_connection(store) as connections:
            assert len(connections) == (1 if path == ":memory:" else most)
            for connection in connections:
                assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        with pytest.raises(core.ForeignKeyViolation):
            store.execute(
                "INSERT INTO api_keys (id, user_id, hash, prefix)"
                " VALUES ('k1', 'nobody', x'00', 'p1')"
            )

    def test_should_handle_concurrent_connections(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite(max_open_conns=5)
        together = threading.Barrier(16)

        def write(worker: int) -> None:
            together.wait()
            for number in range(20):
                add_user(store, f"{worker}-{number}")

        def read(_: int) -> list[int]:
            together.wait()
            return [count_users(store) for _ in range(50)]

        with ThreadPoolExecutor(16) as threads:
            writing = [threads.submit(write, worker) for worker in range(8)]
            counts = [list(found) for found in threads.map(read, range(8))]
            for future in writing:
                future.result()

        assert count_users(store) == 8 * 20
        assert all(a <= b for seen in counts for a, b in pairwise(seen))

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("folder", "is a directory"),
            ("file/app.db", "Not a directory"),
            ("pipe", "not a regular file"),
            ("x" * 300, "File name too long"),
            ("file:{}/missing.db?mode=rw", "does not exist"),
        ],
    )
    def test_should_return_error_for_invalid_path(
        self, tmp_path: Path, path: str, words: str
    ) -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("")
        os.mkfifo(tmp_path / "pipe")
        before = sorted(os.listdir(tmp_path))
        where = path.format(tmp_path) if "{}" in path else str(tmp_path / path)

        with pytest.raises(core.OpenError, match=words) as caught:
            core.open({"driver": "sqlite", "path": where})
        assert caught.value.hint or "regular" in words
        assert sorted(os.listdir(tmp_path)) == before

    def test_a_library_without_returning_is_refused_before_anything_is_made(
        self, open_sqlite: OpenSqlite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
        with pytest.raises(core.OpenError, match=r"too old: .* RETURNING") as caught:
            open_sqlite("new/app.db")

        assert "3.35 or newer" in (caught.value.hint or "")
        assert os.listdir(tmp_path) == []
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 35, 0))
        assert open_sqlite("new/app.db").execute(COUNT_USERS).scalar() == 0

    @pytest.mark.parametrize("kind", ["file", "folder"])
    def test_a_place_that_may_not_be_written_is_named_with_the_user(
        self, start_unprivileged: Start, kind: str
    ) -> None:
        # Not in tmp_path, which only its owner may enter.
        with tempfile.TemporaryDirectory() as folder:
            child = start_unprivileged(NOT_WRITABLE, folder, kind)
            answer, errors = child.communicate(timeout=60)
            place = os.path.realpath(folder)

        assert errors == ""
        user, message = answer.split(" ", 1)
        place = f"{place}/app.db" if kind == "file" else place
        assert f"{kind} {place} is not writable for user {user}" in message

    @pytest.mark.parametrize("path", ["", "  ", "a\0b.db", "a\nb.db", "data/", "~/a"])
    def test_a_path_that_can_name_no_file_is_a_configuration_error(
        self, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)

        with pytest.raises(core.ConfigError) as caught:
            core.open({"driver": "sqlite", "path": path})
        assert [problem.key for problem in caught.value.problems] == ["path"]
        assert os.listdir(tmp_path) == []

    def test_should_close_cleanly(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        open_sqlite().close()  # its lock file stays open as long as the process
        files, threads = descriptors(), threading.active_count()
        store = open_sqlite()
        add_user(store, "u1")
        with every_connection(store):
            pass
        store.close()

        assert descriptors() == files
        assert threading.active_count() == threads
        assert sorted(os.listdir(tmp_path)) == ["app.db", "app.db-mooring.lock"]
        for use in (
            lambda: store.execute("SELECT 1"),
            lambda: store.transaction().__enter__(),
            lambda: store.read().__enter__(),
        ):
            with pytest.raises(core.StoreClosedError):
                use()
        store.close()

    @pytest.mark.parametrize("path", ["app.db", ":memory:"])
    @pytest.mark.parametrize("deep", [False, True])
    def test_should_perform_health_check_successfully(
        self, open_sqlite: OpenSqlite, path: str, deep: bool
    ) -> None:
        store = open_sqlite(path)
        health = core.health_check(store, deep=deep)

        assert health.ok, health
        details = {check.name: check.detail for check in health.checks}
        assert {"ping", "foreign_keys", "journal_mode", "migrations"} <= set(details)
        assert "20250711163858 (4/4)" in details["migrations"]
        assert ("library" in details) is deep


class TestConnections:
    def test_every_connection_reads_its_settings_back(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite(max_open_conns=4, busy_timeout=1.5)

        with every_connection(store) as connections:
            for number, connection in enumerate(connections):
                found = {
                    name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in (
                        "journal_mode",
                        "busy_timeout",
                        "synchronous",
                        "query_only",
                    )
                }

                assert found == {
                    "journal_mode": "wal",
                    "busy_timeout": 1500,
                    "synchronous": 2,
                    "query_only": int(number > 0),
                }

    def test_the_file_itself_is_in_wal_mode(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        open_sqlite().close()

        assert (tmp_path / "app.db").read_bytes()[18:20] == b"\x02\x02"

    def test_a_file_in_another_journal_mode_is_put_into_wal_mode(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        with contextlib.closing(sqlite3.connect(tmp_path / "app.db")) as plain:
            plain.execute("CREATE TABLE mine (x)")
        store = open_sqlite()

        assert store.execute("PRAGMA journal_mode").scalar() == "wal"

    @pytest.mark.parametrize(
        ("synchronous", "level"), [("full", 2), ("normal", 1), ("off", 0)]
    )
    def test_synchronous_is_read_back_and_decides_durability(
        self, open_sqlite: OpenSqlite, synchronous: str, level: int
    ) -> None:
        store = open_sqlite(synchronous=synchronous, max_open_conns=3)

        with every_connection(store) as connections:
            for connection in connections:
                assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        durable = core.Capability.DURABLE in store.capabilities
        assert durable is (synchronous == "full")

    def test_a_snapshot_keeps_its_state_beside_a_writer(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite()
        with ThreadPoolExecutor(1) as other, store.read() as snapshot:
            before = snapshot.execute(COUNT_USERS).scalar()
            other.submit(add_user, store, "u1").result()

            assert snapshot.execute(COUNT_USERS).scalar() == before
        assert count_users(store) == 1

    def test_an_empty_file_is_an_empty_database(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        (tmp_path / "app.db").touch()
        (tmp_path / "app.db").chmod(0o640)  # whatever the umask is
        store = open_sqlite()

        assert count_users(store) == 0
        assert mode(tmp_path / "app.db") == 0o640


class TestExplain:
    SCOPES: tuple[str, ...] = ("store", "transaction", "read")

    @contextlib.contextmanager
    def scope(self, store: SqliteStore, kind: str) -> Iterator[core.Connection]:
        if kind == "store":
            yield store
            return
        with getattr(store, kind)() as scope:
            yield scope

    @pytest.mark.parametrize("path", ["app.db", ":memory:"])
    @pytest.mark.parametrize("kind", SCOPES)
    @pytest.mark.parametrize(
        "sql",
        [
            "EXPLAIN PRAGMA query_only=0",
            "explain /* */ pragma main.query_only(0)",
            "EXPLAIN QUERY PLAN PRAGMA query_only=0",
            "EXPLAIN QUERY -- x\n PLAN PRAGMA case_sensitive_like = 1",
            "EXPLAIN PRAGMA foreign_keys = OFF",
        ],
    )
    def test_an_explained_pragma_that_sets_is_refused_as_the_pragma_is(
        self, open_sqlite: OpenSqlite, path: str, kind: str, sql: str
    ) -> None:
        store = open_sqlite(path)

        with (
            pytest.raises(core.StatementNotAllowedError),
            self.scope(store, kind) as scope,
        ):
            scope.execute(sql)
        with every_connection(store) as connections:
            for connection in connections:
                like = connection.execute("SELECT 'A' LIKE 'a'").fetchone()
                assert like == (1,)
                for name in ("foreign_keys", "query_only"):
                    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
                    reads_only = connection is not connections[0]
                    assert value == (name == "foreign_keys" or reads_only)

    @pytest.mark.parametrize("kind", SCOPES)
    @pytest.mark.parametrize(
        "sql",
        [
            "EXPLAIN SELECT * FROM users",
            "EXPLAIN QUERY PLAN SELECT * FROM users",
            "EXPLAIN PRAGMA table_info(users)",
        ],
    )
    def test_what_only_explains_is_answered(
        self, open_sqlite: OpenSqlite, kind: str, sql: str
    ) -> None:
        with self.scope(open_sqlite(), kind) as scope:
            assert scope.execute(sql).all()


class TestMemory:
    def test_two_stores_see_nothing_of_each_other(
        self, open_sqlite: OpenSqlite
    ) -> None:
        first, second = open_sqlite(":memory:"), open_sqlite(":memory:")
        add_user(first, "u1")

        assert count_users(first) == 1
        assert count_users(second) == 0

    def test_it_lasts_longer_than_a_pool_would_keep_a_connection(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite(
            ":memory:",
            conn_max_lifetime=0.01,
            conn_max_idle_time=0.01,
            max_idle_conns=0,
        )
        add_user(store, "u1")
        sleep(0.05)

        assert count_users(store) == 1

    def test_readers_and_writers_take_turns_without_table_is_locked(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite(":memory:")
        together = threading.Barrier(8)

        def alternate(worker: int) -> None:
            together.wait()
            for number in range(30):
                add_user(store, f"{worker}-{number}")
                with store.read() as snapshot:
                    seen = snapshot.execute(COUNT_USERS).scalar()

                    assert snapshot.execute(COUNT_USERS).scalar() == seen
                with store.transaction() as tx:
                    tx.execute("UPDATE users SET role = 'admin' WHERE role = 'user'")

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(alternate, range(8)))

        assert count_users(store) == 8 * 30
        assert [pool.stats.open for pool in store.pools()] == [1]

    def test_a_snapshot_refuses_writes_and_the_next_borrower_may_write(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite(":memory:")
        with pytest.raises(core.ReadOnlyError), store.read() as snapshot:
            snapshot.execute(ADD_USER, {"id": "u1", "email": "u1"})
        add_user(store, "u2")

        assert count_users(store) == 1

    def test_a_turn_that_does_not_come_names_who_has_it(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite(":memory:", busy_timeout=0.1)
        with (
            ThreadPoolExecutor(1) as other,
            store.transaction(),
            pytest.raises(core.StoreBusyError) as caught,
        ):
            other.submit(store.execute, "SELECT 1").result()

        assert "thread MainThread" in str(caught.value)
        assert "busy_timeout" in str(caught.value)


class TestFirstWrite:
    def test_a_text_that_may_write_goes_to_a_reader_once_then_to_the_writer(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite(max_open_conns=2)
        # Nothing in its first words says that it writes; no other test knows it.
        text = f"ANALYZE users -- {uuid4()}"
        with statements_of(store) as noted:
            store.execute(text)
            first = [pool for pool, sql in noted if sql == text]
            noted.clear()
            store.execute(text)
            second = [pool for pool, sql in noted if sql == text]

        assert first == ["readers", "writers"]
        assert second == ["writers"]
        assert store.execute("SELECT count(*) FROM sqlite_stat1").scalar() >= 0

    def test_the_reader_refuses_before_any_effect(
        self, open_sqlite: OpenSqlite
    ) -> None:
        store = open_sqlite(max_open_conns=2)
        add_user(store, "u1")
        tables = "SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'"
        with pytest.raises(core.ReadOnlyError), store.read() as snapshot:
            snapshot.execute("ANALYZE users")

        assert store.execute(tables).scalar() == 0

    def test_reads_stay_with_the_readers(self, open_sqlite: OpenSqlite) -> None:
        store = open_sqlite(max_open_conns=2)
        with statements_of(store) as noted:
            count_users(store)
            count_users(store)

        assert [pool for pool, sql in noted if sql == COUNT_USERS] == ["readers"] * 2

    def test_a_plain_write_never_meets_a_reader(self, open_sqlite: OpenSqlite) -> None:
        store = open_sqlite(max_open_conns=2)
        with statements_of(store) as noted:
            store.execute("DELETE FROM users")

        assert {pool for pool, _ in noted} == {"writers"}


class TestOtherProcesses:
    def test_a_lock_held_past_busy_timeout_names_file_seconds_and_setting(
        self, open_sqlite: OpenSqlite, start: Start, tmp_path: Path
    ) -> None:
        store = open_sqlite(busy_timeout=0.3)
        holder = start(HOLDER, tmp_path / "app.db")
        assert holder.stdout is not None
        holder.stdout.readline()

        for write in (
            lambda: add_user(store, "u1"),
            lambda: store.transaction().__enter__(),
            lambda: store.run(lambda tx: add_user(tx, "u1")),
        ):
            begun = monotonic()
            with pytest.raises(core.StoreBusyError) as caught:
                write()

            assert 0.25 < monotonic() - begun < 10
            assert str(tmp_path / "app.db") in caught.value.message
            assert "0.3 s" in caught.value.message
            assert "busy_timeout" in caught.value.message
            assert caught.value.retryable
        assert count_users(store) == 0
        assert core.health_check(store).ok

    def test_a_killed_holder_frees_the_lock_at_once(
        self, open_sqlite: OpenSqlite, start: Start, tmp_path: Path
    ) -> None:
        store = open_sqlite(busy_timeout=60)
        holder = start(HOLDER, tmp_path / "app.db")
        assert holder.stdout is not None
        holder.stdout.readline()
        begun = monotonic()
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(add_user, store, "u1")
            sleep(0.2)
            assert not waiting.done()
            holder.send_signal(signal.SIGKILL)
            waiting.result()

        assert count_users(store) == 1
        assert monotonic() - begun < 20

    def test_another_process_reads_what_was_committed(
        self, open_sqlite: OpenSqlite, start: Start, tmp_path: Path
    ) -> None:
        store = open_sqlite()
        add_user(store, "u1")
        reader = start(
            """
            import sys
            from mooring import core
            with core.open({"driver": "sqlite", "path": sys.argv[1]}) as store:
                print(store.execute("SELECT count(*) FROM users").scalar())
            """,
            tmp_path / "app.db",
        )

        assert reader.communicate(timeout=60) == ("1\n", "")


# Writes until the disk is full, prints what was acknowledged and the error, then goes
# on with room again. The disk is a limit to the size of files, or a small tmpfs; that
# one is mounted where only this process sees it, so that it ends with the process.
FULL_DISK = """
    import os, resource, signal, subprocess, sys
    from mooring import core

    path, kind = sys.argv[1:]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def mount(options):
        folder = os.path.dirname(path)
        command = ["mount", "-t", "tmpfs", "-o", options, "none", folder]
        subprocess.run(command, check=True)

    if kind == "tmpfs":
        mount("size=600k")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = core.open({"driver": "sqlite", "path": path})
    add = "INSERT INTO users (id, email, role) VALUES (:id, :email, 'user')"
    if kind == "file size limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
    done = 0
    try:
        while True:
            with store.transaction() as tx:
                for part in range(20):
                    name = f"{done}-{part}" + "x" * 100
                    tx.execute(add, {"id": name, "email": name})
            done += 1
    except core.StorageError as error:
        print(done, type(error).__name__, path in error.message, error.retryable)
    print(store.execute("SELECT count(*) FROM users").scalar())
    if kind == "tmpfs":
        mount("remount,size=8m")
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    store.execute(add, {"id": "after", "email": "after"})
    print(store.execute("PRAGMA integrity_check").scalar())
    store.close()
"""

# Opens a new database where files may not grow beyond argv[2] bytes.
FIRST_OPEN = """
    import resource, signal, sys
    from mooring import core
    import mooring.migrate._run, mooring_sqlite._store

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        core.open({"driver": "sqlite", "path": sys.argv[1]})
    except core.MooringError as error:
        print(type(error).__name__)
"""


class TestFullDisk:
    @pytest.mark.parametrize(
        "disk",
        [
            "file size limit",
            pytest.param("tmpfs", marks=pytest.mark.needs_small_disk),
        ],
    )
    def test_a_full_disk_is_a_typed_error_and_keeps_what_was_acknowledged(
        self, apart: tuple[str, ...], tmp_path: Path, disk: str
    ) -> None:
        # run() kills it when the time is over; unshare becomes the program it runs.
        child = subprocess.run(
            [
                *(apart if disk == "tmpfs" else ()),
                *(sys.executable, "-c", dedent(FULL_DISK)),
                *(tmp_path / "app.db", disk),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert child.stderr == ""
        error, count, integrity = child.stdout.splitlines()
        done, name, names_file, retryable = error.split()

        assert int(done) > 0
        assert int(count) == int(done) * 20
        assert (names_file, integrity) == ("True", "ok")
        if disk == "tmpfs":
            assert (name, retryable) == ("StorageFullError", "True")
            assert os.listdir(tmp_path) == []
        else:
            assert name in ("StorageFullError", "StorageError")

    @pytest.mark.parametrize("limit", [0, 100, 4096, 20_000, 40_000, 70_000])
    def test_a_first_open_that_fails_leaves_no_file_or_one_that_opens(
        self, open_sqlite: OpenSqlite, start: Start, tmp_path: Path, limit: int
    ) -> None:
        child = start(FIRST_OPEN, tmp_path / "app.db", limit)
        answer, errors = child.communicate(timeout=60)
        left = {name for name in os.listdir(tmp_path) if not name.endswith(".lock")}

        assert errors == ""
        assert answer.strip() in (
            "StorageError",
            "StorageFullError",
            "OpenError",
            "MigrationFailedError",
        )
        if limit < 4096:  # less than the one page of an empty database
            assert left == set()
        assert count_users(open_sqlite()) == 0


class TestLostFile:
    @pytest.mark.parametrize("replace", [False, True])
    @pytest.mark.parametrize("most", [1, 5])
    def test_a_removed_or_replaced_file_is_noticed_by_readers_and_writers(
        self, open_sqlite: OpenSqlite, tmp_path: Path, replace: bool, most: int
    ) -> None:
        store = open_sqlite(health_check_period=0, max_open_conns=most)
        add_user(store, "u1")
        path = tmp_path / "app.db"
        if replace:
            open_sqlite("other.db").close()
            os.replace(tmp_path / "other.db", path)
        else:
            path.unlink()

        for use in (lambda: count_users(store), lambda: add_user(store, "u2")):
            with pytest.raises(core.OpenError) as caught:
                use()

            assert str(path) in caught.value.message
        assert not core.health_check(store).ok
        assert path.exists() is replace

    def test_a_store_whose_file_is_back_goes_on(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        store = open_sqlite(health_check_period=0)
        add_user(store, "u1")
        os.rename(tmp_path / "app.db", tmp_path / "away.db")
        with pytest.raises(core.OpenError):
            count_users(store)
        os.rename(tmp_path / "away.db", tmp_path / "app.db")

        assert count_users(store) == 1


class TestDamage:
    def filled(self, open_sqlite: OpenSqlite, tmp_path: Path) -> Path:
        with open_sqlite() as store, store.transaction() as tx:
            for number in range(500):
                add_user(tx, f"{number}-{'x' * 100}")
        return tmp_path / "app.db"

    def test_an_overwritten_page_is_told_and_nothing_is_changed(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        path = self.filled(open_sqlite, tmp_path)
        data = bytearray(path.read_bytes())
        for page in range(20, len(data) // 4096):
            data[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
        path.write_bytes(data)
        before = digest(path)
        store = open_sqlite()

        with pytest.raises(core.CorruptStoreError) as caught:
            store.execute("SELECT sum(length(email)) FROM users NOT INDEXED")
        assert str(path) in caught.value.message
        assert not caught.value.retryable
        assert not core.health_check(store, integrity=True, timeout=30).ok
        store.close()
        assert digest(path) == before

    def test_a_name_that_is_no_text_any_more_is_told_as_damage(
        self, open_sqlite: OpenSqlite, tmp_path: Path
    ) -> None:
        path = self.filled(open_sqlite, tmp_path)
        store = open_sqlite()  # knows the schema as it was
        damage = "UPDATE sqlite_master SET sql = 'CREATE', name = CAST(x'75f4' AS TEXT)"
        with contextlib.closing(sqlite3.connect(path)) as plain, plain:
            plain.execute("PRAGMA writable_schema = ON")
            plain.execute(f"{damage} WHERE name = 'users'")
            plain.execute("PRAGMA schema_version = 999")

        for use in (
            lambda: count_users(store),
            lambda: add_user(store, "u1"),
            lambda: open_sqlite(),
        ):
            with pytest.raises(core.CorruptStoreError, match="no UTF-8 text") as caught:
                use()
            assert str(path) in caught.value.message

    @pytest.mark.parametrize("damage", ["header", "text", "cut short", "first page"])
    def test_a_file_that_is_no_database_is_refused_and_not_changed(
        self, open_sqlite: OpenSqlite, tmp_path: Path, damage: str
    ) -> None:
        path = self.filled(open_sqlite, tmp_path)
        data = path.read_bytes()
        path.write_bytes(
            {
                "header": b"\0" * 100 + data[100:],
                "text": b"not a database, but a letter\n" * 100,
                "cut short": data[:50],
                "first page": data[:100] + b"\xff" * 3996 + data[4096:],
            }[damage]
        )
        before = digest(path)
        files = sorted(os.listdir(tmp_path))

        with pytest.raises(core.CorruptStoreError) as caught:
            open_sqlite()
        assert str(path) in caught.value.message
        assert digest(path) == before
        assert sorted(os.listdir(tmp_path)) == files
