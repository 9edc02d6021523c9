"""TOML, and on which line of a file each key stands, which `tomllib` does not tell."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from mooring.core._document import Document, UnreadableError

_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_KEY = r"(?:[\w-]+|\"(?:[^\"\\]|\\.)*\"|'[^']*')"
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")
# What matters in a value for where it ends; a string on one line, or its beginning.
_TOKEN = re.compile(
    r"\"\"\"|'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|#[^\n]*|[\[\]{}]", re.ASCII
)


def read_toml(text: str) -> Document:
    """Return what a TOML document holds (TOML 1.0.0).

    Raises:
        UnreadableError: It is none; it says on which line, and shows no value.
    """
    line = None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
        position = _POSITION.search(reason)
        if position is not None:
            ending = text.count("\n", 0, len(text.rstrip())) + 1
            line = int(position[1] or ending)
            reason = reason[: position.start()]
        reason = _harmless(reason)
    except RecursionError:
        reason = "is nested too deeply"
    else:
        return Document(data=data, lines=dict(_lines(text)))
    # Outside the except block: the context would hold what was read.
    raise UnreadableError(reason, line=line)


def _harmless(reason: str) -> str:
    """Return why it cannot be read, if that shows nothing of what was read."""
    if "twice" in reason or "overwrite" in reason:
        return "sets a key, or begins a table, that is there already"
    told = "is not valid TOML"
    return told if re.search("['\"(]", reason) else f"{told}: {reason.lower()}"


def _lines(text: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield each key, with the tables around it, and its line."""
    table: tuple[str, ...] = ()
    ends = ""  # what ends the string that is open
    depth = 0  # of the brackets that are open
    for number, line in enumerate(text.split("\n"), start=1):
        start = 0
        if not ends and not depth:
            header = _HEADER.match(line)
            if header is not None:
                table = _path(header[1])
                yield table, number
                continue
            assignment = _ASSIGNMENT.match(line)
            if assignment is not None:
                path = _path(assignment[1])
                for length in range(1, len(path) + 1):
                    yield (*table, *path[:length]), number
                start = assignment.end()
        ends, depth = _open_after(line, start, ends, depth)


def _open_after(line: str, start: int, ends: str, depth: int) -> tuple[str, int]:
    """Return what is open at the end of a line: which string, how many brackets."""
    while True:
        if ends:
            end = re.compile(rf"(?:\\.|[^\\])*?{ends}" if ends[0] == '"' else ends)
            match = (
                end.match(line, start) if ends[0] == '"' else end.search(line, start)
            )
            if match is None:
                return ends, depth
            start, ends = match.end(), ""
        token = _TOKEN.search(line, start)
        if token is None:
            return "", depth
        start = token.end()
        if token[0] in ('"""', "'''"):
            ends = token[0]
        elif token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1


def _path(dotted: str) -> tuple[str, ...]:
    """Return the parts of a key as it is written."""
    found: Any = tomllib.loads(f"{dotted} = 0")
    path = []
    while isinstance(found, dict):
        ((key, found),) = found.items()
        path.append(key)
    return tuple(path)
