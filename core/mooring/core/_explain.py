"""A configuration with where each of its settings came from."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from mooring.core._config import StoreConfig, option_fields
from mooring.core._layers import Given
from mooring.core._located import shown
from mooring.core._secret import Secret
from mooring.core.errors import ConfigError


@attrs.frozen(kw_only=True)
class Setting:
    """One setting of a configuration.

    Attributes:
        key: The option, or "driver".
        value: None, or a bool, number or text; ``***`` for a secret that is set.
        unit: Of the value, such as "seconds"; "" for none.
        source: Where it was given, such as "mooring.toml:4", "env DB_PORT", "--url" or
            "argument"; "default" where it was not.
    """

    key: str
    value: object
    unit: str
    source: str


@attrs.frozen(kw_only=True)
class Explanation:
    """What `explain` found.

    Attributes:
        config: The driver's configuration; None if it is wrong.
        settings: Every option, in the order of the class. If the configuration is
            wrong, what was given; a value that may be a secret is ``(hidden)``.
        warnings: What was given and has no effect, in words.
        error: What is wrong, as `load` raises it; None if nothing is.
        file: Path of the configuration file that was read; "" if none was.
    """

    config: StoreConfig | None
    settings: Sequence[Setting]
    warnings: Sequence[str] = ()
    error: ConfigError | None = None
    file: str = ""


def settings_of(config: StoreConfig, sources: Mapping[str, str]) -> list[Setting]:
    """Return every setting of a configuration; secrets are masked.

    Args:
        config: The configuration.
        sources: Who set the driver and the options, in words; what is not in it has
            its default.
    """
    settings = [_setting("driver", config.driver, "", sources)]
    for key, field in option_fields(type(config)).items():
        unit = field.metadata.get("unit", "")
        settings.append(_setting(key, getattr(config, field.name), unit, sources))
    return settings


def given_settings(
    options: Mapping[str, Given],
    config_class: type[StoreConfig],
    sources: Mapping[str, str],
) -> list[Setting]:
    """Return what was given for a configuration that is wrong."""
    fields: Mapping[str, Any] = option_fields(config_class)
    driver = attrs.fields_dict(config_class)["driver"].default
    found = [_setting("driver", driver, "", sources)]
    for key, given in options.items():
        known = key in fields
        found.append(
            Setting(
                key=str(key),
                value=shown(str(key), given.value, fields),
                unit=fields[key].metadata.get("unit", "") if known else "",
                source=given.source,
            )
        )
    return found


def _setting(key: str, value: object, unit: str, sources: Mapping[str, str]) -> Setting:
    if isinstance(value, Secret):
        value = str(value)
    elif not isinstance(value, bool | int | float | str | None):
        value = repr(value)
    return Setting(key=key, value=value, unit=unit, source=sources.get(key, "default"))
