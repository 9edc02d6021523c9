"""What a test of the contract needs of a store: marks that need no plugin."""

from collections.abc import Callable
from typing import Any, TypeVar

from mooring.core import Capability

F = TypeVar("F", bound=Callable[..., Any])

_NEEDED = "requires_capabilities"
_ABSENT = "lacks_capabilities"


def requires(*capabilities: Capability) -> Callable[[F], F]:
    """Let a test apply only to stores that have all of *capabilities*."""
    return _marking(_NEEDED, frozenset(capabilities))


def lacks(*capabilities: Capability) -> Callable[[F], F]:
    """Let a test apply only to stores that have none of *capabilities*.

    It says what happens instead: a capability that is not declared is refused.
    """
    return _marking(_ABSENT, frozenset(capabilities))


def depends_on_capabilities(test: object) -> bool:
    """Return whether a test is marked by `requires` or `lacks`."""
    return hasattr(test, _NEEDED) or hasattr(test, _ABSENT)


def why_not(test: object, present: frozenset[Capability]) -> str:
    """Return why a test does not apply to a store, "" if it does.

    Args:
        test: The test's function.
        present: The capabilities of the store.
    """
    missing = _marked(test, _NEEDED) - present
    if missing:
        return f"the store does not declare {_listed(missing)}"
    excess = _marked(test, _ABSENT) & present
    if excess:
        return f"for stores without {_listed(excess)}"
    return ""


def _marking(name: str, capabilities: frozenset[Capability]) -> Callable[[F], F]:
    def mark(test: F) -> F:
        setattr(test, name, capabilities)
        return test

    return mark


def _marked(test: object, name: str) -> frozenset[Capability]:
    found: frozenset[Capability] = getattr(test, name, frozenset())
    return found


def _listed(capabilities: frozenset[Capability]) -> str:
    return ", ".join(sorted(capabilities))
