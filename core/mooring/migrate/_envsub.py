"""Replaces environment variables in a line of a migration, as goose v3 does.

The grammar is a small part of the shell's: ``$NAME``, ``${NAME}``,
``${NAME:-default}``, ``${NAME-default}``, ``${NAME?message}``, ``${NAME:offset}`` and
``${NAME:offset:length}``. Defaults and messages may hold variables themselves.
"""

import re
from collections.abc import Mapping

from mooring.migrate._parse import SPACE

_TOKEN = re.compile(r"\\\\|\\\$|\$[$({]?|\}")
_LITERAL = {"\\\\": "\\\\", "\\$": "$", "$$": "$", "$(": "$("}
_NAME = re.compile(r"\w*")
_OPERATOR = re.compile(r":-|[-?:}]")
_NUMBER = rf"[{SPACE}]*([+-]?[0-9]+)[{SPACE}]*"
_MOST_DIGITS = len(str(2**63))
_RANGE = re.compile(rf"{_NUMBER}(?::{_NUMBER})?\}}")


class _Level:
    """The text of one default or message, or of the whole line.

    A level that is not needed is read for its syntax only: a variable that is
    required in a default is not missed when the default is not used.
    """

    __slots__ = ("needed", "parts", "required")

    def __init__(self, *, needed: bool, required: str | None = None) -> None:
        self.needed = needed
        self.required = required
        self.parts: list[str] = []

    def text(self) -> str:
        if not self.needed:
            return ""
        text = "".join(self.parts)
        if self.required is not None:
            raise ValueError(f"${self.required}: {text or 'not set'}")
        return text


def expand(line: str, environ: Mapping[str, str]) -> str:
    r"""Replace the variables of one line; an unset one without a default is empty.

    ``$$`` and ``\$`` become ``$``; ``\\``, ``$(`` and a ``$`` at the end stay.

    Args:
        line: The line, without its line end.
        environ: The variables.

    Raises:
        ValueError: A required variable is not set, or the line is malformed.
    """
    if "$" not in line:
        return line
    # A stack of our own: defaults may nest deeper than Python's calls.
    levels = [_Level(needed=True)]
    end = 0
    while (token := _TOKEN.search(line, end)) is not None:
        parts = levels[-1].parts
        parts.append(line[end : token.start()])
        end = token.end()
        match token[0]:
            case "${":
                end = _open(line, end, environ, levels)
            case "}" if len(levels) > 1:
                text = levels.pop().text()
                levels[-1].parts.append(text)
            case "$" if end < len(line):
                name, end = _name(line, end)
                parts.append(environ.get(name, ""))
            case literal:
                parts.append(_LITERAL.get(literal, literal))
    if len(levels) > 1:
        raise ValueError("a '${' has no closing '}'")
    levels[-1].parts.append(line[end:])
    return _checked(levels[-1].text())


def _open(
    line: str, start: int, environ: Mapping[str, str], levels: list[_Level]
) -> int:
    """Read what follows ``${``, up to the default or message if there is one.

    Returns:
        Where to read on.
    """
    name, end = _name(line, start)
    operator = _OPERATOR.match(line, end)
    if operator is None:
        raise ValueError(f"'${{{name}' is not followed by one of }} :- - ? :")
    end = operator.end()
    level = levels[-1]
    value = environ.get(name)
    if operator[0] == "}":
        level.parts.append(value or "")
        return end
    if operator[0] == ":":
        text, end = _substring(line, end, name, value or "")
        level.parts.append(text)
        return end
    missing = value is None or (operator[0] == ":-" and not value)
    if value is not None and not missing:
        level.parts.append(value)
    required = name if operator[0] == "?" else None
    levels.append(_Level(needed=level.needed and missing, required=required))
    return end


def _name(line: str, start: int) -> tuple[str, int]:
    found = _NAME.match(line, start)
    if found is None or not found[0][:1].isalpha():
        wrong = line[start : start + 1]
        raise ValueError(f"a variable's name starts with a letter, not {wrong!r}")
    return found[0], found.end()


def _substring(line: str, start: int, name: str, value: str) -> tuple[str, int]:
    found = _RANGE.match(line, start)
    offset = _integer(found[1]) if found else None
    length = _integer(found[2] or "0") if found else None
    if found is None or offset is None or length is None:
        raise ValueError(
            f"'${{{name}:' is not followed by an offset, or an offset, ':' and a length"
        )
    # Offsets count bytes, and negative ones count from the end, as in a slice.
    data = value.encode(errors="surrogateescape")
    first = max(offset + len(data), 0) if offset < 0 else offset
    last = len(data)
    if found[2] is not None:
        last = max(length + len(data), 0) if length < 0 else first + length
    return data[first:last].decode(errors="surrogateescape"), found.end()


def _integer(text: str) -> int | None:
    """Return the number, None if it does not fit in 64 bits as it has to in goose."""
    # Leading zeros are free, but int() refuses a text of thousands of digits.
    digits = text.lstrip("+-0") or "0"
    if len(digits) > _MOST_DIGITS:
        return None
    number = -int(digits) if text[0] == "-" else int(digits)
    return number if -(2**63) <= number < 2**63 else None


def _checked(text: str) -> str:
    """Refuse a text that no file could hold, whichever variable it came from."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            "the result is not valid UTF-8: a value is not, or an offset cuts a"
            " character in two"
        ) from error
    return text
