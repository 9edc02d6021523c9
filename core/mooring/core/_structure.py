"""From a mapping to a driver's configuration instance, strictly."""

from collections.abc import Mapping
from typing import Any

import attrs

from mooring.core._config import PLAIN_TYPES, StoreConfig
from mooring.core._secret import Secret
from mooring.core.errors import ConfigError

# A plain string becomes a Secret in the field's converter.
SECRET_TYPES = (Secret, Secret | None)


def structure(options: Mapping[str, object], config_class: type[StoreConfig]) -> Any:
    """Return an instance of *config_class* made of *options*.

    Plain options take a fast door: the class is called directly, its validators run.
    Everything else, and everything wrong, goes field by field through cattrs, which
    collects all problems. Both doors give equal instances.

    Raises:
        ConfigError: With every problem found; no secret is in it, nor in its context.
    """
    if all(type(key) is str for key in options) and _is_plain(options, config_class):
        made: Any = config_class
        try:
            return made(**options)
        except Exception:  # noqa: BLE001, S110 - a third party's validator
            pass  # the slow door finds the other problems too
    from mooring.core._strict import structure_fields

    result = structure_fields(options, config_class)
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
        if field.type in SECRET_TYPES and type(value) is str:
            continue
        if type(value) not in PLAIN_TYPES.get(field.type, ()):
            return False
    return True
