"""A piece that goose's rule cut in two is refused with the reason, and the cure."""

from collections.abc import Callable
from typing import Any

import pytest
from mooring import core, migrate

MigrationFile = Callable[..., migrate.Source]

CUTS = {
    "a string": ("INSERT INTO a VALUES ('x;", "y');"),
    "a comment": ("INSERT INTO a VALUES ('x') /* or;", "not */;"),
    "a quoted name": ('CREATE TABLE "x;', '" (y int);'),
    "a dollar-quoted body": ("DO $$ BEGIN", "PERFORM 1;", "END $$;"),
    "the body of a trigger": (
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN",
        "UPDATE a SET x = CASE WHEN 1 THEN 'y' END;",
        "END;",
    ),
    "the body of a function": (
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC",
        "SELECT 1;",
        "END;",
    ),
}
# Where only one engine has such a thing; the other refuses it, whole or cut.
ONLY = {
    "a dollar-quoted body": "postgres",
    "the body of a trigger": "sqlite",
    "the body of a function": "postgres",
}
ALONE = "-- +goose NO TRANSACTION"


def refused(store: core.SqlStore, source: migrate.Source) -> core.MigrationFailedError:
    with pytest.raises(core.MigrationFailedError) as caught:
        migrate.Migrator(store, source).up()
    return caught.value


@pytest.mark.parametrize("head", ["", ALONE], ids=["together", "alone"])
@pytest.mark.parametrize("what", CUTS)
def test_the_reason_and_the_cure_are_told(
    store: core.SqlStore, migration_file: MigrationFile, what: str, head: str
) -> None:
    lines = ("CREATE TABLE a (x text);", *CUTS[what])
    error = refused(store, migration_file("1_a.sql", *lines, head=head))

    first = 3 + bool(head)
    last = first + len(CUTS[what]) - 2
    reason = (
        f"\n{what} that begins in line {first} is cut in two by the ';' at the end of"
        f" line {last}\n"
    )
    dollar_in_sqlite = "dollar" in what and store.config.driver == "sqlite"
    assert (reason in error.message) != dollar_in_sqlite
    assert ("StatementBegin" in str(error.hint)) != dollar_in_sqlite
    assert ("--resume" in str(error.hint)) == bool(head)
    assert error.message.endswith(error.state)

    # The cure.
    begin, end = "-- +goose StatementBegin", "-- +goose StatementEnd"
    source = migration_file("1_a.sql", lines[0], begin, *CUTS[what], end, head=head)
    migrator = migrate.Migrator(store, source)
    assert migrator.validate() == ()
    if ONLY.get(what) in (None, store.config.driver):
        assert len(migrator.up(resume="again" if head else None)) == 1
    else:
        with pytest.raises(core.MigrationFailedError) as caught:
            migrator.up(resume="again" if head else None)
        assert "cut in two" not in caught.value.message


def test_a_block_is_not_cut(
    store: core.SqlStore, migration_file: MigrationFile
) -> None:
    source = migration_file(
        "1_a.sql",
        *("-- +goose StatementBegin", "SELECT 'x;", "-- +goose StatementEnd"),
        "SELECT 'y';",
    )
    error = refused(store, source)
    assert "a string that begins in line 3 does not end" in error.message
    assert error.hint == "end it"


@pytest.mark.parametrize("sql", ["SELECT 'it''s' FROM nowhere;", "SELEC /* ' */ 1;"])
def test_nothing_is_said_of_a_whole_piece(
    store: core.SqlStore, migration_file: MigrationFile, sql: str
) -> None:
    error = refused(store, migration_file("1_a.sql", sql, "SELECT 'y';"))
    assert "begins in line" not in error.message
    assert "StatementBegin" not in str(error.hint)


def test_comments_nest_where_the_engine_says_so(
    store: Any, migration_file: MigrationFile
) -> None:
    lines = ("SELECT /* a /* b */ 1;", "it's */ 2;")
    migrator = migrate.Migrator(store, migration_file("1_a.sql", *lines))
    # Where they do not, the comment is whole, and the second line a mistake of its own.
    nested = store.config.driver == "postgres"
    (one, *_) = migrator.validate()
    assert one.line == (2 if nested else 3)

    error = refused(store, migrator.source)
    assert ("a comment that begins in line 2 is cut in two" in error.message) == nested
