"""A process that is killed loses nothing that was acknowledged and leaves no halves."""

import signal
from pathlib import Path
from random import Random
from subprocess import Popen
from time import sleep
from typing import Any

from mooring import core, migrate
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import Loop, Program
from mooring.testing.contract._patience import PATIENCE

# Commits two rows in a transaction from several threads, and prints its number after.
WRITER = """
import threading

add = "INSERT INTO users (id, email, role) VALUES (:id, :id, 'user')"
store = core.open(config)
print("ready", flush=True)

def write(worker):
    number = 0
    while True:
        name = f"{PART}-{worker}-{number}"
        with store.transaction() as tx:
            tx.execute(add, {"id": name})
            tx.execute(add, {"id": name + "-second"})
        sys.stdout.write(name + "\\n")
        sys.stdout.flush()
        number += 1

for worker in range(3):
    threading.Thread(target=write, args=(worker,)).start()
"""

# Applies the files, the first one alone, undoes them, and so on.
MIGRATOR = """
from mooring import migrate

store = core.open(config, migrate="skip")
migrator = migrate.Migrator(store, migrate.Source(FOLDER, table="crash_versions"))
print("ready", flush=True)
while True:
    migrator.up(to=1)
    migrator.up()
    migrator.down(to=0)
"""
FILES = 5


def killed(process: "Popen[str]", random: Random) -> str:
    """Kill a process that is at work for a while; return what it printed."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate(timeout=PATIENCE)
    sleep(random.uniform(0.01, 0.25))
    process.send_signal(signal.SIGKILL)
    printed, _ = process.communicate(timeout=PATIENCE)
    # The last line may be cut off by the kill: it acknowledges nothing.
    return printed.rpartition("\n")[0]


class CrashContract:
    """A killed process loses nothing that was acknowledged and leaves no halves."""

    @requires(Capability.DURABLE, Capability.MULTI_PROCESS)
    def test_what_was_acknowledged_survives_the_kill_of_its_writer(
        self, config: dict[str, object], program: Program, loop: Loop
    ) -> None:
        kills, random = loop(3, 100)
        acknowledged: set[str] = set()
        core.open(config).close()
        for number in range(kills):
            writer = program(WRITER.replace("{PART}", str(number)))
            acknowledged.update(killed(writer, random).split())
            with core.open(config) as store:
                rows = store.execute("SELECT id FROM users").all()
                present = {str(row["id"]) for row in rows}
                firsts = {name for name in present if not name.endswith("-second")}
                health = core.health_check(store, deep=True, timeout=PATIENCE)

                assert acknowledged - present == set()
                assert {f"{name}-second" for name in firsts} == present - firsts
                assert health.ok, health
        assert acknowledged

    @requires(
        Capability.DURABLE, Capability.MULTI_PROCESS, Capability.TRANSACTIONAL_DDL
    )
    def test_the_kill_of_a_migrator_leaves_each_file_applied_or_not(
        self, config: dict[str, object], program: Program, loop: Loop, tmp_path: Path
    ) -> None:
        kills, random = loop(3, 100)
        folder = tmp_path / "crash_files"
        folder.mkdir()
        for version in range(1, FILES + 1):
            (folder / f"{version}_part.sql").write_text(
                "-- +goose Up\n"
                f"CREATE TABLE crash_a{version} (id BIGINT);\n"
                f"INSERT INTO crash_a{version} VALUES (1), (2), (3);\n"
                f"CREATE TABLE crash_b{version} (id BIGINT);\n"
                "-- +goose Down\n"
                f"DROP TABLE crash_b{version};\n"
                f"DROP TABLE crash_a{version};\n"
            )
        source = migrate.Source(str(folder), table="crash_versions")
        for _ in range(kills):
            killed(program(MIGRATOR.replace("FOLDER", repr(str(folder)))), random)
            with core.open(config, migrate="skip") as store:
                migratable: Any = store
                migrator = migrate.Migrator(store, source)
                # Whose connection may be at its end only now: wait for the lock first.
                with migratable.migration_session(source.table, timeout=PATIENCE):
                    pass
                rows = migratable.migration_versions(source.table) or ()
                applied = {row.version for row in rows}
                found = {
                    version: [_count(store, f"crash_{kind}{version}") for kind in "ab"]
                    for version in range(1, FILES + 1)
                }

                assert applied == set(range(1, len(applied) + 1))
                assert found == {
                    version: [3, 0] if version in applied else [None, None]
                    for version in found
                }
                migrator.up()
                assert migrator.at_head()

    @requires(Capability.DURABLE, Capability.MULTI_PROCESS)
    def test_the_kill_of_a_first_open_leaves_a_store_that_opens(
        self, config: dict[str, object], program: Program, loop: Loop
    ) -> None:
        kills, random = loop(2, 30)
        for _ in range(kills):
            opener = program("print('ready', flush=True)\ncore.open(config).close()\n")
            killed(opener, random)
            with core.open(config) as store:
                assert core.health_check(store, timeout=PATIENCE).ok
                assert store.execute("SELECT count(*) FROM users").scalar() == 0
                migrate.Migrator(store).down(to=0)


def _count(store: core.SqlStore, table: str) -> int | None:
    try:
        found: int = store.execute(f"SELECT count(*) FROM {table}").scalar()
    except core.StatementError:
        return None
    return found
