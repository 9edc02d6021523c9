"""What is shown of options: in messages, and where they are listed."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from mooring.core._config import SECRET_TYPES, suggest
from mooring.core._layers import Given
from mooring.core._problem import Problem
from mooring.core._secret import Secret, mask

HIDDEN = "(hidden)"
_NUMERIC = re.compile(r"[+-]?[0-9]{1,12}(\.[0-9]{0,6})?(h|m|s|ms|[kMGT]i?B)?")
# A key that may be shown; another one may be a value in the wrong place.
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")


def located(
    problem: Problem, given: Given | None, fields: Mapping[str, "attrs.Attribute[Any]"]
) -> Problem:
    """Return the problem with where the option was given, and its value if harmless."""
    if given is None:
        return problem
    value = shown(problem.key, given.value, fields)
    message = problem.message
    if value == HIDDEN:
        message = _hidden(message, given.value)
    return Problem(
        problem.key if _KEY.fullmatch(problem.key) else "",
        message if _KEY.fullmatch(problem.key) else f"{message} (its name is hidden)",
        problem.source or given.source,
        "" if value == HIDDEN else value,
    )


def shown(key: str, value: object, fields: Mapping[str, "attrs.Attribute[Any]"]) -> str:
    """Return a value that was refused as it may be shown, or that it is hidden.

    What was refused may be a secret in the wrong place. Shown is what cannot be: a
    number where a number is wanted, and a word that is nearly one of those allowed.
    """
    field = fields.get(key) or fields.get(_nearest(key, fields))
    if field is None or field.metadata.get("secret") or field.type in SECRET_TYPES:
        return HIDDEN
    if isinstance(value, bool):
        return str(value).lower()
    rule = field.metadata.get("rule")
    numeric = field.type in (int, float, int | str)
    if numeric and isinstance(value, int | float) and _NUMERIC.fullmatch(str(value)):
        return str(value)
    if not isinstance(value, str):
        return HIDDEN
    choices = rule.choices if rule else ()
    if (numeric and _NUMERIC.fullmatch(value)) or suggest(value.lower(), choices):
        return f'"{value}"'
    return HIDDEN


def _nearest(key: str, fields: Mapping[str, Any]) -> str:
    return suggest(key, fields).removeprefix("; did you mean '").removesuffix("'?")


def _hidden(message: str, value: object) -> str:
    for text in sorted(_texts(value), key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", "***", message)
        if len(text) > 3:
            message = mask(message, [text])
    return message


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a value, but for those that are only punctuation."""
    if isinstance(value, Secret):
        yield from _texts(value.reveal())
    elif isinstance(value, Mapping):
        yield from _texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str | int | float) and re.search(r"\w", str(value)):
        yield str(value)
