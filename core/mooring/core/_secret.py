"""A string that does not show itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NoReturn

_MASK = "***"


class Secret:
    """Hold a secret so that no repr, log line, traceback or ``asdict`` shows it.

    Equality compares the content; nothing else gives it away but `reveal`.

    Args:
        value: The secret; a string of any length.

    Raises:
        TypeError: *value* is not a string. The message names its type only.
    """

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a secret must be str, not {type(value).__name__}")
        # A closure, so that walkers over slots and __dict__ find no string.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """Return the secret itself; the one place where it leaves."""
        return self._reveal()

    def __repr__(self) -> str:
        return f"Secret({_MASK!r})"

    def __str__(self) -> str:
        return _MASK

    def __bool__(self) -> bool:
        return bool(self._reveal())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self._reveal() == other._reveal()

    def __hash__(self) -> int:
        return hash(self._reveal())

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: pass the configuration's source on")


def secrets_in(value: object) -> Iterator[str]:
    """Yield the content of every Secret in a configuration, nested ones too."""
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, Mapping):
        yield from secrets_in(list(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from secrets_in(item)
    else:
        for field in getattr(type(value), "__attrs_attrs__", ()):
            yield from secrets_in(getattr(value, field.name))


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return *text* with ``***`` for each secret, quoted or escaped ones too."""
    wanted = set(filter(None, secrets))
    if not wanted:
        return text
    from urllib.parse import quote, quote_plus

    forms: set[str] = set()
    for secret in wanted:
        escaped = secret.encode("unicode_escape").decode()
        forms |= {secret, repr(secret)[1:-1], escaped, escaped.replace('"', '\\"')}
        raw = secret.encode(errors="surrogatepass")
        forms |= {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, _MASK)
    return text
