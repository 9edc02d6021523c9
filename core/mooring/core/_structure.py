"""From a mapping to a driver's configuration instance, strictly."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from mooring.core._config import PLAIN_TYPES, StoreConfig, suggest
from mooring.core._secret import Secret
from mooring.core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from cattrs import Converter

# A plain string becomes a Secret in the field's converter.
_SECRET_TYPES = (Secret, Secret | None)


def structure(options: Mapping[str, object], config_class: type[StoreConfig]) -> Any:
    """Return an instance of *config_class* made of *options*.

    Plain options take a fast door: the class is called directly, its validators run.
    Everything else, and everything wrong, goes field by field through cattrs, which
    collects all problems. Both doors give equal instances.

    Raises:
        ConfigError: With every problem found; no secret is in it, nor in its context.
    """
    if all(type(key) is str for key in options) and _is_plain(options, config_class):
        try:
            return _call(config_class, options)
        except ConfigError:
            pass  # the slow door finds the other problems too
    result = _structure_fields(options, config_class)
    if isinstance(result, list):
        raise ConfigError(result)
    return result


def option_fields(
    config_class: type[StoreConfig],
) -> dict[str, "attrs.Attribute[Any]"]:
    """Return the options of a configuration class by key, in order."""
    return {
        field.alias or field.name: field
        for field in attrs.fields(config_class)
        if field.init
    }


def _is_plain(options: Mapping[str, object], config_class: type[StoreConfig]) -> bool:
    fields = option_fields(config_class)
    for key, value in options.items():
        field = fields.get(key)
        if field is None:
            return False
        if field.type in _SECRET_TYPES and type(value) is str:
            continue
        if type(value) not in PLAIN_TYPES.get(field.type, ()):
            return False
    return True


def _structure_fields(
    options: Mapping[str, object], config_class: type[StoreConfig]
) -> StoreConfig | list[Problem]:
    """Return the instance, or all problems in the order of the options' fields."""
    fields = option_fields(config_class)
    converter = _converter()
    attrs.resolve_types(config_class)
    types = {key: field.type for key, field in option_fields(config_class).items()}
    problems: list[Problem] = []
    good: dict[str, object] = {}
    for key, field in fields.items():
        if key not in options:
            continue
        found = _structure_one(converter, field, types[key], options[key])
        if isinstance(found, Problem):
            problems.append(found)
        else:
            good[key] = found[0]
    problems += _unknown(options, fields)
    instance, more = _construct(config_class, good)
    failed = {problem.key for problem in problems}
    problems += [problem for problem in more if problem.key not in failed]
    if not problems and instance is not None:
        return instance
    return problems


def _structure_one(
    converter: "Converter", field: "attrs.Attribute[Any]", type_: Any, value: object
) -> Problem | tuple[object]:
    """Return the option's value in a 1-tuple, or what is wrong with it."""
    key = field.alias or field.name
    if field.type in _SECRET_TYPES or field.metadata.get("secret"):
        if isinstance(value, str | Secret | None):
            return (value,)
        return Problem(key, f"expected str, got {type(value).__name__}")
    try:
        structured = converter.structure(value, type_)
    except _WrongTypeError as error:
        return Problem(key, str(error))
    except Exception as error:  # noqa: BLE001 - a third party's hook
        return Problem(key, _reason(error, type_))
    try:
        if field.validator is not None:
            field.validator(None, field, structured)
    except ConfigError as error:
        return error.problems[0]
    except AttributeError:
        pass  # it looks at other options: asked again when there is an instance
    except Exception as error:  # noqa: BLE001 - a third party's validator
        return Problem(key, _reason(error, type_))
    return (structured,)


def _reason(error: Exception, type_: Any) -> str:
    """Return the innermost texts of what cattrs or a validator raised."""
    if isinstance(error, ExceptionGroup):
        texts = [_reason(inner, type_) for inner in error.exceptions]
        return "; ".join(dict.fromkeys(texts))
    # attrs validators carry (message, attribute, ...) in their arguments.
    text = str(error.args[0]) if error.args else type(error).__name__
    return text.splitlines()[0] if text else f"is not a valid {type_!r}"


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
    config_class: type[StoreConfig], good: Mapping[str, object]
) -> tuple[StoreConfig | None, list[Problem]]:
    """Call the class; its checks between options run here."""
    try:
        return _call(config_class, good), []
    except ConfigError as error:
        return None, list(error.problems)
    except Exception as error:  # noqa: BLE001 - a third party's class
        text = _reason(error, config_class)
    for key, value in good.items():
        field = option_fields(config_class)[key]
        if field.metadata.get("secret") or field.type in _SECRET_TYPES:
            raw = value.reveal() if isinstance(value, Secret) else str(value)
            text = text.replace(raw, "***") if raw else text
    return None, [Problem("", text)]


def _call(config_class: Any, options: Mapping[str, object]) -> StoreConfig:
    instance: StoreConfig = config_class(**options)
    return instance


class _WrongTypeError(Exception):
    """The value is of another type; its text never holds the value."""


def _converter() -> "Converter":
    """Return a strict converter: nothing is coerced from another type."""
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for type_ in (str, int, float, bool):
        converter.register_structure_hook(type_, _strict(PLAIN_TYPES[type_]))
    return converter


def _strict(allowed: tuple[type, ...]) -> Any:
    def hook(value: object, _: object) -> object:
        if type(value) not in allowed:
            raise _WrongTypeError(
                f"expected {allowed[0].__name__}, got {type(value).__name__}"
            )
        return value

    return hook
