"""Programs that use a store while its disk or their process fails."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import attrs
import pytest
from mooring_sqlite import SqliteConfig

FAULTS = Path(__file__).parents[2] / "faults"
# Whether transactions share one COMMIT, in each way that this driver has.
GROUPINGS: list[dict[str, object]] = (
    [{"group_commit": way} for way in ("off", "closures", "all")]
    if "group_commit" in attrs.fields_dict(SqliteConfig)
    else [{}]
)

StartProgram = Callable[..., "Popen[str]"]


@pytest.fixture(params=GROUPINGS, ids=lambda way: way.get("group_commit", "ungrouped"))
def grouping(request: pytest.FixtureRequest) -> dict[str, object]:
    """Options of a store: each way to share a COMMIT."""
    found: dict[str, object] = request.param
    return found


@pytest.fixture(scope="session")
def groupings() -> list[dict[str, object]]:
    """All of the above, for a test that mixes them."""
    return GROUPINGS


@pytest.fixture
def start_program(start: StartProgram) -> StartProgram:
    """Start a program of `sqlite_faults`, ``start_program(name, task)``."""

    def run(name: str, task: object = None) -> "Popen[str]":
        code = (
            f"import sys; sys.path.insert(0, {str(FAULTS)!r})\n"
            f"from sqlite_faults.{name} import main; main()"
        )
        return start(code, json.dumps(task))

    return run


@pytest.fixture
def start_reader(start: StartProgram, tmp_path: Path) -> StartProgram:
    """Start a process that has a snapshot of ``app.db`` open until it gets a line."""

    def run() -> "Popen[str]":
        reader = start(
            """
            import sqlite3, sys
            connection = sqlite3.connect(sys.argv[1], isolation_level=None)
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM users").fetchone()
            print("reading", flush=True)
            sys.stdin.readline()
            """,
            tmp_path / "app.db",
        )
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        return reader

    return run
