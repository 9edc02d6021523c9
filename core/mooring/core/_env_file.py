"""Files of environment variables, as containers and shells have them."""

import re
from typing import NamedTuple

from mooring.core._config_file import read_text
from mooring.core._problem import Problem
from mooring.core.errors import ConfigError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.ASCII)
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"\s*(?:#.*)?|'([^']*)'\s*(?:#.*)?")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Variable(NamedTuple):
    """A variable of a file, and its 1-based line."""

    text: str
    line: int


def read_env_file(path: str) -> dict[str, Variable]:
    r"""Return the variables that a file sets; a later line wins.

    A line is ``NAME=value``, with ``export`` before it or not; ``#`` begins a comment
    at the start of a line, or behind white space. Between ``'`` a value stands as it
    is, between ``"`` with ``\n``, ``\t``, ``\"`` and ``\\``. Nothing is expanded.

    Raises:
        ConfigError: It cannot be read; with every line that is none of these.
    """
    found: dict[str, Variable] = {}
    problems = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        value = _value(match[2]) if match else None
        if match is None or value is None:
            told = "is not NAME=value, or a quote ends nowhere"
            problems.append(Problem("", told, f"{path}:{number}"))
        else:
            found[match[1]] = Variable(value, number)
    if problems:
        raise ConfigError(problems)
    return found


def _value(text: str) -> str | None:
    if text[:1] not in ("'", '"'):
        return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].rstrip()
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return None
    if quoted[1] is None:
        return quoted[2]
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), quoted[1])
