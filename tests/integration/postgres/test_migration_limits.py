"""What a migration waits for has an end, and a table's readers are let through."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from mooring import core, migrate
from mooring_postgres import PostgresStore
from mooring_postgres.testing import DatabaseServer, Proxy

OpenPostgres = Callable[..., PostgresStore]
MigrationFile = Callable[..., migrate.Source]
Plain = Any  # a psycopg.Connection, whose types take literal strings only
Spawn = Callable[..., "Future[Any]"]

NO_TRANSACTION = "-- +goose NO TRANSACTION"


def columns(plain: Plain, table: str) -> list[str]:
    found = plain.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " ORDER BY attnum",
        (table,),
    )
    return [name for (name,) in found]


@pytest.fixture
def other(
    postgres_server: DatabaseServer, postgres_config: dict[str, Any]
) -> Iterator[Plain]:
    """A second connection without us, as `plain` is one."""
    options = f"-c search_path={postgres_config['schema']}"
    with postgres_server.connect(postgres_config["dbname"], options=options) as found:
        yield found


@pytest.mark.parametrize("transaction", ["each", "all"])
def test_a_file_that_waits_for_a_table_in_vain_is_run_again(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    transaction: Any,
) -> None:
    migration_file("1_a.sql", "CREATE TABLE a (x int);")
    migration_file("2_b.sql", "CREATE TABLE b (x int);")
    source = migration_file(
        "3_c.sql", "CREATE TABLE c (x int);", "ALTER TABLE a ADD y int;"
    )
    told: list[migrate.Event] = []

    def let_go(event: migrate.Event) -> None:
        told.append(event)
        if event.kind == "retry":
            plain.execute("ROLLBACK")

    migrator = migrate.Migrator(
        open_postgres(migrate="skip"),
        source,
        progress=let_go,
        rules=migrate.Rules(table_lock_timeout=0.05),
    )
    migrator.up(to=1)
    plain.execute("BEGIN; LOCK TABLE a")
    told.clear()
    steps = migrator.up(transaction=transaction)

    assert [step.version for step in steps] == [2, 3]
    kinds = [(event.kind, event.step.version) for event in told]
    kinds = [one for one in kinds if one[0] != "statement"]
    first = 2 if transaction == "all" else 3
    again = kinds[kinds.index(("retry", first)) :]
    assert again[1:] == [
        (kind, version) for version in range(first, 4) for kind in ("start", "end")
    ]
    (retry,) = [event for event in told if event.kind == "retry"]
    assert retry.message.startswith("3_c.sql:3")
    assert columns(plain, "a") == ["x", "y"]


def test_a_file_that_the_server_chose_to_end_a_deadlock_is_run_again(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    other: Plain,
    spawn: Spawn,
) -> None:
    plain.execute("CREATE TABLE a (x int); CREATE TABLE b (x int)")
    source = migration_file(
        "1_a.sql",
        # Who looks first, after waiting so long, is the one that the server ends.
        "SET deadlock_timeout = '3s';",
        "ALTER TABLE a ADD y int;",
        "ALTER TABLE b ADD y int;",
    )
    told: list[migrate.Event] = []
    other.execute("BEGIN; SET LOCAL deadlock_timeout = '1min'; LOCK TABLE b")
    migrator = migrate.Migrator(
        open_postgres(migrate="skip"), source, progress=told.append
    )
    running = spawn(migrator.up)
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'b'::regclass"
    while not plain.execute(waits).fetchall():
        sleep(0.01)
    waiting = spawn(lambda: other.execute("LOCK TABLE a; COMMIT"))
    waiting.result(20)

    assert [step.version for step in running.result(20)] == [1]
    assert "retry" in [event.kind for event in told]
    assert columns(plain, "b") == ["x", "y"]


def test_it_is_run_again_so_often_and_then_fails_with_nothing_kept(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain, other: Any
) -> None:
    source = migration_file(
        "1_a.sql", "CREATE TABLE b (x int);", "ALTER TABLE a ADD y int;"
    )
    plain.execute("CREATE TABLE a (x int)")
    other.execute("BEGIN; LOCK TABLE a")
    told: list[migrate.Event] = []
    migrator = migrate.Migrator(
        open_postgres(migrate="skip"),
        source,
        progress=told.append,
        rules=migrate.Rules(table_lock_timeout=0.02, lock_retries=1),
    )
    with pytest.raises(core.MigrationFailedError, match="as new") as caught:
        migrator.up()

    assert isinstance(caught.value.__cause__, core.StoreBusyError)
    kinds = [event.kind for event in told if event.kind != "statement"]
    assert kinds == ["start", "retry", "start"]
    found = plain.execute("SELECT to_regclass('b'), to_regclass('goose_db_version')")
    assert found.fetchall() == [(None, None)]


@pytest.mark.parametrize(
    ("head", "first"),
    [(NO_TRANSACTION, "CREATE TABLE b (x int);"), ("", "COMMIT;")],
    ids=["no transaction", "its own commit"],
)
def test_what_stays_is_never_run_again(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    other: Any,
    head: str,
    first: str,
) -> None:
    source = migration_file("1_a.sql", first, "ALTER TABLE a ADD y int;", head=head)
    plain.execute("CREATE TABLE a (x int)")
    other.execute("BEGIN; LOCK TABLE a")
    told: list[migrate.Event] = []
    migrator = migrate.Migrator(
        open_postgres(migrate="skip"),
        source,
        progress=told.append,
        rules=migrate.Rules(table_lock_timeout=0.02),
    )
    with pytest.raises(core.MigrationFailedError, match="statements 1 to 1 of 2"):
        migrator.up()

    assert "retry" not in [event.kind for event in told]


# Without rules


def test_what_locks_a_table_waits_as_long_as_the_store_s_statements_and_again(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
) -> None:
    plain.execute("CREATE TABLE a (x int)")
    source = migration_file("1_a.sql", "SELECT 1;", "ALTER TABLE a ADD y int;")
    told: list[str] = []

    def let_go(event: migrate.Event) -> None:
        if event.kind == "retry":
            told.append(event.message)
            plain.execute("ROLLBACK")

    store = open_postgres(migrate="skip", lock_timeout=0.05)
    plain.execute("BEGIN; LOCK TABLE a")
    migrate.Migrator(store, source, progress=let_go).up()

    (message,) = told
    assert message.startswith("1_a.sql:3")
    assert columns(plain, "a") == ["x", "y"]


@pytest.mark.parametrize(
    ("head", "sql"),
    [
        ("", "UPDATE a SET x = x + 1;"),
        (NO_TRANSACTION, "ALTER TABLE a ADD y int;"),
    ],
    ids=["rows", "no transaction"],
)
def test_what_keeps_no_reader_waiting_or_is_never_run_again_waits_without_end(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    other: Plain,
    spawn: Spawn,
    head: str,
    sql: str,
) -> None:
    plain.execute("CREATE TABLE a (x int); INSERT INTO a VALUES (1)")
    source = migration_file("1_a.sql", "CREATE TABLE b (x int);", sql, head=head)
    told: list[str] = []
    migrator = migrate.Migrator(
        open_postgres(migrate="skip", lock_timeout=0.01),
        source,
        progress=lambda event: told.append(event.kind),
    )
    other.execute("BEGIN; UPDATE a SET x = 5")
    running = spawn(migrator.up)
    while not plain.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
        assert not running.done()
        sleep(0.01)
    sleep(0.1)
    other.execute("COMMIT")

    assert len(running.result(20)) == 1
    assert "retry" not in told


NOTE = "INSERT INTO noted SELECT current_setting('lock_timeout');"
MAKE = "CREATE TABLE t{} AS SELECT current_setting('lock_timeout') AS x;"
KEEP = "INSERT INTO noted SELECT x FROM t{};"


ONE = [NOTE, MAKE, KEEP]
BACK = ["SAVEPOINT s;", MAKE, "ROLLBACK TO s;", *ONE]


@pytest.mark.parametrize(
    ("transaction", "head", "lines", "noted"),
    [
        ("each", "", ONE, ["0", "5s"]),
        ("all", "", ONE, ["0", "5s"]),
        ("each", "", BACK, ["0", "5s"]),
        ("each", "", ["SET LOCAL lock_timeout = '7s';", *ONE], ["7s", "7s"]),
        (
            "all",
            "",
            ["SELECT set_config('lock_timeout', '7s', true);", *ONE],
            ["7s"] * 2,
        ),
        ("each", "", ["COMMIT;", *ONE], ["0", "0"]),
        ("each", NO_TRANSACTION, ONE, ["0", "0"]),
        ("each", NO_TRANSACTION, ["BEGIN;", MAKE, KEEP, "COMMIT;"], ["0"]),
    ],
)
def test_each_statement_of_each_file_has_the_bound_that_it_needs(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    transaction: Any,
    head: str,
    lines: list[str],
    noted: list[str],
) -> None:
    plain.execute("CREATE TABLE noted (x text)")
    for number in (1, 2):
        made = [line.format(number) for line in lines]
        source = migration_file(f"{number}_a.sql", *made, head=head)
    store = open_postgres(migrate="skip", lock_timeout=5)
    migrate.Migrator(store, source).up(transaction=transaction)

    found = [x for (x,) in plain.execute("SELECT x FROM noted").fetchall()]
    assert found == 2 * noted


@pytest.mark.parametrize(
    ("head", "lines", "noted"),
    [
        ("", ["note()", "make(1)", "keep(1)"], ["0", "5s"]),
        (
            "",
            ["savepoint(lambda: make(1))", "note()", "make(2)", "keep(2)"],
            ["0", "5s"],
        ),
        ("transaction = False", ["note()", "make(1)", "keep(1)"], ["0", "0"]),
    ],
)
def test_each_statement_of_a_file_in_python_has_the_bound_that_it_needs(
    open_postgres: OpenPostgres,
    plain: Plain,
    tmp_path: Path,
    head: str,
    lines: list[str],
    noted: list[str],
) -> None:
    plain.execute("CREATE TABLE noted (x text)")
    functions = f"""{head}
