"""Reading JSON text fast, and never otherwise than ``json.loads`` reads it.

orjson (the extra ``orjson``) is used where it is installed. It refuses some of what the
standard library takes, such as NaN, a lone surrogate or bytes in UTF-16: whoever calls
then asks ``json.loads``, which is the rule. One difference is silent: an integer beyond
64 bits becomes a float. Texts that may hold one are not given to it.
"""

from collections.abc import Callable, Iterable
from functools import cache
from json import JSONDecoder
from typing import Final

from mooring.core._imports import import_safely

Loads = Callable[[str], object]

_decode: Final = JSONDecoder().raw_decode
# Each byte as a digit, a minus, or neither.
_SHAPE: Final = bytes(
    ord("1" if chr(byte).isdigit() and byte < 128 else "-" if byte == ord("-") else "0")
    for byte in range(256)
)
# No integer of fewer digits is beyond -2**63 or 2**64 - 1.
_LONG: Final = b"1" * 19
_TOO_LONG: Final = (b"1" * 20, b"-" + b"1" * 19)


@cache
def orjson_loads() -> Loads | None:
    """Return what orjson reads with; None without the extra."""
    try:
        import_safely("orjson")
        from orjson import loads
    except ImportError:
        return None
    return loads


def loads_for(texts: Iterable[str]) -> Loads:
    """Return what reads each of *texts*: equal to ``json.loads``, or raises.

    What it raises says nothing about the text, which may be one for ``json.loads``.
    """
    fast = orjson_loads()
    if fast is None:
        return _loads
    try:
        shape = "\n".join(texts).encode().translate(_SHAPE)
    except UnicodeEncodeError:  # a lone surrogate
        return _loads
    if _LONG in shape and any(digits in shape for digits in _TOO_LONG):
        return _loads
    return fast


def _loads(text: str) -> object:
    """Read JSON that nothing surrounds; half of ``json.loads`` looks for that."""
    value, end = _decode(text)
    if end != len(text):
        raise ValueError
    return value
