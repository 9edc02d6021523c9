"""From a mapping to an instance field by field, so that every problem is found."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import attrs

from mooring.core._config import (
    PLAIN_TYPES,
    SECRET_TYPES,
    StoreConfig,
    option_fields,
    suggest,
)
from mooring.core._problem import Problem
from mooring.core._quantity import FORMS, quantity
from mooring.core._secret import Secret, mask, secrets_in
from mooring.core.errors import ConfigError

if TYPE_CHECKING:
    from cattrs import Converter


def structure_fields(
    options: Mapping[str, object], config_class: type[StoreConfig]
) -> StoreConfig | list[Problem]:
    """Return the instance, or all problems in the order of the options' fields."""
    fields = option_fields(attrs.resolve_types(config_class))
    seen: list[str] = []
    converter = _converter(seen)
    problems: list[Problem] = []
    good: dict[str, object] = {}
    for key, field in fields.items():
        if key not in options:
            if field.default is attrs.NOTHING:
                problems.append(Problem(key, "is required"))
            continue
        found = _structure_one(converter, field, options[key])
        if isinstance(found, Problem):
            problems.append(found)
        else:
            good[key] = found[0]
    seen += secrets_in(good)
    unknown = _unknown(options, fields)
    instance = None
    if all(key in good or f.default is not attrs.NOTHING for key, f in fields.items()):
        instance, more = _construct(config_class, good)
        failed = {problem.key for problem in [*problems, *unknown]}
        problems += [problem for problem in more if problem.key not in failed]
    if instance is not None and not problems and not unknown:
        return instance
    order = {key: number for number, key in enumerate(fields)}
    problems.sort(key=lambda problem: order.get(problem.key, len(order)))
    return [
        problem._replace(message=mask(problem.message, seen).partition("\n")[0])
        for problem in problems + unknown
    ]


def _structure_one(
    converter: "Converter", field: "attrs.Attribute[Any]", value: object
) -> Problem | tuple[object]:
    """Return the option's value in a 1-tuple, or what is wrong with it."""
    key = field.alias or field.name
    if field.type in SECRET_TYPES or field.metadata.get("secret"):
        if type(value) is str:
            return (Secret(value),)
        if isinstance(value, Secret | None):
            return (value,)
        return Problem(key, f"expected str, got {type(value).__name__}")
    unit = field.metadata.get("unit", "")
    if type(value) is str and unit in FORMS and field.type in (int, float):
        amount = quantity(value, unit)
        if amount is None:
            return Problem(key, f"must be {FORMS[unit]}")
        value = field.type(amount)
    try:
        declared: Any = field.type
        structured = converter.structure(value, declared)
    except _WrongTypeError as error:
        return Problem(key, str(error))
    except Exception as error:  # noqa: BLE001 - a third party's hook
        return Problem(key, _reason(error, field.type))
    rule = field.metadata.get("rule")
    problem = rule and rule.problem(field, structured)
    if problem:
        return Problem(key, problem)
    try:
        if field.validator is not None:
            field.validator(None, field, structured)
    except ConfigError as error:
        return error.problems[0]
    except AttributeError:
        pass  # it looks at other options: asked again when there is an instance
    except Exception as error:  # noqa: BLE001 - a third party's validator
        return Problem(key, _reason(error, field.type))
    return (structured,)


def _reason(error: Exception, type_: Any) -> str:
    """Return the innermost texts of what cattrs or a validator raised."""
    if isinstance(error, ExceptionGroup):
        texts = [_reason(inner, type_) for inner in error.exceptions]
        return "; ".join(dict.fromkeys(texts))
    # attrs validators carry (message, attribute, ...) in their arguments.
    text = str(error.args[0]) if error.args else type(error).__name__
    text = text or str(error)  # cattrs has errors that begin with an empty argument
    return text or f"is not a valid {type_!r}"


def _unknown(
    options: Mapping[Any, object], fields: Mapping[str, object]
) -> list[Problem]:
    return [
        Problem(key, f"unknown option{suggest(key, fields)}")
        if isinstance(key, str)
        else Problem("", f"an option's name must be str, not {type(key).__name__}")
        for key in options
        if key not in fields
    ]


def _construct(
    config_class: Any, good: Mapping[str, object]
) -> tuple[StoreConfig | None, list[Problem]]:
    """Call the class; its checks between options run here."""
    try:
        return config_class(**good), []
    except ConfigError as error:
        return None, list(error.problems)
    except Exception as error:  # noqa: BLE001 - a third party's class
        return None, [Problem("", _reason(error, config_class))]


class _WrongTypeError(Exception):
    """The value is of another type; its text never holds the value."""


def _converter(seen: list[str]) -> "Converter":
    """Return a strict converter: nothing is coerced from another type.

    It adds each string that becomes a Secret to *seen*, so that it can be masked.
    """
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for type_ in (str, int, float, bool):
        converter.register_structure_hook(type_, _strict(PLAIN_TYPES[type_]))
    text = _strict((str,))

    def to_secret(value: object, type_: object) -> Secret:
        if isinstance(value, Secret):
            seen.append(value.reveal())
            return value
        seen.append(text(value, type_))
        return Secret(seen[-1])

    converter.register_structure_hook(Secret, to_secret)
    converter.register_structure_hook_func(_is_plain_union, _strict_union)
    return converter


def _strict(allowed: tuple[type, ...]) -> Any:
    def hook(value: object, _: object) -> object:
        if type(value) not in allowed:
            raise _WrongTypeError(
                f"expected {allowed[0].__name__}, got {type(value).__name__}"
            )
        return value

    return hook


def _is_plain_union(type_: object) -> bool:
    """Return whether it is, for instance, ``int | str``; cattrs has ``int | None``."""
    kinds = [kind for kind in get_args(type_) if kind is not NoneType]
    union = get_origin(type_) in (Union, UnionType)
    return union and len(kinds) > 1 and all(kind in PLAIN_TYPES for kind in kinds)


def _strict_union(value: object, type_: object) -> object:
    kinds = get_args(type_)
    if type(value) not in kinds:
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise _WrongTypeError(f"expected {expected}, got {type(value).__name__}")
    return value
