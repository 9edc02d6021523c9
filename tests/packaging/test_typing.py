"""Both type checkers find nothing wrong, and looked at every file to say so."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("core", "drivers", "examples", "tests")
FILES = [
    file
    for folder in FOLDERS
    for file in (ROOT / folder).rglob("*.py")
    if not any(part.startswith(".") for part in file.relative_to(ROOT).parts)
]


def check(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", *command), cwd=ROOT, capture_output=True, text=True
    )


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 50


def test_mypy_checks_every_file_and_finds_nothing() -> None:
    # A cache of its own: another mypy may run at the same time.
    done = check("mypy", "--cache-dir", ROOT / ".mypy_cache" / "packaging")
    found = re.search(r"no issues found in (\d+) source files", done.stdout)
    assert found, done.stdout + done.stderr
    assert int(found[1]) == len(FILES)


def test_pyright_checks_every_file_and_finds_nothing() -> None:
    done = check("pyright", "--outputjson")
    answer = json.loads(done.stdout)
    problems = [
        f"{d['file']}:{d['range']['start']['line'] + 1}: {d['message']}"
        for d in answer["generalDiagnostics"]
    ]
    assert not problems, "\n".join(problems)
    assert answer["summary"]["filesAnalyzed"] == len(FILES)


def test_mypy_is_told_where_every_package_begins() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    inits = [f for f in FILES if f.name == "__init__.py"]
    tops = {f.parents[1] for f in inits if not (f.parents[1] / f.name).exists()}
    assert {ROOT / folder for folder in settings["mypy_path"]} == tops
