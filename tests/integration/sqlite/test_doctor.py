"""What doctor finds on a SQLite file, each thing made wrong for real."""

import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from mooring import core
from mooring.migrate import Migrator, Source
from mooring_sqlite import SqliteStore, _library, _mount, _surroundings, _wal

OpenSqlite = Callable[..., SqliteStore]
Start = Callable[..., "Popen[str]"]

USER = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
# Of a machine with one disk, one share, and files of a container in user space.
MOUNTS = """\
24 30 0:22 / /proc rw,nosuid - proc proc rw
30 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
41 30 0:{device} / /srv/share rw,relatime shared:9 master:2 - nfs4 nas:/share rw
42 30 0:977 / /srv/s3 rw,nosuid - fuse.s3fs s3fs rw
43 30 0:978 / /srv/own rw,nosuid - fuse.encfs encfs rw
"""


def look(store: core.Store, name: str, **options: Any) -> core.Check:
    """Return what a deep check finds, under its name."""
    health = core.health_check(store, deep=True, timeout=30, **options)
    (found,) = (check for check in health.checks if check.name == name)
    return found


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """A folder on a file system that has no disk: it costs a look at the mounts."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert os.major(os.stat(folder).st_dev) == 0
        yield Path(folder)


def test_the_page_for_operators_has_each_check_and_no_other(
    open_sqlite: OpenSqlite, documented_checks: Callable[[str], set[str]]
) -> None:
    health = core.health_check(open_sqlite(), integrity=True, timeout=30)

    assert {check.name for check in health.checks} == documented_checks("On SQLite")


@pytest.mark.parametrize(
    ("mode", "status", "says"),
    [
        (0o600, "ok", "app.db mode 0600"),
        (0o640, "ok", "mode 0640"),
        (0o660, "warning", "the group may change app.db"),
        (0o644, "warning", "everybody on this machine may read app.db"),
        (0o666, "failed", "everybody on this machine may change app.db"),
    ],
)
def test_modes_of_the_file(
    open_sqlite: OpenSqlite, tmp_path: Path, mode: int, status: str, says: str
) -> None:
    store = open_sqlite()
    (tmp_path / "app.db").chmod(mode)
    found = look(store, "file")

    assert found.status == status
    assert says in found.detail
    assert bool(found.fix) == (status != "ok")


def test_the_log_beside_it_counts_too(open_sqlite: OpenSqlite, tmp_path: Path) -> None:
    store = open_sqlite()
    (tmp_path / "app.db-wal").chmod(0o666)

    assert "may change app.db-wal" in look(store, "file").detail


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        (0o700, "ok"),
        (0o755, "ok"),
        (0o770, "warning"),
        (0o1777, "warning"),
        (0o777, "failed"),
    ],
)
def test_modes_of_the_folder(
    open_sqlite: OpenSqlite, tmp_path: Path, mode: int, status: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    store = open_sqlite("data/app.db")
    folder.chmod(mode)

    assert look(store, "folder").status == status


def test_a_file_of_somebody_else_is_told_to_who_is_not_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not _surroundings._is_strange(0)
    assert not _surroundings._is_strange(os.geteuid())
    monkeypatch.setattr(os, "geteuid", lambda: 4711)  # as if we were another
    assert _surroundings._is_strange(4712)


@pytest.mark.parametrize("gone", ["app.db", "."])
def test_a_file_that_is_gone_fails_what_looks_at_it_and_nothing_else(
    open_sqlite: OpenSqlite, tmp_path: Path, gone: str
) -> None:
    (tmp_path / "data").mkdir()
    store = open_sqlite("data/app.db")
    (tmp_path / "data" / gone).rename(tmp_path / "moved")
    health = core.health_check(store, deep=True, timeout=30)
    failed = {check.name for check in health.checks if check.status == "failed"}
    (tmp_path / "moved").rename(tmp_path / "data" / gone)

    with_folder = {"disk", "folder"} if gone == "." else set()
    assert failed == {"ping", "file", "file_system", *with_folder}
    assert all(check.fix for check in health.checks if check.status == "failed")


def test_too_little_room_is_a_failure(
    open_sqlite: OpenSqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_surroundings, "_LEAST_FREE", 1 << 62)
    found = look(open_sqlite(), "disk")

    assert (found.status, bool(found.fix)) == ("failed", True)


def test_a_large_log_names_the_process_that_reads(
    open_sqlite: OpenSqlite, start_reader: Start
) -> None:
    store = open_sqlite(wal_limit=8 << 20)
    reader = start_reader()
    assert look(store, "wal").status == "ok"
    with store.transaction() as tx:
        tx.execute(USER, {"id": "u1"})
        grow = (
            "INSERT INTO api_keys (id, user_id, hash, prefix)"
            " VALUES ('k1', 'u1', zeroblob(9000000), 'k1')"
        )
        tx.execute(grow)
    found = look(store, "wal")
    reader.communicate("\n", timeout=20)

    assert found.status == "warning"
    assert f"read now by process {reader.pid}" in found.detail
    assert "more than wal_limit" in found.detail
    assert found.fix


def test_a_large_log_names_the_thread_that_reads_and_where_it_is(
    open_sqlite: OpenSqlite, tmp_path: Path
) -> None:
    store = open_sqlite(wal_limit=8 << 20)
    with store.read() as snapshot:
        snapshot.execute("SELECT count(*) FROM users")
        with closing(sqlite3.connect(tmp_path / "app.db")) as other:
            other.execute("CREATE TABLE large (x)")
            other.execute("INSERT INTO large VALUES (zeroblob(9000000))")
            other.commit()
        found = look(store, "wal")

    assert found.status == "warning"
    assert re.search(r"thread MainThread for [\d.]+ s, now at .+:\d+ in", found.detail)


def test_a_health_check_leaves_no_deadline_of_its_own(open_sqlite: OpenSqlite) -> None:
    longer = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000)"
        " SELECT max(i) FROM n"
    )
    store = open_sqlite()
    store.execute("SELECT 1")
    assert core.health_check(store, timeout=0.01).checks

    assert store.execute(longer).scalar() == 1_000_000


def test_a_connection_that_is_lent_for_long_names_its_thread(
    open_sqlite: OpenSqlite, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_sqlite()
    assert look(store, "connections").status == "ok"
    monkeypatch.setattr(_wal, "_LONG", 0.0)
    with store.read() as snapshot:
        snapshot.execute("SELECT 1")
        found = look(store, "connections")

    assert found.status == "warning"
    assert "thread MainThread for" in found.detail


def test_a_setting_that_was_changed_is_found_on_the_connection_that_has_it(
    open_sqlite: OpenSqlite,
) -> None:
    store = open_sqlite()
    store.execute("SELECT count(*) FROM users")
    store.pools()[-1].inspect(lambda s: s.connection.execute("PRAGMA foreign_keys=0"))
    found = look(store, "foreign_keys")

    assert (found.status, found.detail) == ("failed", "0 in readers")
    assert found.fix


@pytest.mark.parametrize(
    ("version", "fixed"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 3), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
    ],
)
def test_libraries_with_the_bug_of_the_log_are_known(
    version: tuple[int, int, int], fixed: bool
) -> None:
    assert _library._is_fixed(version) is fixed


def test_the_library_is_told_with_how_it_was_built(open_sqlite: OpenSqlite) -> None:
    found = look(open_sqlite(), "library")

    assert f"SQLite {sqlite3.sqlite_version}, THREADSAFE=" in found.detail


# -- network file systems -----------------------------------------------------


@pytest.mark.parametrize(
    ("device", "kind", "network"),
    [
        (os.makedev(254, 0), "ext4", False),
        (os.makedev(0, 976), "nfs4", True),
        (os.makedev(0, 977), "fuse.s3fs", True),
        (os.makedev(0, 978), "fuse.encfs", False),
        (os.makedev(0, 999), None, False),
    ],
)
def test_the_file_system_is_the_one_of_the_device(
    tmp_path: Path, device: int, kind: str | None, network: bool
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(device=976))

    assert _mount.file_system(device, str(mounts)) == kind
    assert _mount.is_network(kind) is network


def test_where_there_is_no_list_of_mounts_nothing_is_refused(tmp_path: Path) -> None:
    assert _mount.file_system(1, str(tmp_path / "none")) is None


def test_a_network_file_system_is_refused_unless_it_is_allowed(
    memory_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    minor = os.minor(os.stat(memory_folder).st_dev)
    mounts.write_text(MOUNTS.format(device=minor))
    path = memory_folder / "app.db"
    core.open({"driver": "sqlite", "path": str(path)}).close()
    path.unlink()
    monkeypatch.setattr(_mount, "MOUNTS", str(mounts))

    with pytest.raises(core.OpenError, match=r"network file system \(nfs4\)") as caught:
        core.open({"driver": "sqlite", "path": str(path)})
    assert "network_file_system" in str(caught.value.hint)
    assert not path.exists()

    options = {"driver": "sqlite", "path": str(path), "network_file_system": True}
    monkeypatch.setattr(_mount.file_system, "__defaults__", (str(mounts),))
    with core.open(options) as store:
        found = look(store, "file_system")
    assert found.status == "warning"
    assert "nfs4" in found.detail


# -- all of the data ----------------------------------------------------------


def test_rows_that_refer_to_none_are_counted_by_table(
    open_sqlite: OpenSqlite, tmp_path: Path
) -> None:
    store = open_sqlite()
    with closing(sqlite3.connect(tmp_path / "app.db")) as other, other:
        for key in ("k1", "k2"):
            other.execute(
                "INSERT INTO api_keys (id, user_id, hash, prefix)"
                " VALUES (?, 'u9', x'', ?)",
                (key, key),
            )
    found = look(store, "references", integrity=True)

    assert (found.status, found.detail) == (
        "failed",
        "rows that refer to none: 2 in api_keys",
    )
    assert "foreign_key_check" in found.fix


def test_it_tells_how_far_it_is(open_sqlite: OpenSqlite) -> None:
    told: list[tuple[str, int, int]] = []

    def progress(what: str, done: int, total: int) -> None:
        told.append((what, done, total))

    look(open_sqlite(), "integrity", integrity=True, progress=progress)

    assert told[:2] == [("integrity", 0, 1), ("integrity", 1, 1)]
    (tables,) = {total for what, _, total in told if what == "references"}
    assert [done for what, done, _ in told if what == "references"] == [
        *range(tables + 1)
    ]


def test_what_takes_too_long_is_unknown_in_time(open_sqlite: OpenSqlite) -> None:
    store = open_sqlite()
    with store.transaction() as tx:
        tx.execute(
            "INSERT INTO users (id, email, role)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 20000)"
            " SELECT i, i, 'user' FROM n"
        )
    health = core.health_check(store, integrity=True, timeout=0.001)
    unknown = {check.name for check in health.checks if check.status == "unknown"}

    assert health.status == "unknown"
    assert "integrity" in unknown
    assert core.health_check(store, integrity=True, timeout=30).ok


# -- what core looks at -------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "deep", "detail", "fix"),
    [
        ("pending", False, "1 pending", "mooring migrate up"),
        ("ahead", False, "1 ahead", "newer release"),
        ("changed", True, "1 changed", "restore the files"),
        ("changed", False, "at 2 (2/2)", ""),
        ("missing", False, "1 missing", "bring the files back"),
    ],
)
def test_migrations_that_differ_come_with_the_way_out(
    open_sqlite: OpenSqlite,
    tmp_path: Path,
    change: str,
    deep: bool,
    detail: str,
    fix: str,
) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    first, second, third = (folder / f"0000{n}_m.sql" for n in (1, 2, 3))
    text = "-- +goose Up\nCREATE TABLE {} (x INTEGER);\n"
    first.write_text(text.format("a"))
    second.write_text(text.format("b"))
    source = Source(str(folder), table="own_versions")
    store = open_sqlite(migrations=source)
    if change == "pending":
        third.write_text(text.format("c"))
    elif change == "ahead":
        third.write_text(text.format("c"))
        Migrator(store, source).up()
        third.unlink()
    elif change == "missing":
        first.unlink()
    else:
        first.write_text(text.format("a") + "-- edited\nSELECT 1;\n")
    health = core.health_check(store, deep=deep, timeout=30)
    (found,) = (check for check in health.checks if check.name == "migrations")

    assert detail in found.detail
    assert fix in found.fix
    assert found.status == ("failed" if fix else "ok")
