"""The demo's second process: opens the same store and says what it finds.

As a program it reads the arguments of `ask` from stdin, and writes what `survey`
returns to stdout.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from mooring import core
from mooring.cli._target import resolve

TABLES = ("workflow_states", "task_states", "users", "api_keys")

_LEVELS = """
WITH RECURSIVE tree (task_exec_id, depth) AS (
    SELECT task_exec_id, 1 FROM task_states WHERE task_exec_id = :root
    UNION ALL
    SELECT t.task_exec_id, tree.depth + 1
    FROM task_states AS t JOIN tree ON t.parent_state_id = tree.task_exec_id
)
SELECT depth, COUNT(*) AS tasks FROM tree GROUP BY depth ORDER BY depth
"""


class WitnessError(Exception):
    """The second process failed; the text is the last thing that it said."""


def ask(
    target: str, options: Sequence[str], *, root: str, prefix: str
) -> dict[str, Any]:
    """Return what another process finds in the store; see `survey`.

    Args:
        target: The URL of the store.
        options: Further options as KEY=VALUE.
        root: Key of the task whose tree is counted by depth.
        prefix: Prefix of the API key whose hash is read.

    Raises:
        WitnessError: It failed.
    """
    # Not as arguments, which other users can see: there may be a password in it.
    asked = {"target": target, "options": options, "root": root, "prefix": prefix}
    child = subprocess.run(
        [sys.executable, "-m", "mooring.cli._witness"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode:
        raise WitnessError((child.stderr.strip().splitlines() or ["nothing"])[-1])
    found: dict[str, Any] = json.loads(child.stdout)
    found["levels"] = {int(depth): count for depth, count in found["levels"].items()}
    return found


def survey(store: core.SqlStore, root: str, prefix: str) -> dict[str, Any]:
    """Return what is in the store, from one snapshot.

    Args:
        store: The store.
        root: Key of the task whose tree is counted by depth.
        prefix: Prefix of the API key whose hash is read.
    """
    with store.read() as snapshot:
        counts = {
            name: snapshot.execute(f"SELECT COUNT(*) AS n FROM {name}").scalar()
            for name in TABLES
        }
        levels = levels_of(snapshot, root)
        query = "SELECT hash FROM api_keys WHERE prefix = :prefix"
        hashed = snapshot.execute(query, {"prefix": prefix}).scalar()
    return {"counts": counts, "levels": levels, "hash": bytes(hashed).hex()}


def levels_of(connection: core.Connection, root: str) -> dict[int, int]:
    """Return the number of tasks by depth in the tree below *root*."""
    rows = connection.execute(_LEVELS, {"root": root}).all()
    return {row["depth"]: row["tasks"] for row in rows}


def main() -> None:
    """Look once, for the process that asks."""
    asked = json.load(sys.stdin)
    config = resolve(asked["target"], asked["options"], create=False).config
    with core.open(config, migrate="verify") as store:
        json.dump(survey(store, asked["root"], asked["prefix"]), sys.stdout)


if __name__ == "__main__":
    main()
