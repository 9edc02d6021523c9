"""Keeping a configuration's secrets out of what a report says."""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote

from mooring.core import Secret, StoreConfig, option_fields

# A password inside a connection string: postgresql://user:PASSWORD@host, password=...
_INSIDE = re.compile(
    r"://[^:/@\s]*:([^@\s]+)@|password\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]+)"
)


def secrets_of(config: StoreConfig) -> set[str]:
    """Return the secrets of a configuration, and the passwords that stand in them."""
    values = (
        getattr(config, field.name) for field in option_fields(type(config)).values()
    )
    whole = {value.reveal() for value in values if isinstance(value, Secret) and value}
    inside = {
        part.strip("'")
        for secret in whole
        for match in _INSIDE.finditer(secret)
        for part in match.groups()
        if part
    }
    return {*whole, *inside, *map(unquote, inside)} - {""}


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return *text* with ``***`` for each secret, however it is quoted."""
    forms = {form for secret in secrets for form in _forms(secret)}
    # The longest first: a secret may be a part of another.
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield repr(secret)[1:-1]
    yield quote(secret, safe="")
    yield quote_plus(secret)
