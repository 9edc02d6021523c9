"""Durations and sizes, as people write them."""

import re

_DURATION = re.compile(
    r"(?=.)(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,9})?)s)?"
    r"(?:(\d{1,9}(?:\.\d{1,9})?)ms)?",
    re.ASCII,
)
_SIZE = re.compile(r"(\d{1,15}) ?([KMGT]?)(i?)B", re.ASCII)

# What to write for each unit that has a form of its own.
FORMS = {
    "seconds": "a number of seconds, or a duration such as '1m30s' or '250ms'",
    "bytes": "a number of bytes, or a size such as '64MB' or '64MiB'",
}


def quantity(text: str, unit: str) -> float | int | None:
    """Return what a text stands for in *unit*; None if that is nothing.

    Args:
        text: Such as ``1m30s``, ``250ms`` or ``64MiB``; 1 kB is 1000 bytes, 1 KiB is
            1024 (IEC 80000-13).
        unit: "seconds" or "bytes".
    """
    return _seconds(text) if unit == "seconds" else _bytes(text)


def _seconds(text: str) -> float | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds, thousandths = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _bytes(text: str) -> int | None:
    match = _SIZE.fullmatch(text[:-2].upper() + text[-2:] if text else text)
    if match is None:
        return None
    number, power, binary = match.groups()
    base = 1024 if binary else 1000
    return int(number) * int(base ** " KMGT".index(power or " "))
