"""The demo's work: small, but what an application does, in portable SQL."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import perf_counter
from typing import Any
from uuid import uuid4

import attrs

from mooring import core
from mooring.cli._witness import levels_of

# A tree of tasks: (its name, its parent's, how it runs). Children follow parents.
_SHAPE = (
    ("plan", None, "composite"),
    ("left", "plan", "parallel"),
    ("right", "plan", "parallel"),
    ("left.1", "left", "basic"),
    ("left.2", "left", "basic"),
    ("right.1", "right", "basic"),
    ("right.2", "right", "basic"),
)
TREE = len(_SHAPE)
LEVELS = {1: 1, 2: 2, 3: 4}  # tasks by depth
_PAUSE = 0.001

_INSERT_WORKFLOW = """
INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, input, output)
VALUES (:id, :name, 'RUNNING', :input, :output)
"""
_INSERT_TASK = """
INSERT INTO task_states (component, status, task_exec_id, task_id, workflow_exec_id,
    workflow_id, execution_type, usage, parent_state_id)
VALUES ('task', 'SUCCESS', :id, :task, :workflow, 'demo', :type, :usage, :parent)
"""
_INSERT_USER = "INSERT INTO users (id, email, role) VALUES (:id, :email, :role)"
_INSERT_KEY = """
INSERT INTO api_keys (id, user_id, hash, prefix) VALUES (:id, :user, :hash, :prefix)
"""
_TASKS_OF = """
SELECT task_exec_id, execution_type, usage, parent_state_id FROM task_states
WHERE task_exec_id = :root OR parent_state_id = :root
"""


@attrs.frozen(kw_only=True)
class Task:
    """A task as the application sees it; usage is JSON in the store."""

    task_exec_id: str
    execution_type: str
    usage: list[dict[str, Any]]
    parent_state_id: str | None


@attrs.frozen(kw_only=True)
class Ledger:
    """What a writer announced, in the transaction that did it."""

    workflow_exec_id: str
    output: dict[str, Any]


@attrs.frozen(kw_only=True)
class Figures:
    """What the concurrent part did."""

    seconds: float
    commits: int
    rows_written: int
    snapshots: int
    rows_read: int
    torn: int


def insert_workflow(store: core.SqlStore) -> str:
    """Insert one workflow with a tree of tasks; return the root task's key."""
    with store.transaction() as tx:
        workflow = _insert_ledger(tx, "tree")
        return insert_tree(tx, workflow)


def insert_tree(tx: core.Transaction, workflow: str) -> str:
    """Insert a tree of tasks into *workflow*; return the key of its root."""
    keys = {name: uuid4().hex for name, _, _ in _SHAPE}
    for name, parent, kind in _SHAPE:
        usage = [{"provider": "demo", "total_tokens": 7}]
        values = {
            "id": keys[name],
            "task": name,
            "workflow": workflow,
            "type": kind,
            "usage": core.Json(usage),
            "parent": keys[parent] if parent else None,
        }
        tx.execute(_INSERT_TASK, values)
    return keys["plan"]


def insert_user(store: core.SqlStore) -> tuple[str, str, core.Check]:
    """Insert a user and an API key, around a savepoint that fails.

    Returns:
        The key's prefix, the SHA-256 of its secret in hex, and whether the savepoint
        failed as it must.
    """
    secret = secrets.token_bytes(32)
    digest, prefix = hashlib.sha256(secret), f"mk_{secrets.token_hex(4)}"
    user = uuid4().hex
    failure: core.MooringError | None = None
    with store.transaction() as tx:
        tx.execute(_INSERT_USER, {"id": user, "email": "ada@a.b", "role": "admin"})
        try:
            with tx.savepoint():
                again = {"id": uuid4().hex, "email": "ADA@a.b", "role": "user"}
                tx.execute(_INSERT_USER, again)
        except core.UniqueViolation as error:
            failure = error
        key = {"id": uuid4().hex, "user": user, "prefix": prefix}
        tx.execute(_INSERT_KEY, {**key, "hash": digest.digest()})
    return prefix, digest.hexdigest(), _refusal("savepoint undone", failure)


