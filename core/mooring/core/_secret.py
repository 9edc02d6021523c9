"""A string that does not show itself."""

from collections.abc import Callable
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

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: pass the configuration's source on")
