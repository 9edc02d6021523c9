"""SQLite: ten thousand rows, read into objects whose JSON is parsed.

Two processes measure it, one in which orjson can be imported and one in which only the
standard library's `json` can.
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import attrs

from benchmarks import tasks
from benchmarks.measure import Against, Group, measure
from benchmarks.peers import CATTRS, ORM, PEEWEE, not_measured
from benchmarks.work import environment
from benchmarks.worker import Worker

ROWS = 10_000
SELECT = "SELECT * FROM task_states"

FETCHALL = "by hand: fetchall()"
BY_HAND = "by hand: a class and loads()"
PARSED = "a part: loads() of each text"
MADE = "a part: the class of each row's values"
ALL = "store.execute(SELECT).all(Task)"
ALL_FROZEN = "the same, a frozen class"
ROWS_ONLY = "store.execute(SELECT).all()"
_PEERS = (CATTRS, ORM, PEEWEE)
_MORE = (ALL_FROZEN, ROWS_ONLY, BY_HAND, PARSED, MADE, *_PEERS)
# Those that do not read rows into the class.
OTHERS = (FETCHALL, ROWS_ONLY, PARSED, MADE)
# How JSON is parsed, and the project's goal for `ALL` with it.
_BARS = {"orjson": 2.1, "json": 4.1}


@attrs.define(kw_only=True)
class Task:
    """A row of ``task_states``; four columns are JSON, of which three hold some."""

    component: str
    status: str
    task_exec_id: str
    task_id: str
    workflow_exec_id: str
    workflow_id: str
    execution_type: str
    usage: list[Any] | None
    agent_id: str | None
    tool_id: str | None
    action_id: str | None
    parent_state_id: str | None
    input: dict[str, Any] | None
    output: dict[str, Any] | None
    error: dict[str, Any] | None
    created_at: str
    updated_at: str


@attrs.frozen(kw_only=True)
class FrozenTask(Task):
    """The same, and it never changes."""


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield what reading them takes, with orjson and with `json`.

    Raises:
        SystemExit: Two of the cases do not return the same.
    """
    from mooring import core

    path = os.path.join(folder, "rows.db")
    with core.open({"driver": "sqlite", "path": path}) as store:
        tasks.fill(store, parents=1, tasks=ROWS - 1)
        tasks_parent = {"key": tasks.parent(0)}
        store.execute("UPDATE task_states SET parent_state_id = :key", tasks_parent)
    env = environment(folder)
    for loads, bar in _BARS.items():
        if find_spec(loads) is None:
            raise SystemExit(f"{loads} is not installed: make bench does that")
        absent = not_measured(*_PEERS)
        with Worker("rows", loads, path, env=env) as worker:
            cases = {
                name: partial(_case, worker, name)
                for name in (FETCHALL, ALL, *_MORE)
                if name not in absent
            }
            yield measure(
                f"sqlite-rows-{loads}",
                f"sqlite: {ROWS} rows to objects, JSON by {loads}",
                cases,
                [
                    Against(ALL, FETCHALL, bar),
                    *(Against(name, FETCHALL) for name in _MORE),
                ],
                rounds,
                not_measured=absent,
            )


def _case(worker: Worker, name: str, _: int) -> float:
    return float(worker.ask(case=name))


# -- in the process that measures ----------------------------------------------


def serve(loads: str, path: str) -> Callable[..., object]:
    """Return what measures one reading of all rows; see `worker`."""
    if loads != "orjson":
        # As if it were not installed: nothing imported it yet.
        sys.modules["orjson"] = None  # type: ignore[assignment]  # importlib's own sign
    stack = ExitStack()
    cases = _cases(path, stack)
    expected = _plain(cases[BY_HAND]()[-1])
    for name, read in cases.items():
        found = read()
        if name != PARSED and len(found) != ROWS:
            raise SystemExit(f"{name} reads {len(found)} rows")
        if name not in OTHERS and _plain(found[-1]) != expected:
            raise SystemExit(f"{name} does not read the same: {found[-1]}")

    def answer(case: str) -> float:
        gc.collect()
        started = perf_counter()
        cases[case]()
        return perf_counter() - started

    return answer


def _plain(row: Any) -> list[Any]:
    """Return the values of a task, whoever read it."""
    return [getattr(row, field.name) for field in attrs.fields(Task)]


def _cases(path: str, stack: ExitStack) -> dict[str, Callable[[], Any]]:
    from mooring import core

    from benchmarks import rows_peers
    from benchmarks.sqlite_by_hand import connect

    connection = connect(path)
    stack.callback(connection.close)
    store = stack.enter_context(core.open({"driver": "sqlite", "path": path}))

    def by_hand() -> list[Task]:
        loads = rows_peers.loads()
        fields = [field.name for field in attrs.fields(Task)]
        found = []
        for values in connection.execute(SELECT):
            row = dict(zip(fields, values, strict=True))
            for name in rows_peers.JSON:
                if row[name] is not None:
                    row[name] = loads(row[name])
            found.append(Task(**row))
        return found

    loads = rows_peers.loads()
    made = [_plain(row) for row in by_hand()]
    names = [field.name for field in attrs.fields(Task)]
    columns = [dict(zip(names, values, strict=True)) for values in made]
    texts = [
        values[names.index(name)]
        for values in connection.execute(SELECT)
        for name in rows_peers.JSON
        if values[names.index(name)] is not None
    ]
    return {
        FETCHALL: lambda: connection.execute(SELECT).fetchall(),
        PARSED: lambda: [loads(text) for text in texts],
        MADE: lambda: [Task(**row) for row in columns],
        ALL: lambda: store.execute(SELECT).all(Task),
        ALL_FROZEN: lambda: store.execute(SELECT).all(FrozenTask),
        ROWS_ONLY: lambda: store.execute(SELECT).all(),
        BY_HAND: by_hand,
        **rows_peers.cases(connection, path, SELECT, Task, stack),
    }
