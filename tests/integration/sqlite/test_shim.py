"""The disk of a test under SQLite: what it sees and does, and where there is none."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[3]
Start = Callable[..., "subprocess.Popen[str]"]

HEAD = """
    import json, os, sqlite3, sys, threading
    from mooring import core
    from mooring_sqlite.testing import *

    path = sys.argv[1]
    ADD = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"

    def answer(value):
        print(json.dumps(value))
"""

needs_shim = pytest.mark.needs_sqlite_shim


@pytest.fixture
def ask(start: Start, tmp_path: Path) -> Callable[[str], object]:
    """Run a program, and return the value that it answers with."""

    def run(code: str) -> object:
        output, errors = start(
            dedent(HEAD) + dedent(code), tmp_path / "app.db"
        ).communicate(timeout=60)
        assert errors == ""
        return json.loads(output)

    return run


Ask = Callable[[str], object]


@needs_shim
def test_a_disk_sees_what_sqlite_does_with_its_files(ask: Ask) -> None:
    found = ask("""
        class Watching(Disk):
            def __init__(self):
                self.seen = []
            def open(self, file, go):
                self.seen.append(["open", file.kind, file.was_there])
                return go()
            def write(self, file, data, offset, go):
                self.seen.append(["write", file.kind, len(data)])
                return go(len(data))
            def truncate(self, file, size, go):
                self.seen.append(["truncate", file.kind, size])
                return go()
            def sync(self, file, go):
                self.seen.append(["sync", file.kind, 0])
                return go()
            def delete(self, path, go):
                self.seen.append(["delete", os.path.basename(path), 0])
                return go()
            def sync_folder(self, folder):
                self.seen.append(["sync folder", os.path.basename(folder), 0])

        disk = Watching()
        install_shim(disk)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.close()
        answer(disk.seen)
    """)
    assert isinstance(found, list)
    names = [name for name, _, _ in found]

    assert found[0] == ["open", "database", False]
    assert ["open", "journal", False] in found
    assert ["open", "wal", False] in found
    assert ["write", "database", 4096] in found
    assert ["sync", "wal", 0] in found
    assert ["truncate", "database", 8192] in found
    assert ["delete", "app.db-journal", 0] in found
    assert ["delete", "app.db-wal", 0] in found
    assert names.index("sync folder") == names.index("sync") + 1


@needs_shim
def test_a_disk_that_does_as_it_is_asked_changes_nothing(ask: Ask) -> None:
    found = ask("""
        def work(name):
            with core.open({"driver": "sqlite", "path": f"{path}-{name}"}) as store:
                def write(worker):
                    for number in range(20):
                        store.execute(ADD, {"id": f"{worker}-{number}"})
                threads = [
                    threading.Thread(target=write, args=(n,)) for n in range(8)
                ]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                rows = store.execute("SELECT id FROM users ORDER BY id").all()
                ids = [row["id"] for row in rows]
                return ids, store.execute("PRAGMA integrity_check").scalar()

        plain = work("plain")
        install_shim(FailingDisk())
        answer([plain, work("shim")])
    """)
    assert isinstance(found, list)
    plain, shim = found

    assert plain == shim
    assert len(plain[0]) == 160
    assert plain[1] == "ok"


@needs_shim
def test_other_threads_run_while_a_disk_takes_its_time(ask: Ask) -> None:
    found = ask("""
        class Waiting(SlowDisk):
            def sync(self, file, go):
                if threading.current_thread() is writer:
                    begun.set()
                    others.wait()
                return super().sync(file, go)

        begun, others = threading.Event(), threading.Event()
        writer = threading.Thread(target=lambda: store.execute(ADD, {"id": "u1"}))
        disk = Waiting(0.001)
        install_shim(disk)
        with core.open({"driver": "sqlite", "path": path}) as store:
            before = disk.syncs
            writer.start()
            begun.wait()
            seen = store.execute("SELECT count(*) FROM users").scalar()
            others.set()
            writer.join()
            after = store.execute("SELECT count(*) FROM users").scalar()
            answer([seen, after, disk.syncs - before])
    """)

    assert found == [0, 1, 1]


@needs_shim
def test_a_fault_is_over_after_its_last_failure_or_when_the_disk_is_healed(
    ask: Ask,
) -> None:
    found = ask("""
        def tries(count):
            answers = []
            for _ in range(count):
                try:
                    store.execute(ADD, {"id": f"u{len(tried)}"})
                except core.StorageError:
                    answers.append(False)
                else:
                    answers.append(True)
                tried.append(1)
            return answers

        tried = []
        disk = FailingDisk()
        install_shim(disk)
        with core.open({"driver": "sqlite", "path": path}) as store:
            fault = {"operation": "write", "code": sqlite3.SQLITE_IOERR_WRITE}
            disk.fail(DiskFault(**fault, most=2))
            most = tries(4)
            counted = disk.failed
            disk.fail(DiskFault(**fault, kinds=("database",)))
            others = tries(2)
            disk.fail(DiskFault(**fault))
            always = tries(3)
            disk.heal()
            healed = tries(1)
        answer([most, counted, others, always, healed])
    """)

    assert found == [
        [False, False, True, True],
        2,
        [True, True],
        [False, False, False],
        [True],
    ]


@needs_shim
def test_what_a_disk_raises_is_printed_and_fails_in_sqlite(
    start: Start, tmp_path: Path
) -> None:
    code = """
        class Broken(Disk):
            def sync(self, file, go):
                raise ValueError("of the test")

        with core.open({"driver": "sqlite", "path": path}) as store:
            pass
        install_shim(Broken())
        with core.open({"driver": "sqlite", "path": path}) as store:
            try:
                store.execute(ADD, {"id": "u1"})
            except core.StorageError:
                answer("failed")
    """
    output, errors = start(
        dedent(HEAD) + dedent(code), tmp_path / "app.db"
    ).communicate(timeout=60)

    assert output == '"failed"\n'
    assert "ValueError: of the test" in errors


@needs_shim
def test_a_process_has_one_disk(ask: Ask) -> None:
    found = ask("""
        install_shim(Disk())
        try:
            install_shim(Disk())
        except ShimError as error:
            answer([error.message, error.hint])
    """)

    assert found == [
        "this process has a disk for tests already",
        "start a process for each, or let one disk do both",
    ]


@needs_shim
def test_a_recording_is_what_the_files_are(ask: Ask) -> None:
    found = ask("""
        from random import Random

        def content(path):
            with open(path, "rb") as file:
                return file.read()

        sqlite3.connect(path).execute("CREATE TABLE before (x)").connection.close()
        disk = RecordingDisk(os.path.dirname(path))
        install_shim(disk)
        with core.open({"driver": "sqlite", "path": path}) as store:
            for number in range(400):  # more than fit into the log
                store.execute(ADD, {"id": f"u{number}"})
            disk.note("the end")
            for remains in disk.recording().power_cuts(200, Random(1)):
                pass
            # The last is at the end, where all is synced.
            same = {
                os.path.basename(path): content(path) == kept
                for path, kept in remains.files.items()
            }
        answer([same, remains.noted])
    """)

    assert found == [{"app.db": True, "app.db-wal": True}, ["the end"]]


# -- where there is none ------------------------------------------------------


# In the place of a SQLite that keeps its functions to itself: a library without them.
HIDING = """
import _ctypes, ctypes
library = ctypes.CDLL(_ctypes.__file__)
ctypes.CDLL = lambda *_: library
"""


def test_where_sqlite_cannot_be_reached_it_says_so(ask: Ask) -> None:
    found = ask(
        HIDING.replace("\n", "\n        ")
        + """
        try:
            install_shim(Disk())
        except ShimError as error:
            answer([error.message, error.hint, shim_problem()])
    """
    )
    assert isinstance(found, list)
    message, hint, problem = found

    assert "cannot be called from outside" in message
    assert "shared libsqlite3" in hint
    assert problem == message


def test_where_it_cannot_be_reached_the_last_lines_name_the_tests_that_were_not_run(
    tmp_path: Path,
) -> None:
    (tmp_path / "hiding.py").write_text(HIDING)
    some = ("-k", "full_nothing or one_disk or says_so")
    options = ("-q", "-p", "no:cacheprovider", "-p", "hiding", *some)
    files = [str(Path(__file__).with_name("test_power_cuts.py")), __file__]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    _, _, end = done.stdout.partition("= not run =")
    _, reason, *names, summary = end.splitlines()

    assert done.returncode == 0, done.stdout
    assert "tests that put a failing disk under SQLite" in reason
    assert all(name.startswith("NOT RUN tests/integration/sqlite/") for name in names)
    assert {name.partition(".py::")[0].rpartition("/")[2] for name in names} == {
        "test_power_cuts",
        "test_shim",
    }
    assert summary.startswith("1 passed")
    assert "skipped" not in done.stdout
