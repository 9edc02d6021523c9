"""What a start costs in syncs to the disk: as often as by hand, and in the same files.

They are counted where they are made, in the kernel's calls, with ptrace(2): it matters
neither which library makes them nor how that is linked.
"""

import ctypes
import json
import os
import signal
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "benchmarks" / "scripts"
MIGRATIONS = ROOT / "drivers" / "sqlite" / "mooring_sqlite" / "migrations"

# fsync and fdatasync in asm/unistd.h.
SYNCS = {"x86_64": (74, 75), "aarch64": (82, 83)}

# linux/ptrace.h
TRACE_SYSCALL, SET_OPTIONS, GET_CHILD, GET_SYSCALL_INFO = 24, 0x4200, 0x4201, 0x420E
MARK_SYSCALLS, STOP_AT_CHILDREN, KILL_WITH_US = 1, 2 | 4 | 8, 1 << 20
AT_ENTRY = 1
SYSCALL_STOP = signal.SIGTRAP | 0x80

# Run first by a program that is traced.
ASK = """
import ctypes, signal, sys
if ctypes.CDLL(None).ptrace(0, 0, None, None):
    sys.exit("this system does not allow ptrace(2), which counts system calls")
signal.raise_signal(signal.SIGSTOP)
"""


class SyscallInfo(ctypes.Structure):
    """A call as ``PTRACE_GET_SYSCALL_INFO`` tells it (Linux 5.3 and later)."""

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("number", ctypes.c_uint64),
        ("arguments", ctypes.c_uint64 * 6),
    )


def synced(code: str, database: Path, *arguments: str | Path) -> list[str]:
    """Run code to its end on *database*; return what it synced, by name.

    "." is the folder of the database. The code has *database* in ``sys.argv[1]``.
    """
    command = [sys.executable, "-c", ASK + dedent(code), str(database)]
    env = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    pid = os.posix_spawn(command[0], [*command, *map(str, arguments)], env)
    try:
        targets, status = trace(pid)
    except BaseException:
        kill(pid)
        raise
    assert os.waitstatus_to_exitcode(status) == 0
    return [os.path.relpath(target, database.parent) for target in targets]


def trace(pid: int) -> tuple[list[str], int]:
    """Let a child that has stopped run to its end.

    Returns:
        The paths that it synced, in order, and its wait status.
    """
    machine = os.uname().machine
    assert machine in SYNCS, f"add the numbers of fsync and fdatasync on {machine}"
    numbers = SYNCS[machine]
    _, status = os.waitpid(pid, 0)
    if not os.WIFSTOPPED(status):
        return [], status
    ptrace(SET_OPTIONS, pid, 0, MARK_SYSCALLS | STOP_AT_CHILDREN | KILL_WITH_US)
    targets: list[str] = []
    call = SyscallInfo()
    deliver = 0
    while True:
        ptrace(TRACE_SYSCALL, pid, 0, deliver)
        _, status = os.waitpid(pid, 0)
        deliver = 0
        if not os.WIFSTOPPED(status):
            return targets, status
        if status >> 16:
            child = ctypes.c_ulong()
            ptrace(GET_CHILD, pid, 0, ctypes.addressof(child))
            kill(child.value)
            raise AssertionError("it starts a thread or process, which is not counted")
        if os.WSTOPSIG(status) != SYSCALL_STOP:
            deliver = os.WSTOPSIG(status)
            continue
        size = ctypes.sizeof(call)
        ptrace(GET_SYSCALL_INFO, pid, size, ctypes.addressof(call))
        if call.op == AT_ENTRY and call.number in numbers:
            targets.append(os.readlink(f"/proc/{pid}/fd/{call.arguments[0]}"))


def kill(pid: int) -> None:
    """End a process that is traced, if it has not ended."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0x40000000)  # __WALL: one that is no child of ours, too


def ptrace(request: int, pid: int, address: int, data: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, *[ctypes.c_void_p] * 2)
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, pid, address, data) < 0:
        raise OSError(ctypes.get_errno(), f"ptrace(2) refused request {request:#x}")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """One for the start by hand, one for that with mooring."""
    folders = tmp_path / "by-hand", tmp_path / "mooring"
    for folder in folders:
        folder.mkdir()
    return folders


def start(script: str, folder: Path, key: str) -> list[str]:
    """Run a script of the benchmarks on the database in *folder*: it inserts a row."""
    code = f"import {script}\n{script}.main()"
    return synced(code, folder / "app.db", key, MIGRATIONS)


ADD = """
import mooring.core._group  # a thread would import it for us
from mooring import core
sql = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
path, times, way, synchronous = sys.argv[1:]
config = {"driver": "sqlite", "path": path, "synchronous": synchronous}
with core.open(config) as store:
    for number in range(int(times)):
        row = {"id": str(number)}
        if way == "execute":
            store.execute(sql, row)
        elif way == "run":
            store.run(lambda tx: tx.execute(sql, row))
        else:
            with store.transaction() as tx:
                tx.execute(sql, row)
