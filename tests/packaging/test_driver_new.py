"""A new driver, written by the installed command outside this tree, is conformant."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

Run = Callable[..., str]
Build = Callable[[Path], list[Path]]
Install = Callable[..., Path]
Wheels = Mapping[str, Path]

FULL = os.environ.get("MOORING_SOAK") == "1"
# What changes most easily without notice: what core asks of a driver's own SQL.
# It does not run migrations in Python, which it has to refuse.
GROUPS = (
    "lifecycle",
    "schema",
    "migrator",
    "migration-failures",
    "python-migrations",
    "errors",
)

NEW = """
    import sys
    from mooring.cli import main

    sys.argv[:1] = ["mooring", "driver", "new", "acme", "--path"]
    main()
    """
COMMAND = """
    import sys
    from mooring.cli import main

    sys.argv[:1] = ["mooring"]
    main()
    """


class NewDriver(NamedTuple):
    """A new driver: its project, and an interpreter that has its wheel."""

    project: Path
    python: Path


@pytest.fixture(scope="module")
def new_driver(
    install: Install,
    wheels: Wheels,
    run: Run,
    build: Build,
    tmp_path_factory: pytest.TempPathFactory,
) -> NewDriver:
    """Write a driver with the installed command, build it, and install its wheel."""
    python = install(f"{wheels['mooring']}[cli,testing]")
    folder = tmp_path_factory.mktemp("new")
    run(python, NEW, folder)
    project = folder / "mooring-acme"
    wheel = next(file for file in build(project) if file.suffix == ".whl")
    return NewDriver(project, install(wheel, into=python))


def test_it_is_listed_with_its_distribution(new_driver: NewDriver, run: Run) -> None:
    listed = run(new_driver.python, COMMAND, "drivers", "--load").splitlines()

    assert [line.split() for line in listed[1:]] == [
        ["acme", "mooring_acme", "0.1.0", "loaded"]
    ]


def test_naming_it_imports_neither_its_store_nor_the_engine(
    new_driver: NewDriver, run: Run
) -> None:
    code = """
        import sys
        from mooring import core

        core.default_registry().info("acme")
        ours = [name for name in sys.modules if name.startswith("mooring_acme")]
        print(*sorted(ours), "sqlite3" in sys.modules)
        """

    assert run(new_driver.python, code).split() == [
        "mooring_acme",
        "mooring_acme._config",
        "False",
    ]


@pytest.mark.soak
def test_it_passes_the_contract_as_it_is(
    new_driver: NewDriver, run: Run, tmp_path: Path
) -> None:
    # Only the tests: what they import is the wheel.
    shutil.copytree(new_driver.project / "tests", tmp_path / "tests")
    shutil.copy(new_driver.project / "pyproject.toml", tmp_path)
    own = () if FULL else ("tests/test_acme.py",)
    code = """
        import os, sys
        import mooring_acme, pytest

        assert "site-packages" in mooring_acme.__file__
        os.chdir(sys.argv[1])
        sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[2:]]))
        """
    output = run(new_driver.python, code, tmp_path, *own)

    assert " passed" in output
    if FULL:
        assert "verdict: conformant\n" in output
        return
    groups = [word for group in GROUPS for word in ("--group", group)]
    check = run(
        new_driver.python, COMMAND, "driver", "check", "acme", "--json", *groups
    )
    (report,) = json.loads(check)["runs"]
    ran = {g["name"]: g for g in report["groups"] if g["passed"]}
    assert set(ran) == set(GROUPS)
    assert not [name for name, group in ran.items() if group["not_run"]]
    assert report["findings"] == []


def test_it_is_written_from_a_wheel_that_is_still_zipped(
    new_driver: NewDriver, run: Run, wheels: Wheels, tmp_path: Path
) -> None:
    code = f"""
    import sys
    sys.path.insert(0, sys.argv.pop(1))
    import mooring
    assert ".whl" in mooring.__file__
    {COMMAND}
    """
    words = ("driver", "new", "acme_too", "--path", tmp_path)
    run(new_driver.python, code, wheels["mooring"], *words)
    from_disk, zipped = new_driver.project, tmp_path / "mooring-acme-too"

    assert len(list(zipped.rglob("*"))) == len(list(from_disk.rglob("*")))
