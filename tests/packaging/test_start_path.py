"""What a start costs, in counts: modules imported, classes made, commits written.

`test_start_syncs` counts what those commits cost.
"""

import json
import os
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from mooring import core

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "drivers" / "sqlite" / "mooring_sqlite" / "migrations"
USER = "INSERT INTO users (id, email, role) VALUES (:id, :email, 'admin')"

# Everything of ours that a start imports on a store that is migrated, up to its first
# statement. A module that joins it must earn its place: each costs every start of
# every program about as much as one statement.
OURS = {
    "mooring",
    "mooring.core",
    "mooring.core._base",
    "mooring.core._config",
    "mooring.core._configure",
    "mooring.core._dialect",
    "mooring.core._discovery",
    "mooring.core._driver",
    "mooring.core._folder",
    "mooring.core._hookspecs",
    "mooring.core._imports",
    "mooring.core._lease",
    "mooring.core._lexer",
    "mooring.core._open",
    "mooring.core._open_scopes",
    "mooring.core._pool",
    "mooring.core._registry",
    "mooring.core._result",
    "mooring.core._secret",
    "mooring.core._statement",
    "mooring.core._values",
    "mooring.core._verify",
    "mooring.core._versions",
    "mooring.core.errors",
    "mooring.migrate",
    "mooring.migrate._source",
    "mooring.migrate._migrator",
    "mooring.migrate._view",
    "mooring_sqlite",
    "mooring_sqlite._config",
    "mooring_sqlite._connect",
    "mooring_sqlite._deadline",
    "mooring_sqlite._dialect",
    "mooring_sqlite._errors",
    "mooring_sqlite._path",
    "mooring_sqlite._session",
    "mooring_sqlite._store",
    "mooring_sqlite._versions",
}
# What a file needs that is on no disk of this machine, such as one in memory.
OFF_DISK = {"mooring_sqlite._mount"}
# And on a new file, where it migrates.
OURS_TO_MIGRATE = {
    "mooring.migrate._choice",
    "mooring.migrate._files",
    "mooring.migrate._migration",
    "mooring.migrate._parse",
    "mooring.migrate._run",
    "mooring_sqlite._foreign_keys",
    "mooring_sqlite._lock",
    "mooring_sqlite._migrate",
    "mooring_sqlite._split",
}
# The user's name, and SHA-256 without OpenSSL: in CPython 3.12 and later, and in 3.11.
SMALL_TO_MIGRATE = {"_sha2", "_sha256", "pwd"}
# Beyond what attrs, pluggy and sqlite3 import themselves; built into the interpreter.
SMALL = {"_contextvars", "contextvars", "errno", "gc", "math"}
HEAVY = {
    "asyncio",
    "cattrs",
    "click",
    "dataclasses",
    "difflib",
    "email",
    "hashlib",
    "importlib.metadata",
    "importlib.resources",
    "ipaddress",
    "json",
    "logging",
    "pathlib",
    "random",
    "rich",
    "shutil",
    "subprocess",
    "tempfile",
    "tomllib",
    "urllib",
    "uuid",
    "zipfile",
}
# Each attrs class is compiled while it is imported: 0.2 to 1 ms.
CLASSES = {"SqliteConfig", "StoreConfig"}
# A part of each named tuple is: it takes as long as eight ordinary classes.
NAMED_TUPLES = {"AppliedRow", "DriverInfo", "EntryPoint", "PoolStats"}
NAMED_TUPLES_TO_MIGRATE = {"Migration", "Statement", "Step"}
# All classes of ours that a first start makes; half of them are errors. A class takes
# as long as a small statement.
MOST_CLASSES = 98

START = """
    import sys
    before = set(sys.modules)
    from mooring import core
    with core.open({"driver": "sqlite", "path": sys.argv[1]}) as store:
        sql = "SELECT count(*) FROM users WHERE id = :id"
        assert store.execute(sql, {"id": "u1"}).scalar() == 0
    after = set(sys.modules)
    classes = {
        value.__qualname__
        for name in after
        if name.startswith("mooring")
        for value in vars(sys.modules[name]).values()
        if isinstance(value, type) and "__attrs_attrs__" in vars(value)
    }
    import json
    print(json.dumps([sorted(after - before), sorted(classes)]))
    """