def up(tx):
    def note():
        tx.execute({NOTE!r})
    def make(number):
        tx.execute("/* a CREATE */ " + {MAKE!r}.format(number))
    def keep(number):
        tx.execute({KEEP!r}.format(number))
    def savepoint(then):
        try:
            with tx.savepoint():
                then()
                raise LookupError
        except LookupError:
            pass
    """
    (tmp_path / "1_a.py").write_text(functions + "\n    ".join(lines))
    (tmp_path / "2_b.py").write_text(f"def up(tx):\n    tx.execute({NOTE!r})\n")
    store = open_postgres(migrate="skip", lock_timeout=5)
    migrate.Migrator(store, migrate.Source(str(tmp_path))).up()

    found = [x for (x,) in plain.execute("SELECT x FROM noted").fetchall()]
    assert found == [*noted, "0"]


def test_a_store_without_a_bound_has_none_here(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
) -> None:
    plain.execute("CREATE TABLE noted (x text)")
    source = migration_file("1_a.sql", MAKE.format(1), KEEP.format(1))
    migrate.Migrator(open_postgres(migrate="skip", lock_timeout=0), source).up()
    assert plain.execute("SELECT x FROM noted").fetchall() == [("0",)]


def test_bounds_hold_for_each_file_and_a_file_may_have_its_own(
    open_postgres: OpenPostgres, migration_file: MigrationFile, plain: Plain
) -> None:
    migration_file("1_a.sql", "SET LOCAL statement_timeout = 0; SELECT pg_sleep(0.2);")
    migration_file("2_b.sql", "SET statement_timeout = 0; SET lock_timeout = 0;")
    shown = "current_setting('lock_timeout') AS x"
    migration_file("3_c.sql", f"CREATE TABLE c AS SELECT {shown};")
    source = migration_file("4_d.sql", "SELECT 1;", "SELECT pg_sleep(60);")
    rules = migrate.Rules(statement_timeout=0.1, table_lock_timeout=7)
    migrator = migrate.Migrator(open_postgres(migrate="skip"), source, rules=rules)
    migrator.up(to=1)
    with pytest.raises(core.MigrationFailedError) as caught:
        migrator.up()

    assert isinstance(caught.value.__cause__, core.StatementTimeoutError)
    assert (caught.value.file, caught.value.line) == ("4_d.sql", 3)
    assert plain.execute("SELECT x FROM c").fetchall() == [("7s",)]


def test_a_frozen_server_ends_a_statement_that_has_a_bound(
    open_postgres: OpenPostgres,
    migration_file: MigrationFile,
    plain: Plain,
    proxy: Proxy,
    spawn: Spawn,
) -> None:
    source = migration_file("1_a.sql", "SELECT 1;", "SELECT pg_sleep(0.2);")
    store = open_postgres(
        migrate="skip",
        host=proxy.host,
        port=proxy.port,
        ping_timeout=0.5,
        statement_timeout=1,
    )
    rules = migrate.Rules(statement_timeout=1)

    def freeze(event: migrate.Event) -> None:
        if event.kind == "start":
            proxy.swallow()

    migrator = migrate.Migrator(store, source, progress=freeze, rules=rules)
    error = spawn(migrator.up).exception(20)

    assert isinstance(error, core.MigrationFailedError)
    assert isinstance(error.__cause__, core.ConnectionLostError)
    assert plain.execute("SELECT to_regclass('goose_db_version')").fetchone() == (None,)


@pytest.mark.parametrize("asked", ["versions", "release"])
def test_a_frozen_server_ends_what_the_session_asks_itself(
    open_postgres: OpenPostgres, proxy: Proxy, spawn: Spawn, asked: str
) -> None:
    store = open_postgres(
        migrate="skip",
        host=proxy.host,
        port=proxy.port,
        ping_timeout=0.5,
        statement_timeout=0.5,
    )

    def look() -> None:
        with store.migration_session("goose_db_version", timeout=20) as session:
            session.versions()
            proxy.swallow()
            if asked == "versions":
                session.versions()

    error = spawn(look).exception(20)

    # Where the lock cannot be given back the session ends, and the lock with it.
    assert isinstance(error, core.ConnectionLostError) == (asked == "versions")
