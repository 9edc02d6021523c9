"""Migrations in Python run in one order with those in SQL, by the same rules."""

import io
import json
import logging
import subprocess
import sys
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from mooring import core, migrate

Write = Callable[..., migrate.Source]

ADD = 'tx.execute("INSERT INTO a (x) VALUES (:x)", {{"x": {}}})'
TABLE = "-- +goose Up\nCREATE TABLE a (x int UNIQUE);\n-- +goose Down\nDROP TABLE a;\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files, by their names; return the source of all that were written."""
    folder = tmp_path / "files"
    folder.mkdir()

    def write(**files: str) -> migrate.Source:
        for name, text in files.items():
            path, _, suffix = name.removeprefix("v").rpartition("_")
            (folder / f"{path}.{suffix}").write_text(text)
        return migrate.Source(str(folder))

    return write


@pytest.fixture
def migrator(store: core.SqlStore, write: Write) -> migrate.Migrator:
    """At version 1, with a table `a`."""
    migrator = migrate.Migrator(store, write(v1_a_sql=TABLE))
    migrator.up()
    return migrator


def adding(*numbers: int, end: str = "") -> str:
    """Return a file that adds these numbers to the table."""
    lines = [ADD.format(number) for number in numbers] + [end]
    return "def up(tx):\n" + "".join(f"    {line}\n" for line in lines if line)


def numbers(store: core.SqlStore) -> list[int]:
    return [row["x"] for row in store.execute("SELECT x FROM a ORDER BY x")]


def applied(store: Any) -> list[int]:
    return [row.version for row in store.migration_versions("goose_db_version") or ()]


def failure(run: Callable[[], object]) -> core.MigrationFailedError:
    with pytest.raises(core.MigrationFailedError) as caught:
        run()
    return caught.value


# -- together with SQL ----------------------------------------------------------------


@pytest.mark.parametrize("transaction", [None, "each", "all"])
def test_they_run_in_one_order_with_files_in_sql(
    store: core.SqlStore, write: Write, transaction: Any
) -> None:
    source = write(
        v2_b_py=adding(1) + "def down(tx):\n    tx.execute('DELETE FROM a')\n",
        v10_d_py=adding(2),
        v1_a_sql=TABLE,
        v3_c_sql="-- +goose Up\nUPDATE a SET x = x + 10;\n",
    )
    migrator = migrate.Migrator(store, source)
    done = migrator.up(transaction=transaction)

    assert [step.name for step in done] == ["1_a.sql", "2_b.py", "3_c.sql", "10_d.py"]
    assert numbers(store) == [2, 11]
    assert [found.state for found in migrator.status()] == ["applied"] * 4
    assert [step.version for step in migrator.down(to=1)] == [10, 3, 2]
    assert numbers(store) == []
    assert applied(store) == [1]
    assert [step.version for step in migrator.redo()] == [1, 1]