MADE = """
    import builtins, sys
    made, build_class = {}, builtins.__build_class__
    def build(body, name, *bases, **keywords):
        made_class = build_class(body, name, *bases, **keywords)
        module = body.__globals__.get("__name__", "")  # a generated class has none
        if module.startswith("mooring"):
            made[f"{module}.{name}"] = hasattr(made_class, "_fields")
        return made_class
    builtins.__build_class__ = build
    from mooring import core
    with core.open({"driver": "sqlite", "path": sys.argv[1]}) as store:
        sql = "SELECT count(*) FROM users WHERE id = :id"
        assert store.execute(sql, {"id": "u1"}).scalar() == 0
    import json
    print(json.dumps(made))
    """
FLOOR = """
    import sys
    before = set(sys.modules)
    import attrs, pluggy, sqlite3
    after = set(sys.modules)
    import json
    print(json.dumps(sorted(after - before)))
    """


def run(code: str, *arguments: Path) -> object:
    command: list[str | Path] = [sys.executable, "-I", "-c", dedent(code), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: object = json.loads(done.stdout)
    return answer


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    core.open({"driver": "sqlite", "path": str(path)}).close()
    return path


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str]]:
    """The modules that a warm start imports, and the attrs classes that it makes."""
    path = tmp_path_factory.mktemp("start") / "app.db"
    core.open({"driver": "sqlite", "path": str(path)}).close()
    found = run(START, path)
    assert isinstance(found, list)
    modules, classes = found
    return set(modules), set(classes)


# -- imports ------------------------------------------------------------------


def test_start_on_a_migrated_store_imports_these_modules_of_ours(
    start: tuple[set[str], set[str]],
) -> None:
    assert {name for name in start[0] if name.startswith("mooring")} - OFF_DISK == OURS


def test_start_imports_nothing_that_attrs_pluggy_and_sqlite3_do_not(
    start: tuple[set[str], set[str]],
) -> None:
    floor = run(FLOOR)
    assert isinstance(floor, list)
    others = {name for name in start[0] if not name.startswith("mooring")}
    assert others - set(floor) <= SMALL


def test_start_on_a_new_file_imports_only_what_migrates_it_beside(
    start: tuple[set[str], set[str]], tmp_path: Path
) -> None:
    found = run(START, tmp_path / "app.db")
    assert isinstance(found, list)
    beside = set(found[0]) - start[0]
    ours = {name for name in beside if name.startswith("mooring")}

    assert ours == OURS_TO_MIGRATE
    assert beside - ours <= SMALL_TO_MIGRATE
    assert set(found[1]) == CLASSES


def test_start_imports_nothing_heavy(start: tuple[set[str], set[str]]) -> None:
    assert not start[0] & HEAVY


def test_start_makes_these_attrs_classes(start: tuple[set[str], set[str]]) -> None:
    assert start[1] == CLASSES


def named_tuples(made: dict[str, bool]) -> set[str]:
    return {name.rpartition(".")[2] for name, is_one in made.items() if is_one}


def test_start_makes_these_named_tuples(migrated: Path) -> None:
    made = run(MADE, migrated)
    assert isinstance(made, dict)
    assert named_tuples(made) == NAMED_TUPLES


def test_start_on_a_new_file_makes_no_more_classes_than_before(tmp_path: Path) -> None:
    made = run(MADE, tmp_path / "app.db")
    assert isinstance(made, dict)
    assert named_tuples(made) == NAMED_TUPLES | NAMED_TUPLES_TO_MIGRATE
    assert len(made) <= MOST_CLASSES, sorted(made)


def test_importing_core_imports_nothing_before_a_name_is_used() -> None:
    code = """
        import sys
        before = set(sys.modules)
        from mooring import core
        ours = {n for n in set(sys.modules) - before if n.startswith("mooring")}
        import json
        print(json.dumps([sorted(ours), "attr" in sys.modules]))
        """
    assert run(code) == [["mooring", "mooring.core"], False]


