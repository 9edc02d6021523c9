"""A statement that would change a lent connection is refused, however it is written."""

from collections.abc import Sequence

import pytest
from mooring.core._dialect import Dialect
from mooring.core._statement import translate
from mooring.core.errors import StatementNotAllowedError


def refused(sql: str, dialect: Dialect) -> StatementNotAllowedError:
    with pytest.raises(StatementNotAllowedError) as caught:
        translate(sql, dialect)
    assert "\n" not in caught.value.message
    return caught.value


CONTROL = {
    "BEGIN": "store.transaction()",
    "BEGIN IMMEDIATE": "store.transaction()",
    "START TRANSACTION": "store.transaction()",
    "COMMIT": "store.transaction()",
    "END": "store.transaction()",
    "ROLLBACK": "store.transaction()",
    "ABORT": "store.transaction()",
    "PREPARE TRANSACTION 'x'": "store.transaction()",
    "COMMIT PREPARED 'x'": "store.transaction()",
    "SAVEPOINT s": "tx.savepoint()",
    "RELEASE s": "tx.savepoint()",
    "ROLLBACK TO s": "tx.savepoint()",
    "SET work_mem = 5": "configuration",
    "SET SESSION work_mem = 5": "configuration",
    "RESET ALL": "configuration",
    "DISCARD ALL": "configuration",
    "ATTACH 'x' AS y": "second store",
    "DETACH y": "second store",
}


@pytest.mark.parametrize("sql", CONTROL)
def test_a_control_statement_is_refused_and_the_hint_says_what_to_do(
    sql: str, dialect: Dialect
) -> None:
    assert CONTROL[sql] in (refused(sql, dialect).hint or "")


@pytest.mark.parametrize(
    "sql",
    [
        "  commit",
        "\ufeffCOMMIT",
        "-- x\nCOMMIT",
        "/* x */COMMIT/**/;",
        "((COMMIT))",
        "( /* ( */ COMMIT",
        "CoMmIt;",
        "COMMIT; -- x",
        "COMMIT; SELECT 1",
    ],
    ids=repr,
)
def test_nothing_that_precedes_it_hides_a_control_statement(
    sql: str, dialect: Dialect
) -> None:
    assert refused(sql, dialect).message.startswith("COMMIT would")


@pytest.mark.parametrize("sql", ["-- x\rCOMMIT", "SELECT 1 --x\r; COMMIT\n"])
def test_a_comment_whose_end_engines_see_differently_is_refused(
    sql: str, dialect: Dialect
) -> None:
    assert "carriage return" in refused(sql, dialect).message


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TEMP TABLE x (a)",
        "create temporary view x AS SELECT 1",
        "CREATE LOCAL TEMP TABLE x (a)",
        "CREATE GLOBAL TEMPORARY TABLE x (a)",
        "CREATE OR REPLACE TEMP VIEW x AS SELECT 1",
        "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TABLE temp.x (a)",
        'CREATE TABLE IF NOT EXISTS "temp" . x (a)',
        "DROP TABLE temp.x",
        "DROP TABLE IF EXISTS temp.x",
        "DROP TEMPORARY TABLE x",
        "SELECT a INTO TEMP x FROM t",
        "(SELECT a INTO LOCAL TEMPORARY TABLE x FROM t)",
        "WITH c AS (SELECT 1) SELECT * INTO TEMP x FROM c",
        "EXPLAIN ANALYZE CREATE TEMP TABLE x AS SELECT 1",
        "EXPLAIN (ANALYZE, COSTS off) SELECT a INTO TEMP x FROM t",
    ],
)
def test_a_temporary_table_is_refused(sql: str, dialect: Dialect) -> None:
    assert "temporary table" in refused(sql, dialect).message