def refused(store: core.SqlStore) -> list[core.Check]:
    """Try what must not work, and say whether it was refused."""
    orphan = {"id": uuid4().hex, "user": "nobody", "hash": b"", "prefix": "mk_orphan"}
    write = {"id": uuid4().hex, "email": "eve@a.b", "role": "user"}

    def in_snapshot() -> None:
        with store.read() as snapshot:
            snapshot.execute(_INSERT_USER, write)

    return [
        _attempt("orphan refused", lambda: store.execute(_INSERT_KEY, orphan)),
        _attempt("snapshot read-only", in_snapshot),
    ]


def work_together(
    store: core.SqlStore, *, writers: int, readers: int, seconds: float
) -> Figures:
    """Let writers and readers work at the same time for *seconds*."""
    with store.transaction() as tx:
        ledgers = [_insert_ledger(tx, f"writer {n}") for n in range(writers)]
    stop = Event()
    started = perf_counter()
    with ThreadPoolExecutor(writers + readers) as threads:
        try:
            writing = [threads.submit(_write, store, one, stop) for one in ledgers]
            reading = [
                threads.submit(_read, store, ledgers, stop) for _ in range(readers)
            ]
            stop.wait(seconds)
        finally:
            stop.set()
        written = [future.result() for future in writing]
        read = [future.result() for future in reading]
    return Figures(
        seconds=perf_counter() - started,
        commits=sum(written),
        rows_written=sum(written) * (TREE + 1),
        snapshots=sum(count for count, _, _ in read),
        rows_read=sum(rows for _, rows, _ in read),
        torn=sum(torn for _, _, torn in read),
    )


def _write(store: core.SqlStore, ledger: str, stop: Event) -> int:
    """Insert trees, each with the announcement of how many tasks there are now."""
    commits = 0
    while not commits or not stop.is_set():
        with store.transaction() as tx:
            root = insert_tree(tx, ledger)
            announced = {"tasks": (commits + 1) * TREE, "latest": root}
            tx.execute(
                "UPDATE workflow_states SET output = :output"
                " WHERE workflow_exec_id = :id",
                {"id": ledger, "output": core.Json(announced)},
            )
        commits += 1
    return commits


def _read(
    store: core.SqlStore, ledgers: Sequence[str], stop: Event
) -> tuple[int, int, int]:
    """Compare announcements with tasks; return snapshots, rows, and torn snapshots."""
    snapshots = rows = torn = 0
    while not snapshots or not stop.is_set():
        ledger = ledgers[snapshots % len(ledgers)]
        with store.read() as snapshot:
            query = """SELECT workflow_exec_id, output FROM workflow_states
                       WHERE workflow_exec_id = :id"""
            said = snapshot.execute(query, {"id": ledger}).one(Ledger).output
            query = "SELECT COUNT(*) AS n FROM task_states WHERE workflow_exec_id = :id"
            counted = snapshot.execute(query, {"id": ledger}).scalar()
            root = said["latest"]
            tasks = snapshot.execute(_TASKS_OF, {"root": root}).all(Task)
            levels = levels_of(snapshot, root)
        whole = levels == LEVELS and len(tasks) == 3 if root else not tasks
        torn += counted != said["tasks"] or not whole
        rows += 2 + len(tasks) + len(levels)
        snapshots += 1
        # Readers that never pause would only measure the interpreter's own lock.
        stop.wait(_PAUSE)
    return snapshots, rows, torn


def _insert_ledger(tx: core.Transaction, name: str) -> str:
    key = uuid4().hex
    nothing = core.Json({"tasks": 0, "latest": ""})
    values = {"id": key, "name": name, "input": core.Json({}), "output": nothing}
    tx.execute(_INSERT_WORKFLOW, values)
    return key


def _attempt(name: str, try_it: Callable[[], object]) -> core.Check:
    try:
        try_it()
    except core.MooringError as error:
        return _refusal(name, error)
    return _refusal(name, None)


def _refusal(name: str, error: core.MooringError | None) -> core.Check:
    if error is None:
        return core.Check(name=name, status="failed", detail="nothing was refused")
    told = error.message.partition("\n")[0]
    return core.Check(name=name, status="ok", detail=f"{type(error).__name__}: {told}")
