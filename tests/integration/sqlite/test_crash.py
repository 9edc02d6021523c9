"""What SQLite itself finds in a file whose process was killed.

That nothing acknowledged is lost and nothing is half done, the contract shows on every
driver; here the file is looked at before mooring opens it again.
"""

import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from time import sleep

import pytest

Start = Callable[..., "subprocess.Popen[str]"]
Loop = Callable[[int, int], tuple[int, Random]]

HEAD = """
    import itertools, sys, threading
    from mooring import core, migrate

    folder = sys.argv[1]
    config = {"driver": "sqlite", "path": folder + "/app.db", "busy_timeout": 60}
"""
# Each is at work when it prints that it is ready, and until it is killed.
PROGRAMS = {
    "writers": """
    add = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
    store = core.open(config)

    def write(worker):
        for number in itertools.count():
            with store.transaction() as tx:
                tx.execute(add, {"id": f"{sys.argv[2]}-{worker}-{number}"})
                tx.execute(add, {"id": f"{sys.argv[2]}-{worker}-{number}-second"})

    print("ready", flush=True)
    for worker in range(4):
        threading.Thread(target=write, args=(worker,)).start()
""",
    "a migrator": """
    store = core.open(config, migrate="skip")
    migrator = migrate.Migrator(store, migrate.Source(folder + "/files"))
    print("ready", flush=True)
    while True:
        migrator.up(to=1)
        migrator.up()
        migrator.down(to=0)
""",
    "first opens": """
    for number in itertools.count():
        path = f"{folder}/{sys.argv[2]}-{number}.db"
        core.open({**config, "path": path}).close()
        if number == 0:
            print("ready", flush=True)
""",
}


def integrity(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall()


@pytest.mark.soak
@pytest.mark.parametrize("code", PROGRAMS.values(), ids=PROGRAMS)
def test_a_file_whose_process_was_killed_is_sound(
    start: Start, loop: Loop, report: Callable[[str], None], tmp_path: Path, code: str
) -> None:
    kills, random = loop(4, 50)
    (tmp_path / "files").mkdir()
    for version in range(1, 9):
        (tmp_path / "files" / f"{version}_t.sql").write_text(
            f"-- +goose Up\nCREATE TABLE t{version} (x);\n"
            f"INSERT INTO t{version} VALUES (1), (2), (3);\n"
            f"-- +goose Down\nDROP TABLE t{version};\n"
        )
    looked_at = 0
    for number in range(kills):
        with start(HEAD + code, tmp_path, number) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            sleep(random.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
        for path in tmp_path.glob("*.db"):
            assert integrity(path) == [("ok",)]
            looked_at += 1
            if path.name != "app.db":
                path.unlink()
    report(f"{kills} kills, {looked_at} files found sound")
    assert looked_at
