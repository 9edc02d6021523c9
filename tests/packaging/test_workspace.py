"""The repository itself: its root, its pinned versions, and its exceptions."""

import re
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

Install = Callable[..., Path]
Run = Callable[..., str]

ROOT = Path(__file__).parents[2]
FOLDERS = ("core", "drivers", "examples", "tests", "docs", "benchmarks")
NOQA = re.compile(r"noqa: [A-Z]+\d+(, [A-Z]+\d+)*(?P<reason>.*)")
IGNORE = re.compile(r"(type|pyright): ignore\[[\w-]+(, [\w-]+)*\](?P<reason>.*)")
EXCEPTION = re.compile(r"noqa|(type|pyright|mypy|ruff): ?\w|pragma: ?no")


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line for line in lines if line and not line.startswith("#")]
    return {plain(name): version for name, _, version in map(split, pinned)}


def split(line: str) -> tuple[str, str, str]:
    return line.partition("==")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def comments() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every comment in this repository's Python."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = str(file.relative_to(ROOT))
            with tokenize.open(file) as source:
                for token in tokenize.generate_tokens(source.readline):
                    if token.type == tokenize.COMMENT:
                        yield f"{name}:{token.start[0]}", token.string


def explained(comment: str) -> bool:
    found = [*NOQA.finditer(comment), *IGNORE.finditer(comment)]
    return bool(found and re.search(r"\w\w", found[-1]["reason"]))


def test_pip_install_of_the_root_succeeds_and_says_what_to_install(
    install: Install, run: Run
) -> None:
    pinned = ("--build-constraint", ROOT / "constraints.txt")
    python = install(*pinned, ROOT)
    code = """
        from importlib.metadata import files, metadata
        print(metadata("mooring-workspace")["Summary"])
        print(*{file.parts[0] for file in files("mooring-workspace")})
        """
    summary, installed = run(python, code).splitlines()
    assert summary == (
        "Not a package: install ./core and ./drivers/sqlite, or run `make demo`"
    )
    assert installed == "mooring_workspace-0.dist-info"


def test_every_version_that_the_tools_use_is_pinned() -> None:
    freeze = (sys.executable, "-m", "pip", "freeze", "--exclude-editable")
    done = subprocess.run(freeze, check=True, capture_output=True, text=True)
    known = pins()
    used = {plain(n): v for n, _, v in map(split, done.stdout.splitlines())}
    assert used
    assert {name: known.get(name) for name in used} == used


def test_constraints_pin_exact_versions_and_name_no_address() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("# ") or re.fullmatch(r"[\w.-]+==[\w.+!]+", line), line
        assert "//" not in line


def test_every_exception_from_a_rule_names_the_rule_and_says_why() -> None:
    exceptions = [(p, text) for p, text in comments() if EXCEPTION.search(text)]
    assert len(exceptions) > 10
    assert [f"{p}: {text}" for p, text in exceptions if not explained(text)] == []


def test_every_rule_that_is_left_out_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    blocks = re.findall(
        r'^(?:ignore|"[^"]*\*") = \[\n(.*?)^\]', text, re.MULTILINE | re.DOTALL
    )
    assert len(blocks) >= 2
    for line in (line for block in blocks for line in block.splitlines()):
        assert re.search(r"#.*\w\w", line), line
