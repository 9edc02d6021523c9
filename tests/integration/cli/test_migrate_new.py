"""``mooring migrate new``: files that are ready to be filled."""

from collections.abc import Callable, Iterator
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
