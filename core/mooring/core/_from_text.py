"""From a text - of the environment, of a flag - to a value of an option's type."""

import re
from types import NoneType
from typing import Any, get_args

import attrs

from mooring.core._config import SECRET_TYPES
from mooring.core._quantity import FORMS, quantity

_BOOL = {"true": True, "1": True, "yes": True, "on": True}
_BOOL |= {"false": False, "0": False, "no": False, "off": False}

_INT = re.compile(r"[+-]?[0-9]{1,18}")
_FLOAT = re.compile(
    r"[+-]?([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(e[+-]?[0-9]{1,3})?"
)


def from_text(text: str, field: "attrs.Attribute[Any]") -> object:
    """Return the value that *text* stands for; its range is checked later.

    A type that is no plain one is written as JSON, or is text for cattrs to read.

    Args:
        text: What was given; white space around numbers does not count.
        field: The option, its type resolved (`attrs.resolve_types`).

    Raises:
        ValueError: It stands for none; the message says what to write, and never shows
            the text, which may be a secret in the wrong place.
    """
    if field.metadata.get("secret") or field.type in SECRET_TYPES:
        return text  # which becomes a Secret when it is structured
    kinds = [kind for kind in get_args(field.type) if kind is not NoneType]
    kind: Any = kinds[0] if len(kinds) == 1 else field.type
    if kind is str:
        return text
    if kind in (bool, int, float):
        return _plain(text.strip(), kind, field.metadata.get("unit", ""))
    if int in kinds and str in kinds:
        return int(text) if _INT.fullmatch(text.strip()) else text
    return _json(text)


def _plain(text: str, kind: Any, unit: str) -> object:
    if kind is bool:
        found = _BOOL.get(text.lower())
        if found is None:
            raise ValueError("must be true or false")
        return found
    pattern, expected = (
        (_INT, "a whole number") if kind is int else (_FLOAT, "a number")
    )
    if pattern.fullmatch(text):
        return kind(text)
    if unit in FORMS:
        amount = quantity(text, unit)
        if amount is not None:
            return kind(amount)
        expected = FORMS[unit]
    raise ValueError(f"must be {expected}")


def _json(text: str) -> object:
    import json

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
