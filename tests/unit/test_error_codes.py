"""Each error has a code of its own, and the page of errors has every code."""

import re
from pathlib import Path

import pytest
from mooring.cli import _errors
from mooring.core import errors

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "errors.md").read_text()
CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.MooringError)
}
ROW = re.compile(
    r"^\| `(\w+)` \|(?: `(\w+)` \|)? (\d+) \| (.+) \| (.+) \|$", re.MULTILINE
)
ROWS = {code: rest for code, *rest in ROW.findall(PAGE)}
# What the command tells without an error of ours.
OF_THE_COMMAND = {"usage", "failed", "interrupted", "internal"}


def test_each_class_has_a_code_of_its_own() -> None:
    own = [kind.__dict__.get("code") for kind in CLASSES.values()]
    assert all(isinstance(code, str) and re.fullmatch("[a-z_]+", code) for code in own)
    assert len({*own}) == len(own)


def test_the_page_has_every_code_and_no_other() -> None:
    assert {*ROWS} == {kind.code for kind in CLASSES.values()} | OF_THE_COMMAND


def test_the_command_has_the_codes_that_the_page_tells_of() -> None:
    source = Path(_errors.__file__).read_text()
    assert {*re.findall(r'return "(\w+)",', source)} == OF_THE_COMMAND


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_a_code_has_its_class_its_exit_code_a_cause_and_a_fix(
    kind: type[errors.MooringError],
) -> None:
    name, exit_code, cause, fix = ROWS[kind.code]
    wanted = next(c for base, c in _errors._EXIT_CODES if issubclass(kind, base))
    assert (name, int(exit_code)) == (kind.__name__, wanted)
    assert cause
    assert fix
