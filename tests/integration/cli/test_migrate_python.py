"""What the verbs say of files in Python, which a driver may bring as well."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

VERSION = 20990101000000
NAME = f"{VERSION}_fill_in.py"
TEXT = """\
transaction = False

def up(tx):
    tx.execute("CREATE TABLE filled (x int)")
    tx.execute("SELECT * FROM later")

def down(tx):
    tx.execute("DROP TABLE filled")
"""


@pytest.fixture
def with_python(tmp_path: Path) -> dict[str, str]:
    """The environment of a command whose driver brings one more file, in Python."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "from mooring import core\n"
        f"name, text = {NAME!r}, {TEXT!r}\n"
        "class File:\n"
        "    name = name\n"
        "    def read_bytes(self):\n"
        "        return text.encode()\n"
        "from mooring.core import _folder\n"
        "listed = _folder.DiskFolder.iterdir\n"
        "_folder.DiskFolder.iterdir = lambda self: iter([*listed(self), File()])\n"
    )
    return {"PYTHONPATH": str(tmp_path / "site")}


def test_a_plan_says_that_they_are_python(
    run: Run, with_python: dict[str, str]
) -> None:
    run("migrate", "up", "sqlite:app.db", "--to", "20250711163858", env=with_python)
    plan = run("migrate", "plan", "sqlite:app.db", env=with_python)
    sql = run("migrate", "plan", "sqlite:app.db", "--sql", env=with_python)

    assert plan.out.splitlines()[0].split() == [
        *(str(VERSION), "fill_in", "Python", "NO", "TRANSACTION")
    ]
    assert sql.out.splitlines()[:2] == [
        f"-- {NAME}: up, NO TRANSACTION",
        f"-- runs up() of {NAME}, which is Python: read the file",
    ]


def test_one_that_did_not_end_is_decided_by_hand(
    run: Run, tmp_path: Path, with_python: dict[str, str]
) -> None:
    failed = run("migrate", "up", "sqlite:app.db", env=with_python)
    status = run("migrate", "status", "sqlite:app.db", env=with_python)
    again = run("migrate", "up", "sqlite:app.db", env=with_python)

    assert failed.code != 0
    assert f"{NAME}:5: " in failed.err
    assert f"{VERSION} did not end: what it did stays; run:" in status.out
    assert f"{NAME} did not end, going up: what up() did" in again.err
    with closing(sqlite3.connect(tmp_path / "app.db")) as database, database:
        database.execute("DROP TABLE filled")
        database.execute("CREATE TABLE later (x int)")
    done = run("migrate", "up", "sqlite:app.db", "--resume", env=with_python)
    assert done.out.endswith("app.db: 1 migration applied\n")


def test_what_one_takes_away_is_not_known(
    run: Run, with_python: dict[str, str]
) -> None:
    run("migrate", "up", "sqlite:app.db", env=with_python)
    run("migrate", "up", "sqlite:app.db", "--resume-after", env=with_python)
    down = run("migrate", "down", "sqlite:app.db", "--dry-run", env=with_python)

    assert f"  not known:  what {NAME} takes away: it is Python" in down.out
