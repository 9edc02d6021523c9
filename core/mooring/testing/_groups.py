"""The groups of the contract for a reader: name, rule, and where it is explained."""

import re
from typing import NamedTuple

from mooring.testing import contract
from mooring.testing.contract import ContractFixtures

_RULES = "docs/explanation/rules.md"
_MIGRATIONS = "docs/how-to/own-migrations.md#when-they-are-applied"
_VALUES = "docs/reference/core.md#values-and-results"

# Beside the groups, not in them: they say what holds, not where it is explained.
_READ: dict[str, str] = {
    "identity": "docs/reference/hooks.md#driver_info",
    "config": "docs/reference/core.md#configuration",
    "secrets": "docs/how-to/write-your-first-driver.md#before-you-publish",
    "lifecycle": f"{_RULES}#a-closed-store-says-so",
    "health": "docs/reference/hooks.md#health_check",
    "errors": f"{_RULES}#errors-are-ours-with-the-cause-kept",
    "parameters": f"{_RULES}#parameters-are-named-and-fit-exactly",
    "values": f"{_RULES}#parameters-are-named-and-fit-exactly",
    "results": _VALUES,
    "rows-into-classes": _VALUES,
    "control-statements": f"{_RULES}#control-statements-are-refused",
    "failed-scope": f"{_RULES}#a-failed-scope-stays-failed",
    "savepoints": f"{_RULES}#a-failed-scope-stays-failed",
    "nesting": f"{_RULES}#one-scope-at-a-time",
    "snapshots": f"{_RULES}#a-snapshot-is-one-state-and-only-reads",
    "isolation": f"{_RULES}#isolation-has-two-words",
    "run": f"{_RULES}#isolation-has-two-words",
    "deadlines": f"{_RULES}#every-wait-ends",
    "concurrency": f"{_RULES}#isolation-has-two-words",
    "unsupported": f"{_RULES}#what-a-store-does-not-have-it-refuses",
    "migrations": _MIGRATIONS,
    "migrator": _MIGRATIONS,
    "migration-failures": _MIGRATIONS,
    "python-migrations": "docs/how-to/own-migrations.md#in-python",
    "schema": "docs/reference/hooks.md#migrations_dir",
    "pickling": f"{_RULES}#errors-are-ours-with-the-cause-kept",
    "streams": f"{_RULES}#a-snapshot-is-one-state-and-only-reads",
    "crash": "docs/explanation/durability.md#the-promise",
    "traces": f"{_RULES}#every-wait-ends",
    "histories": f"{_RULES}#isolation-has-two-words",
}


class Group(NamedTuple):
    """A group of the contract.

    Attributes:
        name: Its name, such as ``failed-scope``.
        rule: What it asks of a driver, in a sentence.
        read: The page of the documentation that explains it, and the section.
        tests: The names of its tests.
    """

    name: str
    rule: str
    read: str
    tests: frozenset[str]


def _group(mixin: type) -> Group:
    words = re.findall("[A-Z][a-z]*", mixin.__name__.removesuffix("Contract"))
    name = "-".join(words).lower()
    return Group(
        name=name,
        rule=" ".join((mixin.__doc__ or "").partition("\n\n")[0].split()),
        read=_READ.get(name, _RULES),
        tests=frozenset(name for name in vars(mixin) if name.startswith("test_")),
    )


_BY_CLASS = {mixin: _group(mixin) for mixin in contract.GROUPS}

GROUPS: tuple[Group, ...] = tuple(_BY_CLASS.values())


def groups_of(test_class: object) -> list[Group]:
    """Return the groups that a class of tests is made of, in order; [] if of none."""
    if not isinstance(test_class, type) or not issubclass(test_class, ContractFixtures):
        return []
    return [
        group for mixin, group in _BY_CLASS.items() if issubclass(test_class, mixin)
    ]


def group_of(test_class: object, test: str) -> Group | None:
    """Return the group that a test of a class comes from; None for one of its own."""
    found = (group for group in groups_of(test_class) if test in group.tests)
    return next(found, None)


def claim(test: str) -> str:
    """Return what a test claims, in words: its name, and its case in parentheses."""
    name, _, case = test.removeprefix("test_").partition("[")
    words = name.replace("_", " ")
    return f"{words} ({case.removesuffix(']')})" if case else words
