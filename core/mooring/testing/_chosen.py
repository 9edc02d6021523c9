"""Which drivers an application's tests run on."""

import pytest

from mooring import core


def chosen_drivers(names: str) -> list[str]:
    """Return the drivers that are named, each once and by its own name.

    Args:
        names: With commas between; "": the only one that is installed.

    Raises:
        pytest.UsageError: One cannot be used, or none is named among several.
    """
    wanted = [name for name in map(str.strip, names.split(",")) if name]
    if names and not wanted:
        raise pytest.UsageError(f"--mooring-driver: {names!r} names no driver")
    found = []
    problems = []
    for name in wanted or [_only_one()]:
        try:
            found.append(core.default_registry().info(name).name)
        except core.DriverError as error:
            problems.append(f"--mooring-driver: {error}")
    if problems:
        raise pytest.UsageError("\n".join(problems))
    return list(dict.fromkeys(found))


def _only_one() -> str:
    usable = [e for e in core.drivers() if e.state in ("available", "loaded")]
    by_target: dict[str, str] = {}
    for entry in usable:  # an alias leads where its driver does
        by_target.setdefault(entry.target, entry.name)
    if len(by_target) == 1:
        return by_target.popitem()[1]
    names = ", ".join(by_target.values()) or "none"
    raise pytest.UsageError(
        f"tests use stores, and it is not said on which driver; installed: {names}\n"
        "hint: give --mooring-driver=NAME, or set mooring_driver in pytest's"
        " configuration; several are separated by commas"
    )
