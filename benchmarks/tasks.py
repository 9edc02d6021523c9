"""The tasks of the SQLite suites: `task_states` of the schema that mooring brings.

The small transaction inserts a task, with its six indexes, two foreign keys and its
checks, and updates its parent.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.workload import KEYS

if TYPE_CHECKING:
    from mooring.core import SqlStore, Transaction

READ = "SELECT * FROM task_states WHERE task_exec_id = :key"
READ_BY_POSITION = READ.replace(":key", "?")

INSERT = (
    "INSERT INTO task_states (component, status, task_exec_id, task_id,"
    " workflow_exec_id, workflow_id, agent_id, action_id, parent_state_id, input)"
    " VALUES ('agent', 'running', :key, 'summarize', 'w1', 'greeting', 'writer',"
    " 'summarize', :parent, :input)"
)
INSERT_BY_POSITION = (
    INSERT.replace(":key", "?").replace(":parent", "?").replace(":input", "?")
)
UPDATE = "UPDATE task_states SET output = :output WHERE task_exec_id = :parent"
UPDATE_BY_POSITION = UPDATE.replace(":output", "?").replace(":parent", "?")
INPUT = '{"text": "It was a bright cold day in April.", "words": 9}'

# Inserts the task of that key and updates that parent, in one transaction that is
# durable when it returns.
Write = Callable[[str, str], object]

_USAGE = '[{"model": "small", "prompt_tokens": 311, "completion_tokens": 42}]'
_OUTPUT = '{"summary": "A day in April.", "score": 0.75, "tags": ["weather", "book"]}'
_DOCUMENTS = "UPDATE task_states SET usage = :usage, output = :output"


def parent(number: int) -> str:
    """Return the key of the parent of one thread's tasks."""
    return f"parent {number:02}"


def fill(store: "SqlStore", *, parents: int = 16, tasks: int = 0) -> None:
    """Insert the workflow, so many parents, and the tasks that are read."""
    with store.transaction() as tx:
        tx.execute(
            "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status)"
            " VALUES ('w1', 'greeting', 'running')"
        )
        for number in range(parents):
            insert(tx, parent(number), None)
        for number in range(tasks):
            key = KEYS[number] if number < len(KEYS) else f"row {number}"
            insert(tx, key, parent(0))
        if tasks:
            tx.execute(_DOCUMENTS, {"usage": _USAGE, "output": _OUTPUT})


def insert(tx: "Transaction", key: str, above: str | None) -> None:
    """Insert one task."""
    tx.execute(INSERT, {"key": key, "parent": above, "input": INPUT})


def write(tx: "Transaction", key: str, above: str) -> None:
    """Insert one task and update its parent."""
    tx.execute(INSERT, {"key": key, "parent": above, "input": INPUT})
    tx.execute(UPDATE, {"output": INPUT, "parent": above})


def write_by_hand(connection: sqlite3.Connection, key: str, above: str) -> None:
    """Do the same on a plain connection, as a transaction of its own."""
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    try:
        execute(INSERT_BY_POSITION, (key, above, INPUT))
        execute(UPDATE_BY_POSITION, (INPUT, above))
        execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def left_in(path: str) -> tuple[int, int]:
    """Return how many tasks, and how many parents with an output, a file has."""
    with closing(sqlite3.connect(path)) as connection:
        return counts(connection)


def counts(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the same of an open database."""
    (tasks,) = connection.execute(
        "SELECT count(*) FROM task_states WHERE parent_state_id IS NOT NULL"
    ).fetchone()
    (updated,) = connection.execute(
        "SELECT count(*) FROM task_states WHERE parent_state_id IS NULL"
        " AND output IS NOT NULL"
    ).fetchone()
    return tasks, updated
