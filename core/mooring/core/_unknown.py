"""The error for a driver name that nobody registered: a report of the search."""

from collections.abc import Sequence

from mooring.core._entry import DriverEntry
from mooring.core.errors import UnknownDriverError


def unknown_driver(
    name: str, entries: Sequence[DriverEntry], *, group: str
) -> UnknownDriverError:
    """Return the error: what was asked for, what there is, and what to install."""
    usable = [e.name for e in entries if e.state in ("available", "loaded")]
    broken = {e.name: e.reason for e in entries if e.name not in usable}
    extras = _extras()
    known = [extra for extra in extras if extra not in (*usable, *broken)]
    suggestion = _closest(name, [*usable, *known])
    wanted = suggestion if suggestion in known else None
    if name in known:
        text = f"driver {name!r} is known but not installed"
        wanted, suggestion = name, None
    else:
        text = f"unknown driver {name!r}"
    if suggestion:
        text += f"; did you mean {suggestion!r}?"
    text += f"; installed: {', '.join(usable) or 'none'}"
    if broken:
        reasons = ", ".join(f"{n} ({why})" for n, why in broken.items())
        text += f"; not usable: {reasons}"
    if wanted is not None:
        hint = f"install {extras[wanted]} from where you installed mooring"
    elif usable:
        hint = f"set driver to {' or '.join(usable)}, or install the one you need"
    else:
        hint = f"install a driver: a distribution with an entry point in {group}"
    return UnknownDriverError(
        text,
        driver=name,
        installed=usable,
        broken=broken,
        suggestion=suggestion,
        hint=hint,
    )


def _closest(name: str, names: Sequence[str]) -> str | None:
    from difflib import get_close_matches

    # "postgresql" and "Postgres" are the commonest slips of the field.
    for known in names:
        if name.lower().startswith(known) or known.startswith(name.lower() or "?"):
            return known
    return next(iter(get_close_matches(name.lower(), names, n=1)), None)


def _extras() -> dict[str, str]:
    """Return the drivers that extras of our own distribution install, with the extra.

    Read from the metadata, so that core names no engine; an extra counts only if it
    installs a distribution called like the driver. A stranger's package is never
    suggested: anybody may have uploaded it.
    """
    from importlib.metadata import PackageNotFoundError, requires

    own = "mooring"
    found: dict[str, str] = {}
    try:
        requirements = requires(own) or []
    except PackageNotFoundError:
        return found
    for requirement in requirements:
        wanted, _, marker = requirement.partition(";")
        extra = marker.replace('"', "'").partition("extra == '")[2].partition("'")[0]
        if extra and wanted.strip().startswith(f"{own}-{extra}"):
            found[extra] = f"{own}[{extra}]"
    return found
