"""The connection keyword "options": settings that the server makes before it answers.

They cost no round trip, and hold from the first statement on. PostgreSQL 32.1.2
(options), 19.1.4; libpq passes the text on, the server splits it at white space that
no backslash escapes.
"""

import re
from collections.abc import Iterator, Mapping

_WORD = re.compile(r"(?:[^\s\\]|\\.)+", re.ASCII | re.DOTALL)


def as_options(settings: Mapping[str, str]) -> str:
    """Return the text that makes *settings*."""
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())


def names_in(options: str) -> Iterator[str]:
    """Yield the names of the settings that a text makes, in lower case."""
    words = [re.sub(r"\\(.)", r"\1", word) for word in _WORD.findall(options)]
    for before, word in zip(["", *words], words, strict=False):
        if before == "-c":
            setting = word
        elif word.startswith(("-c", "--")):
            setting = word[2:]
        else:
            continue
        name = setting.partition("=")[0].lower()
        if name:
            yield name.replace("-", "_")  # as the server reads it


def _escaped(value: str) -> str:
    return re.sub(r"([\\\s])", r"\\\1", value, flags=re.ASCII)
