"""The file of the migration lock: whoever tampers with it, one migrates at a time."""

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest
from mooring import core, migrate
from mooring_sqlite import SqliteStore

OpenSqlite = Callable[..., SqliteStore]
Start = Callable[..., "subprocess.Popen[str]"]

TABLE = "goose_db_version"
LOCK = "app.db-mooring.lock"

# Holds the lock until its input ends.
HOLDER = """
    import sys
    from mooring import core
    store = core.open({"driver": "sqlite", "path": sys.argv[1]}, migrate="skip")
    with store.migration_session("goose_db_version", timeout=30):
        print("holding", flush=True)
        sys.stdin.read()
    store.close()
"""

# Meets a full disk while it takes the lock, then has space again.
FULL_DISK = """
    import contextlib, resource, sys
    from mooring import core, migrate
    store = core.open({"driver": "sqlite", "path": sys.argv[1]}, migrate="skip")
    with store.transaction():
        pass  # the file of SQLite's own shared memory is made here
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    with store.migration_session("goose_db_version", timeout=5):
        print("held", flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    print(len(migrate.Migrator(store).up(timeout=5)), flush=True)
    store.close()
"""


def hold(start: Start, path: Path) -> "subprocess.Popen[str]":
    holder = start(HOLDER, path)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holding\n"
    return holder


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_lock_after_the_file_was_deleted_is_the_one_that_others_see(
    open_sqlite: OpenSqlite, start: Start, tmp_path: Path
) -> None:
    store = open_sqlite(migrate="skip")
    with store.migration_session(TABLE, timeout=5):
        pass
    (tmp_path / LOCK).unlink()
    holder = hold(start, tmp_path / "app.db")

    with pytest.raises(core.MigrationLockError, match=f"pid {holder.pid}"):
        migrate.Migrator(store).up(timeout=0.3)
    holder.communicate(timeout=60)
    assert len(migrate.Migrator(store).up(timeout=30)) == 4


def test_who_waits_for_a_lock_whose_file_is_deleted_gets_the_one_that_others_see(
    open_sqlite: OpenSqlite, start: Start, tmp_path: Path
) -> None:
    store = open_sqlite(migrate="skip")
    first = hold(start, tmp_path / "app.db")

    def second() -> None:
        with store.migration_session(TABLE, timeout=30):
            third = start(
                "from mooring import core, migrate\nimport sys\n"
                'config = {"driver": "sqlite", "path": sys.argv[1]}\n'
                "try:\n    core.open(config, migrate='skip').migration_session("
                "'goose_db_version', timeout=0.3).__enter__()\n"
                "except core.MigrationLockError as error:\n    print(error.message)\n",
                tmp_path / "app.db",
            )
            told, _ = third.communicate(timeout=60)
            assert f"pid {os.getpid()}" in told

    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(second)
        sleep(0.2)
        (tmp_path / LOCK).unlink()
        sleep(0.1)
        assert not waiting.done()
        first.communicate(timeout=60)
        waiting.result(timeout=60)

    assert (tmp_path / LOCK).exists()


def test_a_link_in_its_place_is_refused_and_its_target_unharmed(
    open_sqlite: OpenSqlite, tmp_path: Path
) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    store = open_sqlite(migrate="skip")
    (tmp_path / LOCK).symlink_to(target)

    with pytest.raises(core.OpenError, match=LOCK):
        migrate.Migrator(store).up()
    assert target.read_text() == "precious"
    (tmp_path / LOCK).unlink()
    assert len(migrate.Migrator(store).up()) == 4


def test_a_link_that_takes_its_place_while_somebody_waits_is_refused(
    open_sqlite: OpenSqlite, start: Start, tmp_path: Path
) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    store = open_sqlite(migrate="skip")
    first = hold(start, tmp_path / "app.db")
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(migrate.Migrator(store).up, timeout=30)
        sleep(0.2)
        (tmp_path / LOCK).unlink()
        (tmp_path / LOCK).symlink_to(target)
        first.communicate(timeout=60)

        assert isinstance(waiting.exception(timeout=60), core.OpenError)
    assert target.read_text() == "precious"
    (tmp_path / LOCK).unlink()
    assert len(migrate.Migrator(store).up()) == 4


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_file_in_its_place_is_refused_and_not_waited_for(
    open_sqlite: OpenSqlite, tmp_path: Path, kind: str
) -> None:
    store = open_sqlite(migrate="skip")
    make = {"folder": os.mkdir, "fifo": os.mkfifo}[kind]
    make(tmp_path / LOCK)
    with store.transaction():
        before = descriptors()

    with pytest.raises(core.OpenError, match=LOCK):
        migrate.Migrator(store).up()
    assert descriptors() == before


def test_databases_that_were_migrated_and_closed_keep_no_descriptor(
    open_sqlite: OpenSqlite,
) -> None:
    open_sqlite("first.db").close()
    before = descriptors()
    for number in range(50):
        open_sqlite(f"{number}.db").close()

    assert descriptors() == before


def test_a_note_that_cannot_be_written_does_not_keep_the_lock(
    start: Start, tmp_path: Path
) -> None:
    told, errors = start(FULL_DISK, tmp_path / "app.db").communicate(timeout=60)

    assert told.split() == ["held", "4"], errors
