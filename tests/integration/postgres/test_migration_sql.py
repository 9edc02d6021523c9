"""Files run as they are written, and an error names the place that is wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from mooring import core, migrate
from mooring_postgres import PostgresStore

OpenPostgres = Callable[..., PostgresStore]
MigrationFile = Callable[..., migrate.Source]
Plain = Any  # a psycopg.Connection, whose types take literal strings only

BLOCK, END_OF_BLOCK = "-- +goose StatementBegin", "-- +goose StatementEnd"


@pytest.fixture(params=["", "-- +goose NO TRANSACTION"], ids=["", "no transaction"])
def head(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def run(
    open_postgres: OpenPostgres, migration_file: MigrationFile, head: str
) -> Callable[..., None]:
    """Run statements as the only migration of a new database."""

    def run(*statements: str) -> None:
        source = migration_file("1_a.sql", *statements, head=head)
        migrate.Migrator(open_postgres(migrate="skip"), source).up()

    return run


# Each makes a table a, and is followed by the row that is then in it.
RUNS = {
    "percent signs": (
        "CREATE TABLE a AS SELECT 'x%sy %(name)s 100%' AS text, 7 % 4 AS rest;",
        ("x%sy %(name)s 100%", 3),
    ),
    "placeholders": (
        (
            "CREATE TABLE a AS SELECT ':name :1 $1 ? @x' AS text, '5'::int AS five,"
            " (ARRAY[1, 2, 3])[1:2] AS slice;"
        ),
        (":name :1 $1 ? @x", 5, [1, 2]),
    ),
    "operators": (
        """CREATE TABLE a AS SELECT '{"k": [1]}'::jsonb ? 'k' AS has,
        '["a"]'::jsonb ?| '{a,b}' AS any_, '["a"]'::jsonb ?& '{a,b}' AS all_,
        '{"k": 1}'::jsonb @> '{"k": 1}' AS holds,
        '{"k": [7]}'::jsonb #>> '{k,0}' AS path;""",
        (True, True, False, True, "7"),
    ),
    "strings and comments": (
        r"""CREATE TABLE a AS SELECT E'it\'s; \\' AS one, 'a''b;' AS two; -- ; "'
        COMMENT ON TABLE a IS E'x;\ny';
        /* ; /* nested ; */ ' */ UPDATE a SET two = obj_description('a'::regclass);""",
        ("it's; \\", "x;\ny"),
    ),
    "DO": (
        (
            "CREATE TABLE a AS SELECT 1 AS x; DO $do$ BEGIN"
            " EXECUTE $$UPDATE a SET x = x + 1;$$; END $do$; UPDATE a SET x = x * 10;"
        ),
        (20,),
    ),
    "BEGIN ATOMIC": (
        (
            "CREATE FUNCTION f(a int) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 1;"
            " SELECT CASE WHEN a > 1 THEN 'big;' ELSE 'small' END; END;"
            " CREATE TABLE a AS SELECT f(1) AS one, f(2) AS two;"
        ),
        ("small", "big;"),
    ),
    "procedure": (
        (
            "CREATE PROCEDURE p() LANGUAGE plpgsql AS $body$\nBEGIN\n  IF true THEN\n"
            "    CREATE TABLE a AS SELECT '$$;' AS x;\n  END IF;\nEND;\n$body$;"
            "\nCALL p();"
        ),
        ("$$;",),
    ),
    "rule": (
        (
            "CREATE TABLE a (x int); CREATE TABLE b (x int);"
            " CREATE RULE r AS ON INSERT TO b DO ALSO"
            " (INSERT INTO a VALUES (new.x); DELETE FROM a WHERE x = 2);"
            " INSERT INTO b VALUES (1); INSERT INTO b VALUES (2);"
        ),
        (1,),
    ),
    "names": (
        (
            'CREATE TABLE "a;" (":x" int DEFAULT 1); INSERT INTO "a;" DEFAULT VALUES;;'
            ' CREATE VIEW a AS SELECT * FROM "a;";'
        ),
        (1,),
    ),
}


@pytest.mark.parametrize(("sql", "row"), list(RUNS.values()), ids=list(RUNS))
def test_a_block_runs_as_it_is_written(
    run: Callable[..., None], plain: Plain, sql: str, row: object
) -> None:
    run(BLOCK, sql, END_OF_BLOCK)

    assert plain.execute("SELECT * FROM a").fetchall() == [row]


@pytest.mark.parametrize(
    ("statements", "line", "column", "shown"),
    [
        (["SELECT 1;", "CREATE TABEL b (x int);"], 1, 8, "CREATE TABEL b"),
        ([BLOCK, "SELECT 1;", "SELECT", "  2 +* 3;", END_OF_BLOCK], 3, 5, "2 +* 3"),
        ([BLOCK, "SELECT 'äöü😀'; SELECT 'é' FROM nowhere;"], 1, 32, "nowhere"),
        (["-- é", "SELECT 'ß', nope FROM (SELECT 1 AS x) AS y;"], 1, 13, "nope"),
        (
            [BLOCK, "/* 😀; */ SELECT 1; /* é */", "/* é */ DROP TABLE nope;"],
            2,
            9,
            "nope",
        ),
        ([BLOCK, "DO $$ BEGIN", "  PERFORM 1 / 0;", "END $$;"], 1, 1, "DO $$"),
    ],
)
def test_an_error_names_file_line_and_column(
    run: Callable[..., None],
    head: str,
    statements: list[str],
    line: int,
    column: int,
    shown: str,
) -> None:
    """*line* counts from the line of the first statement."""
    if BLOCK in statements and END_OF_BLOCK not in statements:
        statements = [*statements, END_OF_BLOCK]
    with pytest.raises(core.MigrationFailedError) as caught:
        run(*statements)

    error = caught.value
    line += 2 + bool(head)
    assert (error.file, error.line, error.column) == ("1_a.sql", line, column)
    assert error.message.startswith(f"1_a.sql:{line}:{column}: ")
    assert shown in error.message.splitlines()[1]


def test_data_that_only_psql_reads_is_refused_with_what_to_do(
    run: Callable[..., None], plain: Plain
) -> None:
    with pytest.raises(core.MigrationFailedError, match="COPY") as caught:
        run("CREATE TABLE a (x int);", "COPY a FROM STDIN;", "SELECT 1;")

    assert caught.value.column == 1
    assert "INSERT" in str(caught.value.hint)


def test_an_own_error_of_the_file_keeps_its_words(run: Callable[..., None]) -> None:
    with pytest.raises(core.MigrationFailedError, match="clean up first") as caught:
        run(BLOCK, "DO $$ BEGIN RAISE 'clean up first'; END $$;", END_OF_BLOCK)

    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    "opening", ["/* ", "SELECT 1; /* a /* b */ ", "SELECT '", 'SELECT "', "SELECT $a$"]
)
def test_nothing_that_is_never_closed_hides_the_rest_of_a_file(
    open_postgres: OpenPostgres, migration_file: MigrationFile, opening: str, head: str
) -> None:
    source = migration_file(
        "1_a.sql",
        BLOCK,
        f"{opening}note",
        "BEGIN; CREATE TABLE a (x int); COMMIT;",
        END_OF_BLOCK,
        head=head,
    )
    store = open_postgres(migrate="skip")
    with pytest.raises(core.MigrationFailedError, match=r"never closed|unterminated"):
        migrate.Migrator(store, source).up()

    assert store.execute("SELECT to_regclass('a') IS NULL").scalar()
    assert [one.state for one in migrate.Migrator(store, source).status()] == [
        "pending"
    ]
