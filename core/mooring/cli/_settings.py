"""A configuration's settings, with where each one came from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mooring.core import StoreConfig


def describe(config: "StoreConfig", sources: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return each setting as key, value, unit and source; secrets are masked.

    Args:
        config: The configuration.
        sources: Who set the driver and the options, in words; what is not in it has
            its default.
    """
    from mooring.core import Secret, option_fields

    driver = {"key": "driver", "value": config.driver, "unit": ""}
    settings = [{**driver, "source": sources["driver"]}]
    for key, field in option_fields(type(config)).items():
        value = getattr(config, field.name)
        settings.append(
            {
                "key": key,
                "value": str(value) if isinstance(value, Secret) else value,
                "unit": field.metadata.get("unit", ""),
                "source": sources.get(key, "default"),
            }
        )
    return settings
