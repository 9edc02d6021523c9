"""The values a statement takes: which pass, which are wrapped, which are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from math import isnan
from typing import Any

from mooring.core._imports import import_safely
from mooring.core.errors import ParameterError

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1


class Json:
    """Mark a value to be stored as JSON.

    Takes what JSON knows: dict with str keys, list, str, int, finite float, bool, None.
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Json(...)"

    def __eq__(self, other: object) -> bool:
        return self.value == other.value if isinstance(other, Json) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # its value may be unhashable

    def dumps(self) -> str:
        """Write the value as compact JSON text.

        A float keeps its point, however large: without one, an engine that parses JSON
        gives it back as an int.

        Raises:
            ParameterError: It is not JSON, or holds NaN, an infinity, a NUL character
                or a lone surrogate, which one engine stores and another refuses.
        """
        import_safely("json")
        import json

        try:
            text = json.dumps(
                self.value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
            )
        except (TypeError, ValueError, RecursionError) as error:
            raise ParameterError(
                f"core.Json: {error}",
                hint="give it dict, list, str, int, finite float, bool and None only",
            ) from error
        if "e+" in text:
            text = re.sub(_EXPONENT, _positional, text)
        if "\\u0000" in text and re.search(_ESCAPED_NUL, text):
            raise ParameterError(
                "core.Json: text with a NUL character", hint="remove it, or store bytes"
            )
        if not is_unicode(text):
            raise ParameterError(
                "core.Json: text with a lone surrogate", hint="store bytes instead"
            )
        return text


# An even run of backslashes before it is text that merely looks like the escape.
_ESCAPED_NUL = r"(?<!\\)(?:\\\\)*+\\u0000"
# A string, which is passed over, or a number with a positive exponent.
_EXPONENT = r'"(?:[^"\\]|\\.)*+"|(-?\d[\d.]*+e\+\d++)'


def _positional(found: re.Match[str]) -> str:
    """Return 1e+16 as 10000000000000000.0, and a string as it is."""
    return f"{float(found[1]):.1f}" if found[1] else found[0]


class In:
    """Mark values to be expanded in place: ``x IN :ids`` or ``x IN (:ids)``.

    An empty one is in nothing. The values are taken when it is made.

    Raises:
        ParameterError: A str or bytes, which is one value, or nothing to iterate.
    """

    __slots__ = ("values",)

    def __init__(self, values: Iterable[object]) -> None:
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise ParameterError(
                f"core.In takes several values, not {type(values).__name__}",
                hint="write core.In([value])",
            )
        self.values = tuple(values)

    def __repr__(self) -> str:
        count = len(self.values)
        return f"In({count} value{'' if count == 1 else 's'})"

    def __eq__(self, other: object) -> bool:
        return self.values == other.values if isinstance(other, In) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # its value may be unhashable


def adapt(
    name: str, value: object, adapters: Mapping[type, Callable[[Any], object]]
) -> object:
    """Return what the engine is given for the value of parameter ``name``.

    Raises:
        ParameterError: The value is not one that every engine stores alike. The
            message names parameter and type, never the value.
    """
    match value:
        case None | bool():
            return value
        case str():
            return _text(name, str.__str__(value))
        case int():
            if not INT_MIN <= value <= INT_MAX:
                raise _unfit(name, "int beyond 64 bits", "pass str(value)")
            return int.__int__(value)
        case float():
            if isnan(value):
                raise _unfit(name, "float NaN", "pass None for a missing number")
            return float.__float__(value)
        case bytes():
            return value if type(value) is bytes else bytes(memoryview(value))
        case datetime():
            if value.utcoffset() is None:
                raise _unfit(
                    name,
                    "datetime without a time zone",
                    "pass an aware one, such as datetime.now(timezone.utc)",
                )
            try:
                return adapters[datetime](value)
            except OverflowError:  # at either end of the calendar
                raise _unfit(
                    name,
                    "datetime beyond the years 1 to 9999 in UTC",
                    "pass None for a time without end, or one within those years",
                ) from None
        case Json():
            return _json(name, value, adapters[Json])
    raise _unfit(name, type(value).__name__, _instead(value))


def _text(name: str, text: str) -> str:
    if "\x00" in text:
        raise _unfit(name, "str with a NUL character", "remove it, or pass bytes")
    if not is_unicode(text):
        raise _unfit(name, "str with a lone surrogate", "pass bytes, or repair it")
    return text


def _json(name: str, value: Json, adapter: Callable[[Json], object]) -> object:
    try:
        return adapter(value)
    except ParameterError as error:
        raise ParameterError(
            f"parameter :{name}: {error.message}", hint=error.hint
        ) from error


def is_unicode(text: str) -> bool:
    # The answer is returned, not the error: that one holds the text.
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unfit(name: str, what: str, instead: str) -> ParameterError:
    return ParameterError(
        f"parameter :{name}: {what} is not a value that can be bound", hint=instead
    )


_MANY = "pass core.In([...]) to expand it after IN, core.Json(...) to store it as JSON"

# By name, so that nothing is imported for the sake of a hint.
_INSTEAD = {
    "dict": "pass core.Json(...) to store it as JSON",
    "list": _MANY,
    "tuple": _MANY,
    "set": "pass core.In(...) to expand it after IN, core.Json([...]) for JSON",
    "frozenset": "pass core.In(...) to expand it after IN, core.Json([...]) for JSON",
    "In": "core.In holds plain values; join the inner ones into one list",
    "bytearray": "pass bytes(value)",
    "memoryview": "pass bytes(value)",
    "date": "pass value.isoformat(), or an aware datetime",
    "time": "pass value.isoformat()",
    "timedelta": "pass value.total_seconds()",
    "Decimal": "pass str(value), or float(value) if rounding is no harm",
    "UUID": "pass str(value)",
    "PurePath": "pass str(value)",
    "Enum": "pass its .value",
}


def _instead(value: object) -> str:
    """Say what to write, by the value's nearest class that has an answer."""
    for kind in type(value).__mro__:
        if kind.__name__ in _INSTEAD:
            return _INSTEAD[kind.__name__]
    return (
        "pass None, bool, int, float, str, bytes, an aware datetime, core.Json(...) "
        "or core.In([...])"
    )