"""
WAYS = ("execute", "transaction", "run")


def written(folder: Path, times: int, way: str, synchronous: str = "full") -> list[str]:
    """Add so many rows to a new database in *folder*, each durable by itself."""
    return synced(ADD, folder / "app.db", str(times), way, synchronous)


# -- the count ----------------------------------------------------------------


def test_every_sync_of_a_program_is_counted(tmp_path: Path) -> None:
    code = """
        import os
        for name in sys.argv[1:]:
            with open(name, "wb") as file:
                os.fsync(file.fileno())
                os.fdatasync(file.fileno())
        folder = os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY)
        os.fsync(folder)
        """
    found = synced(code, tmp_path / "a", tmp_path / "b")

    assert found == ["a", "a", "b", "b", "."]


def test_a_program_that_fails_or_starts_another_is_not_counted(tmp_path: Path) -> None:
    for another in ("os.fork()", "threading.Thread(target=print).start()"):
        with pytest.raises(AssertionError, match="starts a thread or process"):
            synced(f"import os, threading; {another}", tmp_path / "a")
    with pytest.raises(AssertionError):
        synced("raise SystemExit(1)", tmp_path / "a")


@pytest.mark.parametrize("way", WAYS)
def test_each_further_commit_is_one_more_sync(
    folders: tuple[Path, Path], way: str
) -> None:
    once, thrice = (
        written(folder, times, way)
        for folder, times in zip(folders, (1, 3), strict=True)
    )

    assert Counter(thrice) - Counter(once) == {"app.db-wal": 2}


@pytest.mark.needs_sqlite_shim
def test_a_disk_that_remembers_knows_each_sync(tmp_path: Path) -> None:
    code = """
        import json, os
        from mooring import core
        from mooring_sqlite.testing import RecordingDisk, install_shim
        from mooring_sqlite.testing._disk_events import FolderSynced, Synced

        path, answer = sys.argv[1:]
        disk = RecordingDisk(os.path.dirname(path))
        install_shim(disk)
        with core.open({"driver": "sqlite", "path": path}) as store:
            sql = "INSERT INTO users (id, email, role) VALUES ('u1', 'u1', 'user')"
            store.execute(sql)
        kinds = [type(event) for event in disk.recording().events]
        with open(answer, "w") as file:
            json.dump([kinds.count(Synced), kinds.count(FolderSynced)], file)
        """
    (tmp_path / "database").mkdir()
    found = synced(code, tmp_path / "database" / "app.db", tmp_path / "answer")
    folders = found.count(".")

    assert json.loads((tmp_path / "answer").read_text()) == [
        len(found) - folders,
        folders,
    ]
    assert folders == 2  # a journal was made, and a log


@pytest.mark.parametrize("synchronous", ["normal", "off"])
def test_a_commit_that_need_not_be_durable_is_no_sync(
    folders: tuple[Path, Path], synchronous: str
) -> None:
    once, thrice = (
        written(folder, times, "transaction", synchronous)
        for folder, times in zip(folders, (1, 3), strict=True)
    )

    assert once == thrice


# -- starts -------------------------------------------------------------------


def test_cold_start_syncs_what_the_script_by_hand_syncs(
    folders: tuple[Path, Path],
) -> None:
    by_hand, mooring = folders
    expected = start("by_hand", by_hand, "w1")

    assert "app.db-wal" in expected
    assert start("with_mooring", mooring, "w1") == expected


def test_warm_start_syncs_what_the_script_by_hand_syncs(
    folders: tuple[Path, Path],
) -> None:
    by_hand, mooring = folders
    start("by_hand", by_hand, "w1")
    start("with_mooring", mooring, "w1")
    expected = start("by_hand", by_hand, "w2")

    assert "app.db-wal" in expected
    assert start("with_mooring", mooring, "w2") == expected


def test_folders_that_are_made_for_a_database_are_synced_into_those_above(
    tmp_path: Path,
) -> None:
    code = """
        from mooring import core
        core.open({"driver": "sqlite", "path": sys.argv[1]}).close()
        """
    new = synced(code, tmp_path / "new" / "folder" / "app.db")
    again = synced(code, tmp_path / "new" / "folder" / "another.db")

    # What SQLite syncs is below: the folder of the database, with its name in it.
    assert new[:2] == ["../..", ".."]
    assert "." in new
    assert {name for name in again if name.startswith("..")} == set()


def test_warm_start_that_only_reads_syncs_nothing(folders: tuple[Path, Path]) -> None:
    by_hand = """
        import by_hand
        connection = by_hand.connect(sys.argv[1])
        connection.execute("SELECT count(*) FROM workflow_states").fetchone()
        connection.close()
        """
    mooring = """
        from mooring import core
        with core.open({"driver": "sqlite", "path": sys.argv[1]}) as store:
            store.execute("SELECT count(*) FROM workflow_states")
        """
    for folder in folders:
        start("with_mooring", folder, "w1")

    assert synced(by_hand, folders[0] / "app.db") == []
    assert synced(mooring, folders[1] / "app.db") == []
