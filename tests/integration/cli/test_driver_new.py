"""``mooring driver new``: all of a driver or nothing, ready to be checked."""

import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "drivers" / "sqlite" / "mooring_sqlite" / "migrations"


def files(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )


def test_a_new_driver_is_a_whole_project(run: Run, tmp_path: Path) -> None:
    done = run("driver", "new", "acme_db", "--json")
    folder = tmp_path / "mooring-acme-db"

    assert done.code == 0
    assert done.document["driver"] == "acme_db"
    assert done.document["path"] == str(folder)
    assert done.document["files"] == files(folder)
    assert {
        "README.md",
        "pyproject.toml",
        ".github/workflows/test.yml",
        "mooring_acme_db/__init__.py",
        "tests/test_contract.py",
    } <= set(files(folder))


def test_its_name_stands_everywhere_in_place_of_the_templates_words(
    run: Run, tmp_path: Path
) -> None:
    run("driver", "new", "acme_db")
    folder = tmp_path / "mooring-acme-db"
    texts = {name: (folder / name).read_text() for name in files(folder)}
    project = texts["pyproject.toml"]

    assert not [name for name, text in texts.items() if "@" in name]
    for word in ("@NAME@", "@CLASS@", "@DASHED@", "@RANGE@"):
        assert not [name for name, text in texts.items() if word in text]
    assert 'name = "mooring-acme-db"' in project
    assert 'acme_db = "mooring_acme_db"' in project
    assert "mooring>=0.1,<0.2" in project
    assert "class AcmeDbConfig(" in texts["mooring_acme_db/_config.py"]


def test_it_says_what_to_do_next(run: Run, tmp_path: Path) -> None:
    (tmp_path / "my drivers").mkdir()
    done = run("driver", "new", "acme", "--path", "my drivers")

    assert (done.code, done.err) == (0, "")
    assert "cd 'my drivers/mooring-acme'" in done.out
    assert "python -m pytest" in done.out
    assert (tmp_path / "my drivers" / "mooring-acme" / "README.md").is_file()


def test_its_migrations_are_those_that_the_drivers_ship(
    run: Run, tmp_path: Path
) -> None:
    run("driver", "new", "acme")
    folder = tmp_path / "mooring-acme" / "mooring_acme" / "migrations"

    assert {f.name: f.read_bytes() for f in folder.iterdir()} == {
        f.name: f.read_bytes() for f in SHIPPED.iterdir()
    }


def test_its_folder_is_as_readable_as_any_other(run: Run, tmp_path: Path) -> None:
    run("driver", "new", "acme")
    (tmp_path / "other").mkdir()
    modes = [
        stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in ("mooring-acme", "other")
    ]

    assert modes[0] == modes[1]


@pytest.mark.parametrize("name", ["x", "acme_db", "a_rather_long_name"])
def test_its_code_is_formatted_and_has_nothing_to_lint(
    run: Run, tmp_path: Path, name: str
) -> None:
    run("driver", "new", name)
    folder = tmp_path / f"mooring-{name.replace('_', '-')}"
    settings = ("--config", str(ROOT / "pyproject.toml"), "--no-cache")
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *settings],
            cwd=folder,
            capture_output=True,
            text=True,
        )

        assert done.returncode == 0, done.stdout + done.stderr


def test_its_types_are_right(run: Run, tmp_path: Path) -> None:
    run("driver", "new", "acme")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", tmp_path / "cache"],
        cwd=tmp_path / "mooring-acme",
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Acme", "lower-case letters"),
        ("acme-db", "lower-case letters"),
        ("../acme", "lower-case letters"),
        ("1acme", "lower-case letters"),
        ("acme_", "lower-case letters"),
        ("akmé", "lower-case letters"),
        ("", "lower-case letters"),
        ("lambda", "a word of Python"),
        ("sqlite", "comes with mooring"),
        ("postgresql", "comes with mooring"),
    ],
)
def test_a_name_that_no_new_driver_can_have_is_refused(
    run: Run, tmp_path: Path, name: str, says: str
) -> None:
    done = run("driver", "new", name)

    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert files(tmp_path) == []


def test_the_name_of_an_installed_driver_is_taken(run: Run, tmp_path: Path) -> None:
    info = tmp_path / "site" / "other-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mooring.drivers]\nacme = nowhere\n")
    (tmp_path / "site" / "mooring_acme_db.py").write_text("")
    env = {"PYTHONPATH": str(tmp_path / "site")}
    taken = run("driver", "new", "acme", env=env)
    imported = run("driver", "new", "acme_db", env=env)

    assert (taken.code, imported.code) == (2, 2)
    assert "is installed, from other" in taken.err
    assert "the package mooring_acme_db is installed" in imported.err


def test_nothing_that_is_there_is_overwritten(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mooring-acme"
    folder.mkdir()
    empty = run("driver", "new", "acme")
    (folder / "mine.txt").write_text("mine")
    full = run("driver", "new", "acme", "--json")

    assert (empty.code, full.code) == (1, 1)
    assert "exists; nothing was changed\nhint: " in empty.err
    assert full.document["error"]["hint"]
    assert files(tmp_path) == ["mooring-acme/mine.txt"]


@pytest.mark.parametrize("parent", ["nowhere", "a file"])
def test_a_folder_that_cannot_be_written_to_is_told(
    run: Run, tmp_path: Path, parent: str
) -> None:
    (tmp_path / "a file").write_text("")
    done = run("driver", "new", "acme", "--path", parent)

    assert (done.code, done.out) == (1, "")
    assert f"{parent}/mooring-acme cannot be written: " in done.err
    assert "\nhint: " in done.err


def test_a_disk_that_is_full_half_way_leaves_nothing(run: Run, tmp_path: Path) -> None:
    done = run(
        "driver",
        "new",
        "acme",
        # The longest of the files is longer than that.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )

    assert done.code == 1
    assert "cannot be written: File too large; nothing is left of it" in done.err
    assert os.listdir(tmp_path) == []
