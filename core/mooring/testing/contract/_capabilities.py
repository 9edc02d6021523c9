"""What a test of the contract needs of a store: marks that need no plugin."""

from collections.abc import Callable
from typing import Any, TypeVar

from mooring.core import Capability

F = TypeVar("F", bound=Callable[..., Any])
G = TypeVar("G", bound=type)

_NEEDED = "requires_capabilities"
_ABSENT = "lacks_capabilities"
_NEEDED_SQL = "requires_sql_features"
_ABSENT_SQL = "lacks_sql_features"


def requires(*capabilities: Capability) -> Callable[[F], F]:
    """Let a test apply only to stores that have all of *capabilities*."""
    return _marking(_NEEDED, frozenset(capabilities))


def lacks(*capabilities: Capability) -> Callable[[F], F]:
    """Let a test apply only to stores that have none of *capabilities*.

    It says what happens instead: a capability that is not declared is refused.
    """
    return _marking(_ABSENT, frozenset(capabilities))


def requires_sql(*features: str) -> Callable[[F], F]:
    """Let a test apply only where there is SQL, and it has all of *features*.

    They are no capabilities: nothing but an application's own statements asks for them.
    """
    return _marking(_NEEDED_SQL, frozenset(features))


def of_sql(group: G) -> G:
    """Let all tests of a group apply only to stores that speak SQL."""
    for name, test in vars(group).items():
        if name.startswith("test_"):
            requires_sql()(test)
    return group


def lacks_sql(*features: str) -> Callable[[F], F]:
    """Let a test apply only where there is SQL, and it has none of *features*."""
    return _marking(_ABSENT_SQL, frozenset(features))


def depends_on_sql(test: object) -> bool:
    """Return whether a test applies only to stores that speak SQL."""
    return hasattr(test, _NEEDED_SQL) or hasattr(test, _ABSENT_SQL)


def depends_on_store(test: object) -> bool:
    """Return whether a test applies to some stores of a driver, and not to others."""
    marks = (_NEEDED, _ABSENT, _NEEDED_SQL, _ABSENT_SQL)
    return any(_marked(test, mark) for mark in marks)


def why_not(
    test: object,
    present: frozenset[Capability],
    features: frozenset[str] = frozenset(),
) -> str:
    """Return why a test does not apply to a store, "" if it does.

    Args:
        test: The test's function.
        present: The capabilities of the store.
        features: The optional SQL that its engine has.
    """
    missing = _marked(test, _NEEDED) - present
    if missing:
        return f"the store does not declare {_listed(missing)}"
    excess = _marked(test, _ABSENT) & present
    if excess:
        return f"for stores without {_listed(excess)}"
    unknown = _marked(test, _NEEDED_SQL) - features
    if unknown:
        return f"the engine's SQL has no {_listed(unknown)}"
    known = _marked(test, _ABSENT_SQL) & features
    return f"for engines without {_listed(known)}" if known else ""


def _marking(name: str, things: frozenset[Any]) -> Callable[[F], F]:
    def mark(test: F) -> F:
        setattr(test, name, _marked(test, name) | things)
        return test

    return mark


def _marked(test: object, name: str) -> frozenset[Any]:
    found: frozenset[Any] = getattr(test, name, frozenset())
    return found


def _listed(things: frozenset[Any]) -> str:
    return ", ".join(sorted(things))
