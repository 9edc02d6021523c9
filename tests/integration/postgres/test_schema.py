"""Both drivers end up with the same schema, each in the types of its engine."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mooring import migrate
from mooring_postgres import PostgresStore
from mooring_sqlite import SqliteStore

OpenPostgres = Callable[..., PostgresStore]
OpenSqlite = Callable[..., SqliteStore]
Plain = Any  # a psycopg.Connection, whose types take literal strings only
Columns = tuple[str, ...]

TABLES = ["api_keys", "task_states", "users", "workflow_states"]
JSON = {"usage", "input", "output", "error"}
TIMES = {"created_at", "updated_at", "last_used"}

# Named, so that an error says which one; SQLite has no names for them.
CONSTRAINTS = {
    "api_keys": {"api_keys_pkey", "fk_user", "uq_api_keys_prefix"},
    "task_states": {
        "chk_execution_type_consistency",
        "chk_task_states_usage_json",
        "fk_parent_task",
        "fk_workflow",
        "task_states_pkey",
    },
    "users": {"chk_users_role", "uq_users_email", "users_pkey"},
    "workflow_states": {"chk_workflow_states_usage_json", "workflow_states_pkey"},
}


class Key(NamedTuple):
    """A foreign key."""

    columns: Columns
    table: str
    referred: Columns
    on_update: str
    on_delete: str


class Table(NamedTuple):
    """What an engine says of a table, without its own types and names.

    Indexes that belong to a key have the engine's names, and stand with the key.
    """

    columns: list[tuple[str, bool]]  # the name, and if it takes NULL
    primary_key: Columns
    unique: set[Columns]
    foreign_keys: set[Key]
    indexes: dict[str, tuple[bool, Columns]]  # if it is unique, and its columns


def in_sqlite(path: Path, table: str) -> Table:
    with closing(sqlite3.connect(path)) as connection:

        def rows(pragma: str, name: str) -> list[Any]:
            return connection.execute(f"PRAGMA {pragma}({name})").fetchall()

        def columns_of(index: str) -> Columns:
            # An expression has no name; its text is in the SQL.
            (sql,) = connection.execute(
                "SELECT coalesce(max(sql), '') FROM sqlite_master WHERE name = ?",
                (index,),
            ).fetchone()
            expression = sql.partition("(")[2].removesuffix(")")
            return tuple(name or expression for _, _, name in rows("index_info", index))

        info = rows("table_info", table)
        keys: dict[int, list[Any]] = {}
        for row in rows("foreign_key_list", table):
            keys.setdefault(row[0], []).append(row)
        indexes = [(row[1], bool(row[2]), row[3]) for row in rows("index_list", table)]
        return Table(
            columns=[(name, not not_null) for _, name, _, not_null, _, _ in info],
            primary_key=tuple(row[1] for row in info if row[5]),
            unique={columns_of(name) for name, _, kind in indexes if kind == "u"},
            foreign_keys={
                Key(
                    tuple(row[3] for row in key),
                    key[0][2],
                    tuple(row[4] for row in key),
                    key[0][5],
                    key[0][6],
                )
                for key in keys.values()
            },
            indexes={
                name: (unique, columns_of(name))
                for name, unique, kind in indexes
                if kind == "c"
            },
        )


def in_postgres(plain: Plain, table: str) -> Table:
    actions = {"a": "NO ACTION", "c": "CASCADE"}
    columns = plain.execute(
        "SELECT column_name, is_nullable = 'YES' FROM information_schema.columns"
        " WHERE table_schema = current_schema AND table_name = %s"
        " ORDER BY ordinal_position",
        (table,),
    ).fetchall()
    constraints = plain.execute(
        "SELECT contype::text, ARRAY(SELECT attname::text FROM unnest(conkey)"
        " WITH ORDINALITY AS k(number, place) JOIN pg_attribute ON attrelid = conrelid"
        " AND attnum = number ORDER BY place),"
        " confrelid::regclass::text, ARRAY(SELECT attname::text FROM unnest(confkey)"
        " WITH ORDINALITY AS k(number, place) JOIN pg_attribute ON attrelid = confrelid"
        " AND attnum = number ORDER BY place), confupdtype::text, confdeltype::text"
        " FROM pg_constraint WHERE conrelid = %s::regclass",
        (table,),
    ).fetchall()
    indexes = plain.execute(
        "SELECT indexrelid::regclass::text, indisunique, ARRAY("
        " SELECT pg_get_indexdef(indexrelid, place, true)"
        " FROM generate_series(1, indnkeyatts) AS place)"
        " FROM pg_index WHERE indrelid = %s::regclass AND NOT EXISTS ("
        " SELECT 1 FROM pg_constraint WHERE conindid = indexrelid"
        " AND conrelid = indrelid)",
        (table,),
    ).fetchall()
    return Table(
        columns=columns,
        primary_key=next(tuple(row[1]) for row in constraints if row[0] == "p"),
        unique={tuple(row[1]) for row in constraints if row[0] == "u"},
        foreign_keys={
            Key(tuple(own), other, tuple(theirs), actions[update], actions[delete])
            for kind, own, other, theirs, update, delete in constraints
            if kind == "f"
        },
        indexes={name: (unique, tuple(parts)) for name, unique, parts in indexes},
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_the_same_on_both(
    open_postgres: OpenPostgres,
    open_sqlite: OpenSqlite,
    plain: Plain,
    tmp_path: Path,
    table: str,
) -> None:
    open_sqlite().close()
    open_postgres()
    found = in_postgres(plain, table)

    assert found == in_sqlite(tmp_path / "app.db", table)
    assert len(found.columns) > 3
    assert found.primary_key
    assert len(found.indexes) >= 2


@pytest.mark.parametrize("table", TABLES)
def test_types_and_defaults_are_the_engine_s_own(
    open_postgres: OpenPostgres, plain: Plain, table: str
) -> None:
    open_postgres()
    rows = plain.execute(
        "SELECT column_name, data_type, column_default, collation_name"
        " FROM information_schema.columns"
        " WHERE table_schema = current_schema AND table_name = %s",
        (table,),
    )
    for name, kind, default, collation in rows:
        if name in JSON:
            expected: tuple[object, ...] = ("jsonb", None, None)
        elif name in TIMES:
            now = None if name == "last_used" else "now()"
            expected = ("timestamp with time zone", now, None)
        elif name == "hash":
            expected = ("bytea", None, None)
        else:
            basic = "'basic'::text" if name == "execution_type" else None
            expected = ("text", basic, "C")

        assert (name, kind, default, collation) == (name, *expected)


def test_constraints_have_names(open_postgres: OpenPostgres, plain: Plain) -> None:
    open_postgres()
    found: dict[str, set[str]] = {}
    for table, name in plain.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE connamespace = current_schema::regnamespace AND contype <> 'n'"
    ):
        found.setdefault(table, set()).add(name)

    assert {table: found[table] for table in TABLES} == CONSTRAINTS


def test_the_files_have_the_same_names_on_both(
    open_postgres: OpenPostgres, open_sqlite: OpenSqlite
) -> None:
    files = [
        [file.name for file in migrate.Migrator(store).source.files().values()]
        for store in (open_postgres(migrate="skip"), open_sqlite(migrate="skip"))
    ]

    assert files[0] == files[1]
    assert len(files[0]) == 4
    assert all(re.fullmatch(r"\d{14}_create_\w+\.sql", name) for name in files[0])


def test_the_index_on_folded_emails_is_used(
    open_postgres: OpenPostgres, plain: Plain
) -> None:
    open_postgres()
    plain.execute("SET enable_seqscan = off")
    plan = plain.execute("EXPLAIN SELECT 1 FROM users WHERE lower(email) = 'a@b.c'")

    assert "idx_users_email_ci" in str(plan.fetchall())
