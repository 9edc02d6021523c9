"""A configuration's settings, with where each one came from."""

from collections.abc import Container
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mooring.core import StoreConfig


def describe(
    config: "StoreConfig", given: Container[str], source: str
) -> list[dict[str, Any]]:
    """Return each setting as key, value, unit and source; secrets are masked.

    Args:
        config: The configuration.
        given: The keys that *source* set; the others have their defaults.
        source: Who set them, in words.
    """
    from mooring.core import Secret, option_fields

    settings = [{"key": "driver", "value": config.driver, "unit": "", "source": source}]
    for key, field in option_fields(type(config)).items():
        value = getattr(config, field.name)
        settings.append(
            {
                "key": key,
                "value": str(value) if isinstance(value, Secret) else value,
                "unit": field.metadata.get("unit", ""),
                "source": source if key in given else "default",
            }
        )
    return settings
