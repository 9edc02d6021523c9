"""Distributions built from this tree, and real environments to install them into."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = {
    "mooring": ROOT / "core",
    "mooring_sqlite": ROOT / "drivers" / "sqlite",
    "mooring_postgres": ROOT / "drivers" / "postgres",
    "mooring_duckdb": ROOT / "examples" / "duckdb-driver",
    "mooring_keyvalue": ROOT / "examples" / "keyvalue-driver",
}
# Those that need no server.
_LOCAL = ("mooring", "mooring_sqlite", "mooring_keyvalue")
BROKEN = {
    "pyproject.toml": """\
        [build-system]
        requires = ["hatchling"]
        build-backend = "hatchling.build"
        [project]
        name = "mooring-broken"
        version = "9"
        [project.entry-points."mooring.drivers"]
        broken = "mooring_broken"
        nowhere = "mooring_nowhere"
        """,
    "mooring_broken.py": "import a_library_that_is_not_installed\n",
}

Build = Callable[[Path], list[Path]]
Install = Callable[..., Path]
Run = Callable[..., str]


def _call(*command: str | Path, cwd: Path) -> str:
    # What this process was told about paths and drivers is not the child's business.
    ours = ("PYTHON", "MOORING_", "VIRTUAL_ENV")
    env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of this repository."""
    return ROOT


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run code in an interpreter, apart from this tree; return what it printed."""
    folder = tmp_path_factory.mktemp("run")

    def run(python: Path, code: str, *arguments: str | Path) -> str:
        isolated = ("-I", "-W", "error", "-c", dedent(code))
        return _call(python, *isolated, *arguments, cwd=folder)

    return run


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build a project's sdist, and from that its wheel."""

    def build(project: Path) -> list[Path]:
        out = tmp_path_factory.mktemp("dist")
        command = (sys.executable, "-m", "build", "--no-isolation", "-o", out, project)
        _call(*command, cwd=out)
        return sorted(out.iterdir())

    return build


@pytest.fixture(scope="session")
def dists(build: Build) -> dict[str, list[Path]]:
    """The wheel and the sdist of each distribution, by the package's name."""
    return {name: build(project) for name, project in MEMBERS.items()}


@pytest.fixture(scope="session")
def wheels(dists: Mapping[str, list[Path]]) -> dict[str, Path]:
    """The wheel of each distribution, by the package's name."""
    return {
        name: next(file for file in files if file.suffix == ".whl")
        for name, files in dists.items()
    }


@pytest.fixture(scope="session")
def broken_wheel(build: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distribution that offers two drivers, neither of which can be imported."""
    project = tmp_path_factory.mktemp("broken")
    for name, content in BROKEN.items():
        (project / name).write_text(dedent(content))
    return next(file for file in build(project) if file.suffix == ".whl")


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Install these requirements; return the interpreter that has them.

    It is that of a new environment, or the one given as *into*.
    """

    def install(*requirements: str | Path, into: Path | None = None) -> Path:
        folder = into.parents[1] if into else tmp_path_factory.mktemp("site")
        if not into:
            venv.create(folder, with_pip=False, symlinks=True)
        python = folder / "bin" / "python"
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
        # What is used is compiled when it is imported: the fewest modules are.
        options = ("--no-compile", "--constraint", ROOT / "constraints.txt")
        _call(*pip, "--python", python, "install", *options, *requirements, cwd=folder)
        return python

    return install


@pytest.fixture(scope="session")
def bare(install: Install) -> Path:
    """What core depends on, without core."""
    return install("pluggy", "attrs", "cattrs")


@pytest.fixture(scope="session")
def alone(install: Install, wheels: Mapping[str, Path]) -> Path:
    """Core without any driver, and what its own tests need."""
    core = f"{wheels['mooring']}[orjson]"
    return install(core, "pytest", "pytest-timeout", "hypothesis")


@pytest.fixture(scope="session")
def with_sqlite(install: Install, wheels: Mapping[str, Path]) -> Path:
    """Core and the sqlite driver, asked for by its extra."""
    return install(f"{wheels['mooring']}[sqlite]", wheels["mooring_sqlite"])


@pytest.fixture(scope="session")
def with_testing(install: Install, wheels: Mapping[str, Path]) -> Path:
    """Core, its command and the sqlite driver, with what the tests of others need."""
    wanted = f"{wheels['mooring']}[testing,cli,sqlite]"
    return install(wanted, wheels["mooring_sqlite"])


@pytest.fixture(scope="session")
def with_keyvalue_testing(install: Install, wheels: Mapping[str, Path]) -> Path:
    """Core and a third party's driver, with what its own tests need."""
    return install(f"{wheels['mooring']}[testing]", wheels["mooring_keyvalue"])


@pytest.fixture(scope="session")
def with_postgres(install: Install, wheels: Mapping[str, Path]) -> Path:
    """Core and the PostgreSQL driver, with the client library that brings its own."""
    return install(wheels["mooring"], f"{wheels['mooring_postgres']}[binary]")


@pytest.fixture(scope="session")
def with_duckdb(install: Install, wheels: Mapping[str, Path]) -> Path:
    """Core and a third party's driver for SQL, with its client library."""
    return install(wheels["mooring"], wheels["mooring_duckdb"])


@pytest.fixture(scope="session")
def with_keyvalue(install: Install, wheels: Mapping[str, Path]) -> Path:
    """Core, the sqlite driver and a third party's."""
    return install(*map(wheels.__getitem__, _LOCAL))


@pytest.fixture(scope="session")
def with_broken(
    install: Install, wheels: Mapping[str, Path], broken_wheel: Path
) -> Path:
    """These, and a distribution whose drivers cannot be imported."""
    return install(*map(wheels.__getitem__, _LOCAL), broken_wheel)
