"""What reading a file takes grows with its size: counted in calls, not in time."""

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType

import pytest
from mooring.migrate import Statement, parse
from mooring.migrate._cut import cuts
from mooring.migrate._envsub import expand

SIZE = 300
UP = "-- +goose Up\n"
BEGIN = "-- +goose StatementBegin\n"
END = "-- +goose StatementEnd\n"

# Files of a number of like parts.
SHAPES: dict[str, Callable[[int], str]] = {
    "statements": lambda size: UP + "INSERT INTO a VALUES (1);\n" * size,
    "lines": lambda size: UP + "INSERT INTO a VALUES\n" + "  (1),\n" * size + "(2);",
    "block": lambda size: UP + BEGIN + "  (1, 'text');\n" * size + END,
    "blocks": lambda size: UP + f"{BEGIN}SELECT 1;\n{END}" * size,
    "empty blocks": lambda size: UP + f"{BEGIN}{END}" * size + "SELECT 1;",
    "comments": lambda size: UP + "\n-- note\n" * size,
    "kept comments": lambda size: UP + "SELECT\n" + "-- note\n" * size + "1;",
    "dashes": lambda size: UP + "SELECT " + "1--" * size + ";\n",
    "variables": lambda size: UP + "-- +goose ENVSUB ON\n" + "$A;\n" * size,
}
LINES: dict[str, Callable[[int], str]] = {
    "defaults": lambda size: "${A:-$$}" * size,
    "nested": lambda size: "${A:-" * size + "}" * size,
    "signs": lambda size: "$$" * size,
    "backslashes": lambda size: "\\" * size + "$A",
}


def calls(run: Callable[[], object]) -> int:
    """Count the functions that *run* calls, those written in C as well."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count


def assert_linear(work: Callable[[int], object]) -> None:
    work(1)  # what is made once
    one, two = (calls(partial(work, size)) for size in (SIZE, 2 * SIZE))
    assert one < two <= 2 * one + 20


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_twice_as_long_takes_twice_the_calls(shape: str) -> None:
    environ = {"A": "1"}
    texts = {size: SHAPES[shape](size) for size in (1, SIZE, 2 * SIZE)}
    assert_linear(lambda size: parse(texts[size], name="1_a.sql", environ=environ))


@pytest.mark.parametrize("shape", LINES)
def test_so_does_a_line_with_twice_as_many_variables(shape: str) -> None:
    lines = {size: LINES[shape](size) for size in (1, SIZE, 2 * SIZE)}
    assert_linear(lambda size: expand(lines[size], {}))


@pytest.mark.parametrize("piece", ["SELECT 1;", "SELECT 'a;", "/* a;", "$$ a;", "a */"])
def test_so_does_looking_for_what_is_cut(piece: str) -> None:
    def look(size: int) -> None:
        statements = [Statement(piece, line) for line in range(size)]
        list(cuts(statements, ()))

    assert_linear(look)


def test_the_count_sees_what_is_not_linear() -> None:
    def quadratic(size: int) -> None:
        for number in range(size):
            for _ in range(number):
                len("")

    with pytest.raises(AssertionError):
        assert_linear(quadratic)
