"""The same rows with the peers, each as its manual has it."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import attrs

from benchmarks.peers import CATTRS, ORM, PEEWEE, not_measured

JSON = ("usage", "input", "output", "error")


def loads() -> Callable[[str], Any]:
    """Return orjson's function where it can be imported, else the standard one."""
    try:
        import orjson
    except ImportError:
        import json

        return json.loads
    found: Callable[[str], Any] = orjson.loads
    return found


def cases(
    connection: sqlite3.Connection,
    path: str,
    select: str,
    cls: type[Any],
    stack: ExitStack,
) -> dict[str, Callable[[], Any]]:
    """Return what reads all rows, by peer; *stack* closes what they open."""
    absent = not_measured(CATTRS, ORM, PEEWEE)
    found = {}
    if CATTRS not in absent:
        found[CATTRS] = _cattrs(connection, select, cls)
    if ORM not in absent:
        found[ORM] = _orm(path, cls, stack)
    if PEEWEE not in absent:
        found[PEEWEE] = _peewee(path, cls, stack)
    return found


def _cattrs(
    connection: sqlite3.Connection, select: str, cls: type[Any]
) -> Callable[[], Any]:
    """Rows as dicts, structured; the hook parses what stands in a column as text."""
    import cattrs

    parse = loads()
    converter = cattrs.Converter(detailed_validation=False)
    for kind in (list[Any], dict[str, Any]):
        converter.register_structure_hook(kind | None, lambda value, _: value)
    fields = [field.name for field in attrs.fields(cls)]

    def read() -> list[Any]:
        rows = []
        for values in connection.execute(select):
            row = dict(zip(fields, values, strict=True))
            for name in JSON:
                if row[name] is not None:
                    row[name] = parse(row[name])
            rows.append(row)
        return converter.structure(rows, list[cls])  # type: ignore[valid-type]  # any class

    return read


def _orm(path: str, cls: type[Any], stack: ExitStack) -> Callable[[], Any]:
    """A mapped class with its JSON type, in a new session for each reading."""
    import sqlalchemy
    from sqlalchemy import orm

    engine = sqlalchemy.create_engine(f"sqlite:///{path}", json_deserializer=loads())
    stack.callback(engine.dispose)
    columns = {
        field.name: orm.mapped_column(
            sqlalchemy.JSON if field.name in JSON else sqlalchemy.Text,
            primary_key=field.name == "task_exec_id",
        )
        for field in attrs.fields(cls)
    }
    mapped = type(
        "Task",
        (orm.declarative_base(),),
        {"__tablename__": "task_states", **columns},
    )

    def read() -> Any:
        with orm.Session(engine) as session:
            return session.scalars(sqlalchemy.select(mapped)).all()

    return read


def _peewee(path: str, cls: type[Any], stack: ExitStack) -> Callable[[], Any]:
    """A model with a JSON field of its own, as its manual writes one."""
    import peewee

    parse = loads()
    database = peewee.SqliteDatabase(path)
    stack.callback(database.close)

    class Json(peewee.TextField):
        def python_value(self, value: str | None) -> Any:
            return None if value is None else parse(value)

    meta = type("Meta", (), {"database": database, "table_name": "task_states"})
    fields: dict[str, Any] = {
        field.name: (Json if field.name in JSON else peewee.TextField)(
            null=True, primary_key=field.name == "task_exec_id"
        )
        for field in attrs.fields(cls)
    }
    model: Any = type("Task", (peewee.Model,), {"Meta": meta, **fields})
    return lambda: list(model.select())