# -- commits ------------------------------------------------------------------


def commits(database: Path) -> int:
    """Count the transactions in a database's write-ahead log.

    A frame that ends a transaction holds the size of the database after it, and
    counts while salts and checksums fit: sqlite.org/fileformat2.html, section 4.
    """
    log = Path(f"{database}-wal")
    content = log.read_bytes() if log.exists() else b""
    if not content:
        return 0
    magic, version, page_size = struct.unpack(">III", content[:12])
    assert magic & ~1 == 0x377F0682
    assert version == 3007000
    order = ">" if magic & 1 else "<"
    sums = _checksum(content[:24], order, (0, 0))
    assert struct.unpack(">II", content[24:32]) == sums
    count = 0
    for header, page in _frames(content, page_size):
        sums = _checksum(header[:8] + page, order, sums)
        if header[8:16] != content[16:24] or struct.unpack(">II", header[16:]) != sums:
            break
        count += struct.unpack(">I", header[4:8])[0] > 0
    return count


def _frames(content: bytes, page_size: int) -> Iterator[tuple[bytes, bytes]]:
    size = 24 + page_size
    for start in range(32, len(content) - size + 1, size):
        yield content[start : start + 24], content[start + 24 : start + size]


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def with_mooring(database: Path, user: str) -> int:
    """Open the store, insert one row, and return the commits that this made."""
    with core.open({"driver": "sqlite", "path": str(database)}) as store:
        store.execute(USER, {"id": user, "email": user})
        return commits(database)


def by_hand(database: Path, user: str) -> int:
    """Do the same with sqlite3 alone, as a careful author would write it."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")
        tables = "SELECT count(*) FROM sqlite_master WHERE name = 'goose_db_version'"
        if connection.execute(tables).fetchone() == (0,):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE goose_db_version (version_id INTEGER)")
            for file in sorted(FOLDER.iterdir()):
                up = file.read_text().partition("-- +goose Down")[0]
                for statement in _statements(up):
                    connection.execute(statement)
                version = int(file.name.partition("_")[0])
                row = "INSERT INTO goose_db_version VALUES (?)"
                connection.execute(row, (version,))
            connection.execute("COMMIT")
        connection.execute(USER, {"id": user, "email": user})
        return commits(database)
    finally:
        connection.close()


def _statements(text: str) -> Iterator[str]:
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def test_a_commit_in_the_log_is_a_commit_of_sqlite(tmp_path: Path) -> None:
    database = tmp_path / "app.db"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    counts = [commits(database)]
    connection.execute("CREATE TABLE t (x)")
    counts.append(commits(database))
    connection.execute("BEGIN")
    for _ in range(3):
        connection.execute("INSERT INTO t VALUES (zeroblob(9000))")
    counts.append(commits(database))
    connection.execute("COMMIT")
    counts.append(commits(database))
    connection.close()
    assert counts == [0, 1, 1, 2]


def test_cold_start_commits_as_often_as_the_script_by_hand(tmp_path: Path) -> None:
    # One for the version table and all four migrations, one for the row.
    assert by_hand(tmp_path / "hand.db", "u1") == 2
    assert with_mooring(tmp_path / "mooring.db", "u1") == 2


def test_warm_start_commits_what_the_program_commits(migrated: Path) -> None:
    assert with_mooring(migrated, "u1") == 1
    assert by_hand(migrated, "u2") == 1


def test_warm_start_that_only_reads_commits_and_changes_nothing(migrated: Path) -> None:
    before, stat = migrated.read_bytes(), os.stat(migrated)
    with core.open({"driver": "sqlite", "path": str(migrated)}) as store:
        assert store.execute("SELECT count(*) FROM users").scalar() == 0
        assert commits(migrated) == 0
    assert migrated.read_bytes() == before
    assert os.stat(migrated).st_mtime_ns == stat.st_mtime_ns