def test_its_version_is_noted_as_that_of_a_file_in_sql(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    write(v2_b_py=adding(1))
    migrator.up()
    rows = store.execute("SELECT * FROM goose_db_version ORDER BY id").all()
    of_sql, of_python = (dict(row) for row in rows[-2:])
    noted = [found.digest for found in migrator.status()]

    assert of_python.keys() == of_sql.keys()
    assert of_python["is_applied"] == of_sql["is_applied"]
    assert type(of_python["tstamp"]) is type(of_sql["tstamp"])
    assert (of_python["id"], of_python["version_id"]) == (of_sql["id"] + 1, 2)
    assert len({len(str(digest)) for digest in noted}) == 1


def test_line_ends_are_no_change_and_a_change_is_one(
    migrator: migrate.Migrator, write: Write, tmp_path: Path
) -> None:
    write(v2_b_py=adding(1))
    migrator.up()
    file = tmp_path / "files" / "2_b.py"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert migrator.status()[1].state == "applied"

    write(v2_b_py=adding(2), v3_c_py=adding(3))
    assert migrator.status()[1].state == "changed"
    with pytest.raises(core.MigrationChangedError):
        migrator.up()
    assert [one.version for one in migrator.repair().digests] == [2]
    assert [step.version for step in migrator.up()] == [3]


def test_progress_is_told_as_of_one_statement(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    events: list[migrate.Event] = []
    source = write(v2_b_py=adding(1, 2, 3))
    migrate.Migrator(store, source, progress=events.append).up()

    assert [(e.kind, e.statement, e.statements) for e in events] == [
        ("start", 0, 1),
        ("statement", 1, 1),
        ("end", 1, 1),
    ]


# -- what it runs its statements on ---------------------------------------------------


def test_it_has_the_rules_of_a_transaction_of_the_store(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    write(
        v2_b_py="""
from __future__ import annotations
from dataclasses import dataclass
from datetime import datetime, UTC
import attrs
from mooring import core

Number = int

@attrs.frozen
class Row:
    x: Number

@dataclass
class Other:
    x: Number

def up(tx: core.Transaction) -> None:
    tx.execute("CREATE TABLE b (at TIMESTAMP, body TEXT)")
    values = {"at": datetime.now(UTC), "body": core.Json({"a": 1})}
    tx.execute("INSERT INTO b VALUES (:at, :body)", values)
    found = tx.execute("INSERT INTO a (x) VALUES (:x), (:y)", {"x": 1, "y": 2})
    assert found.rowcount == 2
    try:
        with tx.savepoint():
            tx.execute("INSERT INTO a (x) VALUES (1)")
    except core.UniqueViolation:
        pass
    rows = tx.execute("SELECT x FROM a WHERE x IN :some", {"some": core.In([1, 2])})
    for row in rows.all(Row):
        tx.execute("UPDATE a SET x = x + 10 WHERE x = :x", {"x": row.x})
"""
    )
    migrator.up()

    assert numbers(store) == [11, 12]
    assert store.execute("SELECT count(*) FROM b").scalar() == 1


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ('tx.execute("INSERT INTO a VALUES (:x)", {})', core.ParameterError, ":x"),
        ('tx.execute("INSERT INTO a VALUES (?)", [1])', core.ParameterError, "?"),
        (
            'tx.execute("SELECT 1; SELECT 2")',
            core.StatementNotAllowedError,
            "more than",
        ),
        ('tx.execute("COMMIT")', core.StatementNotAllowedError, "COMMIT"),
        ('tx.execute("ROLLBACK")', core.StatementNotAllowedError, "ROLLBACK"),
        ('tx.execute("BEGIN")', core.StatementNotAllowedError, "BEGIN"),
        ('tx.execute("SAVEPOINT s")', core.StatementNotAllowedError, "SAVEPOINT"),
        ("tx.commit()", core.StatementNotAllowedError, "commit"),
        ("tx.rollback()", core.StatementNotAllowedError, "rollback"),
        ("tx.__enter__()", core.NestedTransactionError, "entered before"),
        ("raise ValueError('no such plan')", ValueError, "ValueError: no such plan"),
        ("raise KeyError", KeyError, "KeyError"),
    ],
)
def test_a_failure_names_the_line_and_leaves_nothing(
    migrator: migrate.Migrator,
    store: core.SqlStore,
    write: Write,
    line: str,
    error: type[Exception],
    words: str,
) -> None:
    helper = f"\ndef helper(tx):\n    {line}\n"
    write(v2_b_py=adding(1), v3_c_py=adding(2, end="helper(tx)") + helper)
    caught = failure(migrator.up)

    assert (caught.file, caught.version, caught.line) == ("3_c.py", 3, 6)
    assert caught.message.startswith("3_c.py:6: ")
    assert words in caught.message
    assert caught.statement == line
    assert caught.state == "nothing of this file was kept; the database is at version 2"
    assert type(caught.__cause__) is error
    assert caught.hint
    if words in ("COMMIT", "ROLLBACK", "BEGIN", "commit", "rollback"):
        assert "transaction = False" in caught.hint
    assert numbers(store) == [1]
    assert applied(store) == [1, 2]


@pytest.mark.parametrize("line", ['tx.execute("SELECT nowhere")', "tx.commit()"])
def test_a_failure_that_is_caught_fails_the_file_all_the_same(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write, line: str
) -> None:
    text = f"    try:\n        {line}\n    except Exception:\n        pass\n"
    write(v2_b_py=adding(1) + text)
    caught = failure(migrator.up)

    assert isinstance(caught.__cause__, core.TransactionAbortedError)
    assert (caught.line, caught.statement) == (4, line)
    assert numbers(store) == []


def test_a_failure_leaves_the_old_version_where_all_is_one_transaction(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    write(v2_b_py=adding(1), v3_c_sql="-- +goose Up\nCREATE TABLE c (x int);\n")
    write(v4_d_py=adding(2, end="1 / 0"))
    caught = failure(lambda: migrator.up(transaction="all"))

    assert caught.state.startswith("nothing of this run was kept")
    assert (numbers(store), applied(store)) == ([], [1])


def test_an_interrupt_keeps_nothing_and_says_so(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    write(v2_b_py=adding(1, end="raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        migrator.up()

    assert numbers(store) == []


def test_the_store_itself_is_refused_inside_at_once(
    migrator: migrate.Migrator,
    store: core.SqlStore,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "an_app", SimpleNamespace(store=store))
    head = "import an_app\n{}def up(tx):\n    an_app.store.execute('SELECT 1')\n"
    for version, switch in enumerate(("", "transaction = False\n"), 2):
        caught = failure(
            migrate.Migrator(
                store, write(**{f"v{version}_b_py": head.format(switch)})
            ).up
        )
        assert isinstance(caught.__cause__, core.NestedTransactionError)
        write(**{f"v{version}_b_py": adding(version)})
        migrator.up()
    assert store.execute("SELECT count(*) FROM a").scalar() == 2


# -- without a transaction ------------------------------------------------------------


ALONE = "transaction = False\n"


def test_without_a_transaction_each_statement_stands_alone(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    write(
        v2_b_py=ALONE
        + """
from mooring import core

def up(connection: core.Autocommit) -> None:
    connection.execute("INSERT INTO a (x) VALUES (1)")
    try:
        connection.execute("INSERT INTO a (x) VALUES (1)")
    except core.UniqueViolation:
        pass
    for start in (10, 20):
        with connection.transaction() as tx:
            for x in range(start, start + 2):
                tx.execute("INSERT INTO a (x) VALUES (:x)", {"x": x})
            with tx.savepoint():
                tx.execute("DELETE FROM a WHERE x = 10")
    try:
        with connection.transaction() as tx:
            tx.execute("DELETE FROM a")
            connection.execute("SELECT 1")
    except core.NestedTransactionError:
        connection.execute("INSERT INTO a (x) VALUES (30)")
"""
    )
    done = migrator.up()

    assert [step.version for step in done] == [2]
    assert numbers(store) == [1, 11, 20, 21, 30]
    assert migrator.status().state == "current"


@pytest.mark.parametrize("line", ["1 / 0", 'tx.execute("COMMIT")', "tx.rollback()"])
def test_without_a_transaction_a_failure_says_what_stays_and_is_decided_by_hand(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write, line: str
) -> None:
    text = ALONE + adding(1, 2, end=line)
    write(v2_b_py=text, v3_c_py=adding(4))
    caught = failure(migrator.up)

    assert (caught.file, caught.line) == ("2_b.py", 5)
    assert "what it did before stays" in caught.state
    assert "version 2 is not noted" in caught.state
    assert "up --resume" in str(caught.hint)
    assert "at version" not in caught.message
    assert (numbers(store), applied(store)) == ([1, 2], [1])
    with pytest.raises(core.MigrationUnfinishedError, match="stays") as unfinished:
        migrator.up()
    assert "up --resume-after" in str(unfinished.value.hint)
    assert migrator.status().state == "diverged"

    # What was done before is not forgotten where it fails again, and at once.
    write(v2_b_py=ALONE + adding(1))
    caught = failure(lambda: migrator.up(resume="again"))
    assert "what it did before stays" in caught.state
    with pytest.raises(core.MigrationUnfinishedError):
        migrator.up()
    write(v2_b_py=ALONE + "def up(tx):\n    tx.execute('UPDATE a SET x = x + 10')\n")
    assert [step.version for step in migrator.up(resume="again")] == [2, 3]
    assert numbers(store) == [4, 11, 12]
    assert migrator.status().state == "current"


def test_what_did_not_end_can_be_taken_for_done_or_forgotten(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    write(v2_b_py=ALONE + adding(1, end="1 / 0"))
    failure(migrator.up)
    repaired = migrator.repair()
    assert repaired.forgotten is not None
    assert failure(migrator.up).line == 3  # the number is there
    failure(
        lambda: migrate.Migrator(
            store, write(v2_b_py=ALONE + adding(2, end="1/0"))
        ).up()
    )

    assert [step.version for step in migrator.up(resume="after")] == [2]
    assert numbers(store) == [1, 2]
    assert migrator.status().state == "current"


@pytest.mark.parametrize(
    "before", ["", 'with tx.transaction() as b: b.execute("DELETE FROM a"); 1 / 0']
)
def test_without_a_transaction_a_failure_that_kept_nothing_leaves_the_way_open(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write, before: str
) -> None:
    write(v2_b_py=ALONE + f"def up(tx):\n    {before or '1 / 0'}\n")
    caught = failure(migrator.up)

    assert caught.state == "nothing of this file stays; version 2 is not noted"
    assert migrator.status().unfinished is None
    write(v2_b_py=ALONE + adding(1))
    assert [step.version for step in migrator.up()] == [2]


def test_without_a_transaction_it_is_refused_where_all_are_one(
    migrator: migrate.Migrator, write: Write
) -> None:
    write(v2_b_py=ALONE + adding(1))
    with pytest.raises(core.MigrationError, match=r"2_b\.py"):
        migrator.up(transaction="all")


def test_an_interrupt_without_a_transaction_says_what_stays(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    write(v2_b_py=ALONE + adding(1, end="raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt) as caught:
        migrator.up()

    assert "what it did before stays" in caught.value.__notes__[0]
    assert numbers(store) == [1]
    with pytest.raises(core.MigrationUnfinishedError):
        migrator.up()


def test_a_process_that_is_killed_in_the_middle_leaves_it_to_be_decided(
    migrator: migrate.Migrator,
    store: core.SqlStore,
    write: Write,
    place: dict[str, object],
) -> None:
    end = "__import__('os')._exit(9)"
    write(v2_b_py=adding(1, end=end), v3_c_py=ALONE + adding(2, end=end))
    program = (
        "import json, sys\n"
        "from mooring import core, migrate\n"
        "store = core.open(json.loads(sys.argv[1]), migrate='skip')\n"
        "migrate.Migrator(store, migrate.Source(sys.argv[2])).up()\n"
    )
    folder: Any = migrator.source.folder

    def killed() -> bool:
        command = [sys.executable, "-c", program, json.dumps(place), folder.path]
        return subprocess.run(command, check=False).returncode == 9

    assert killed()
    assert (numbers(store), applied(store)) == ([], [1])
    write(v2_b_py=adding(1))
    assert killed()
    assert (numbers(store), applied(store)) == ([1, 2], [1, 2])
    with pytest.raises(core.MigrationUnfinishedError) as caught:
        migrator.up()
    assert (caught.value.version, caught.value.running) == (3, True)
    assert [step.version for step in migrator.up(resume="after")] == [3]
    assert numbers(store) == [1, 2]


# -- its module -----------------------------------------------------------------------


def test_a_module_is_executed_only_to_run_it(
    migrator: migrate.Migrator, write: Write, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    counts = f"with open({str(ran)!r}, 'a') as file:\n    file.write('.')\n"
    write(v2_b_py=counts + adding(1) + "def down(tx): pass\n")
    migrator.plan()
    migrator.status()
    migrate.validate(migrator.source)
    assert not ran.exists()

    migrator.up()
    assert ran.read_text() == "."
    migrator.status()
    migrator.plan_down()
    migrator.up()
    migrator.ensure_head()
    assert ran.read_text() == "."
    migrator.down()
    migrator.stamp(to=2)
    assert ran.read_text() == ".."


def test_at_head_no_file_is_opened(
    migrator: migrate.Migrator, write: Write, tmp_path: Path
) -> None:
    write(v2_b_py=adding(1))
    migrator.up()
    for file in (tmp_path / "files").iterdir():
        file.chmod(0)  # root could read them
        file.unlink()
        file.mkdir()

    assert migrator.ensure_head() == []
    assert not migrator.up()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import nowhere_at_all\n" + adding(1), 1),
        (adding(1) + "1 / 0\n", 3),
        ("def up(tx): pass\nglobals()['up'] = 1\n", 1),
    ],
)
def test_a_module_that_fails_stops_the_run_before_it_begins(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write, text: str, line: int
) -> None:
    write(v2_b_py=adding(1), v3_c_py=text)
    caught = failure(migrator.up)

    assert (caught.file, caught.line) == ("3_c.py", line)
    assert caught.state == "no file had begun to go up"
    assert (numbers(store), applied(store)) == ([], [1])
    assert "3_c" not in sys.modules


def test_a_function_that_does_not_run_when_it_is_called_fails(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    write(v2_b_py="def later(tx):\n    yield\n\nup = later\n")
    caught = failure(migrator.up)
    assert "up returned a generator, which did not run" in caught.message
    assert (caught.line, applied(store)) == (4, [1])


def test_it_has_a_name_and_a_path_and_leaves_no_module(
    migrator: migrate.Migrator,
    store: core.SqlStore,
    write: Write,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write(
        v2_b_py="import logging\nlog = logging.getLogger(__name__)\n"
        "def up(tx):\n    log.warning('at %s', __file__)\n"
    )
    with caplog.at_level(logging.WARNING):
        migrator.up()

    (record,) = caplog.records
    assert record.name == "2_b"
    assert record.getMessage() == f"at {tmp_path / 'files' / '2_b.py'}"
    assert "2_b" not in sys.modules


@pytest.fixture
def zipped(tmp_path: Path) -> Iterator[migrate.Source]:
    """A folder of migrations in a zip, without any directory."""
    with zipfile.ZipFile(tmp_path / "app.whl", "w") as archive:
        archive.writestr("app/migrations/1_a.sql", TABLE)
        archive.writestr("app/migrations/2_b.py", adding(1) + "    helper()\n")
        archive.writestr("app/migrations/3_c.py", "def up(tx):\n    raise OSError\n")
    with zipfile.ZipFile(tmp_path / "app.whl") as archive:
        folder: Any = zipfile.Path(archive, "app/migrations/")
        yield migrate.Source(folder)


def test_a_traceback_quotes_a_file_in_a_zip(
    store: core.SqlStore, zipped: migrate.Source, tmp_path: Path
) -> None:
    migrator = migrate.Migrator(store, zipped)
    caught = failure(migrator.up)
    out = io.StringIO()
    traceback.print_exception(caught, file=out)

    place = tmp_path / "app.whl" / "app" / "migrations" / "2_b.py"
    assert f'File "{place}", line 3, in up\n    helper()' in out.getvalue()
    assert (caught.file, caught.line) == ("2_b.py", 3)


def test_a_folder_that_says_no_path_gives_the_name(
    store: core.SqlStore, migrator: migrate.Migrator
) -> None:
    class Held:
        name = "2_b.py"

        def read_bytes(self) -> bytes:
            return b"def up(tx):\n    assert __file__ == '2_b.py'\n"

    class Folder:
        name = "held"

        def iterdir(self) -> Iterator[Any]:
            return iter([*migrator.source.folder.iterdir(), Held()])

    assert [
        s.version for s in migrate.Migrator(store, migrate.Source(Folder())).up()
    ] == [2]


def test_warnings_of_the_syntax_are_no_errors(
    migrator: migrate.Migrator, write: Write
) -> None:
    write(v2_b_py="def up(tx):\n    assert 1 is 1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(migrator.up()) == 1


# -- what the driver has to do --------------------------------------------------------


class Without:
    """The session of a driver that does not lend its connection."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __enter__(self) -> Self:
        self._session.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        return self._session.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        if name == "lend":
            raise AttributeError(name)
        return getattr(self._session, name)


def test_a_driver_that_cannot_refuses_before_any_file_runs(
    migrator: migrate.Migrator,
    store: Any,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(v2_b_sql="-- +goose Up\nCREATE TABLE b (x int);\n", v3_c_py=adding(1))
    session = store.migration_session
    with monkeypatch.context() as patch:
        patch.setattr(
            store, "migration_session", lambda *a, **k: Without(session(*a, **k))
        )
        with pytest.raises(core.UnsupportedByDriver) as caught:
            migrator.up()

    assert (caught.value.driver, caught.value.capability) == (
        store.driver,
        "python_migrations",
    )
    assert caught.value.message.startswith("3_c.py: ")
    assert caught.value.hint
    assert applied(store) == [1]
    assert [step.version for step in migrator.up()] == [2, 3]


def test_bounds_of_a_run_hold_for_its_statements(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
    source = write(v2_b_py=f"def up(tx):\n    tx.execute('{slow} max(i) FROM n')\n")
    rules = migrate.Rules(statement_timeout=0.2)
    caught = failure(migrate.Migrator(store, source, rules=rules).up)

    assert isinstance(caught.__cause__, core.StatementTimeoutError)
    assert caught.line == 2
    write(v2_b_py=adding(1))
    assert len(migrator.up()) == 1


def test_a_broken_reference_is_refused_in_the_file_that_breaks_it(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    write(
        v2_b_sql="-- +goose Up\nCREATE TABLE b (x int REFERENCES a (x)"
        " DEFERRABLE INITIALLY DEFERRED);\n",
        v3_c_py="def up(tx):\n    tx.execute('INSERT INTO b (x) VALUES (7)')\n",
        v4_d_sql="-- +goose Up\nCREATE TABLE d (x int);\n",
    )
    caught = failure(lambda: migrator.up(transaction="all"))

    assert isinstance(caught.__cause__, core.ForeignKeyViolation)
    assert caught.file == "3_c.py"
    assert applied(store) == [1]


def test_the_same_statement_many_times_in_many_files(
    migrator: migrate.Migrator, store: core.SqlStore, write: Write
) -> None:
    # Engines keep what they prepared; what resets a session between files drops it.
    for version in range(2, 6):
        start = version * 20
        write(**{f"v{version}_b_py": adding(*range(start, start + 12))})
    write(v6_c_sql="-- +goose Up\nALTER TABLE a ADD COLUMN y int;\n")
    write(v7_b_py=ALONE + adding(*range(200, 212)), v8_b_py=adding(*range(220, 232)))
    assert len(migrator.up(to=4, transaction="all")) == 3
    assert len(migrator.up()) == 4
    assert len(numbers(store)) == 12 * 6
