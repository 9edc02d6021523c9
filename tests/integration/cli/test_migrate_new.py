"""``mooring migrate new``: files that are ready to be filled."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mooring import core, migrate

Run = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[core.SqlStore]:
    with core.open(f"sqlite:{tmp_path / 'app.db'}", migrate="skip") as store:
        yield store


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [("Add Some Col/x", "add_some_col_x"), ("addÜser", "add_user"), ("../a", "a")],
)
def test_each_folder_gets_a_migration_of_one_version(
    run: Run, tmp_path: Path, name: str, cleaned: str
) -> None:
    folders = [tmp_path / "sqlite", tmp_path / "postgres"]
    for folder in folders:
        folder.mkdir()
    options = [word for folder in folders for word in ("--dir", str(folder))]
    paths = run("migrate", "new", name, *options, "--json").document["files"]

    assert [Path(path).parent for path in paths] == folders
    assert len({Path(path).name for path in paths}) == 1
    assert Path(paths[0]).name.partition("_")[2] == f"{cleaned}.sql"
    assert [migrate.validate(migrate.Source(str(one))) for one in folders] == [(), ()]


@pytest.mark.parametrize(("name", "folder"), [("a", "missing"), ("/ -", ".")])
def test_nothing_is_written_for_what_cannot_be_a_migration(
    run: Run, tmp_path: Path, name: str, folder: str
) -> None:
    done = run("migrate", "new", "--dir", str(tmp_path / folder), "--", name)

    assert done.code == 2
    assert list(tmp_path.rglob("*.sql")) == []


def test_a_file_in_python_is_one_that_can_be_run(
    run: Run, tmp_path: Path, store: core.SqlStore
) -> None:
    done = run("migrate", "new", "Fill in", "--python", "--dir", ".", "--json")
    (path,) = done.document["files"]
    source = migrate.Source(str(tmp_path))

    assert Path(path).name.partition("_")[2] == "fill_in.py"
    assert migrate.validate(source) == ()
    assert [step.name for step in migrate.Migrator(store, source).up()] == [
        Path(path).name
    ]
    assert len(migrate.Migrator(store, source).down()) == 1


def test_nothing_is_overwritten_and_no_file_of_the_run_stays(
    run: Run, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    # Whichever second it is when the command gets there.
    now = datetime.now(UTC)
    for seconds in range(60):
        name = f"{now + timedelta(seconds=seconds):%Y%m%d%H%M%S}_a.sql"
        (second / name).write_text("mine")
    done = run("migrate", "new", "a", "--dir", str(first), "--dir", str(second))

    assert done.code == 2
    assert "cannot be written: File exists; no file was left" in done.err
    assert str(second) in done.err
    assert list(first.iterdir()) == []
    assert {path.read_text() for path in second.iterdir()} == {"mine"}


# As on a full disk: no byte may be written to a file.
FULL = """
import resource, sys
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
from mooring.cli import main
main()
"""


def test_a_file_that_could_not_be_written_is_removed(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    options = ("--dir", "first", "--dir", "second")
    done = subprocess.run(
        [sys.executable, "-B", "-c", FULL, "migrate", "new", "a", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "_a.sql cannot be written: File too large; no file was left" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.rglob("*.sql")) == []


def test_a_file_stands_where_a_folder_should(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("migrate", "new", "a", "--dir", "file")
    assert done.code == 2
    assert "no folder 'file'" in done.err