@pytest.mark.parametrize(
    ("sql", "verb"),
    [
        ("SET LOCAL work_mem = 5", "SET"),
        ("PREPARE x AS SELECT 1", "PREPARE"),
        ("SELECT 'BEGIN; COMMIT'", "SELECT"),
        ("SELECT 1 -- ; COMMIT", "SELECT"),
        ("SELECT begin, commit FROM t", "SELECT"),
        ("CREATE TABLE temperature (temp int)", "CREATE"),
        ("CREATE TABLE t AS SELECT temp.a FROM temp", "CREATE"),
        ("CREATE UNIQUE INDEX i ON t (temp)", "CREATE"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE"),
        ("INSERT INTO temp VALUES (1)", "INSERT"),
        ("INSERT INTO t SELECT a FROM temp", "INSERT"),
        ("SELECT a INTO x FROM temp", "SELECT"),
        ("WITH c AS (INSERT INTO temp VALUES (1)) SELECT 1", "SELECT"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("EXPLAIN QUERY PLAN DELETE FROM t", "EXPLAIN"),
        ("RELEASED", "RELEASED"),
    ],
)
def test_what_only_looks_like_one_passes(sql: str, verb: str, dialect: Dialect) -> None:
    assert translate(sql, dialect).verb == verb


@pytest.mark.parametrize("sql", ["", " \n", "-- x", "/* x */", ";", "; SELECT 1", "("])
def test_a_text_without_a_statement_is_refused(sql: str, dialect: Dialect) -> None:
    refused(sql, dialect)


@pytest.mark.parametrize("text", ["SELECT 'a\x00'", "SELECT '\ud800'"], ids=repr)
def test_a_text_that_an_engine_would_cut_is_refused(
    text: str, dialect: Dialect
) -> None:
    refused(text, dialect)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; SELECT 2",
        "SELECT 1;;",
        "INSERT INTO t VALUES (1); -- x\n COMMIT",
        "CREATE TABLE trigger (a); COMMIT",
    ],
)
def test_a_second_statement_is_refused(sql: str, dialect: Dialect) -> None:
    assert "more than one" in refused(sql, dialect).message


@pytest.mark.parametrize("sql", ["SELECT 1;", "SELECT 1 ; -- x\n /* ; */ "])
def test_a_semicolon_at_the_end_is_kept(sql: str, dialect: Dialect) -> None:
    assert translate(sql, dialect).text == sql


@pytest.mark.parametrize(
    "head",
    [
        "CREATE TRIGGER x AFTER INSERT ON t",
        "CREATE CONSTRAINT TRIGGER x",
        "create or replace function f()",
        "CREATE PROCEDURE p()",
    ],
)
def test_the_body_of_a_routine_may_hold_semicolons(head: str, dialect: Dialect) -> None:
    sql = f"{head} BEGIN DELETE FROM a; DELETE FROM b; END;"

    assert translate(sql, dialect).verb == "CREATE"


@pytest.mark.parametrize(
    ("sql", "verb", "changes", "writes"),
    [
        ("SELECT 1", "SELECT", False, None),
        ("(select 1) UNION SELECT 2", "SELECT", False, None),
        ("VALUES (1)", "VALUES", False, None),
        ("insert into t values (1)", "INSERT", True, True),
        ("UPDATE t SET a = 1", "UPDATE", True, True),
        ("DELETE FROM t", "DELETE", True, True),
        ("REPLACE INTO t VALUES (1)", "REPLACE", True, True),
        ("MERGE INTO t USING s ON a", "MERGE", True, True),
        ("CREATE TABLE t (a)", "CREATE", False, True),
        ("ALTER TABLE t ADD b", "ALTER", False, True),
        ("DROP TABLE t", "DROP", False, True),
        ("PRAGMA table_info(t)", "PRAGMA", False, None),
        ("EXPLAIN DELETE FROM t", "EXPLAIN", False, None),
        ("WITH a AS (SELECT 1) SELECT 2", "SELECT", False, None),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT 1", "INSERT", True, True),
        ("WITH RECURSIVE a(b) AS (VALUES (1)) DELETE FROM t", "DELETE", True, True),
        (
            "WITH merge AS (x), values(y) AS (x) UPDATE t SET a = 1",
            "UPDATE",
            True,
            True,
        ),
        ("WITH a AS (DELETE FROM t RETURNING 1) SELECT 1", "SELECT", False, None),
        ("WITH a AS (SELECT 1) (SELECT 2)", "WITH", False, None),
        ("'nothing'", "", False, None),
        (":a", "", False, None),
    ],
)
def test_the_verb_is_the_keyword_that_does_the_work(
    sql: str, verb: str, changes: bool, writes: bool | None, dialect: Dialect
) -> None:
    statement = translate(sql, dialect)

    assert (statement.verb, statement.changes_rows) == (verb, changes)
    assert statement.writes is writes


def test_a_driver_refuses_more_and_sees_the_tokens(qmark: Dialect) -> None:
    seen: list[Sequence[str]] = []

    def refuse(words: Sequence[str]) -> str | None:
        seen.append(words)
        return "the setting is the driver's" if words[0] == "PRAGMA" else None

    dialect = qmark.replace(refuse=refuse)
    error = refused('/* x */ Pragma main."cache_size" = :n;', dialect)
    translate("SELECT 1", dialect)

    assert error.message == "the setting is the driver's"
    assert seen[0] == ["PRAGMA", "MAIN", ".", "CACHE_SIZE", "=", ":n", ";"]
    assert seen[1] == ["SELECT", "1"]


def test_a_driver_is_not_asked_about_what_is_refused_anyway(qmark: Dialect) -> None:
    def refuse(words: Sequence[str]) -> str | None:
        raise AssertionError(words)

    refused("COMMIT", qmark.replace(refuse=refuse))
