"""Entry points of installed distributions, found without importing any of them.

Importing ``importlib.metadata`` takes long for a start, so an ordinary
installation, ``name-version.dist-info`` folders on the path, is read directly.
Where anything is unusual the whole answer comes from ``importlib.metadata``:
an answer is never put together from both.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_FILE = "entry_points.txt"

# What pip leaves of an uninstall that failed (pypa/pip#10452); taken for a
# distribution, it would claim the entry points of the one it once was.
_LEFTOVER = ("~", "-")


class EntryPoint(NamedTuple):
    """One line of a group: what is offered, and by whom.

    ``value`` is ``module`` or ``module:attr``, extras dropped. It is as written:
    to diagnose a misspelt one is the registry's part.
    """

    name: str
    value: str
    distribution: str
    version: str


def scan(group: str, path: Sequence[str] | None = None) -> list[EntryPoint]:
    """Find the entry points of a group.

    Args:
        group: What stands in the brackets of ``entry_points.txt``.
        path: Folders to search instead of ``sys.path``.

    Returns:
        In the order of the path, then of the file. Of a distribution found
        twice the first copy counts, the one that an import finds. A name that
        two distributions claim appears twice.
    """
    try:
        _require_standard_finder()
        return list(_scan_folders(group, _entries(path)))
    except (OSError, ValueError):
        return scan_metadata(group, path)


def scan_metadata(group: str, path: Sequence[str] | None = None) -> list[EntryPoint]:
    """Find the entry points of a group through ``importlib.metadata``.

    The answer of ``scan``, slower but on every installation. A distribution whose
    metadata cannot be read is left out, and does not hide the others.
    """
    from importlib.metadata import distributions

    found: list[EntryPoint] = []
    seen = set()
    for dist in distributions(path=_entries(path)):
        child: str = getattr(getattr(dist, "_path", None), "name", "")
        if child.startswith(_LEFTOVER):
            continue
        try:
            key, name, version = _identify(dist, child)
            if key in seen:
                continue
            seen.add(key)
            text = dist.read_text(_FILE) or ""
        except Exception:  # noqa: BLE001, S112 - a foreign finder raises anything
            continue
        found += _parse(text, group, name, version)
    return found


def _require_standard_finder() -> None:
    """Check that distributions come from the interpreter's path finder alone.

    Raises:
        ValueError: Another finder has its own, or has taken the standard one's
            place as the importlib_metadata backport does.
    """
    finders = [f for f in sys.meta_path if getattr(f, "find_distributions", None)]
    origins = [getattr(finder, "__module__", None) for finder in finders]
    if origins != ["_frozen_importlib_external"]:
        raise ValueError(origins)


def _entries(path: Sequence[str] | None) -> list[str]:
    """List the entries of a path once each, without those that an import skips."""
    entries: Iterable[object] = dict.fromkeys(sys.path if path is None else path)
    return [entry for entry in entries if isinstance(entry, str)]


def _scan_folders(group: str, folders: Iterable[str]) -> Iterator[EntryPoint]:
    """Read the ordinary installation.

    Raises:
        OSError: A folder or file cannot be read; a folder is a zip.
        ValueError: A file is not UTF-8, or the group is not in a ``.dist-info``.
    """
    wanted = group.encode()
    seen = set()
    for folder in folders:
        for child in _children(folder):
            name, version = _split(child)
            key = _normalize(name)
            # One distribution seen twice is no conflict (beeware/toga#1637).
            if key in seen:
                continue
            seen.add(key)
            # Joined by hand: `os.path.join` takes as long as reading the file.
            content = _read(f"{folder or '.'}/{child}/{_FILE}")
            if wanted not in content:
                continue
            if not version:
                raise ValueError(child)
            yield from _parse(content.decode(), group, name, version)


def _children(folder: str) -> list[str]:
    try:
        children = os.listdir(folder or ".")
    except FileNotFoundError:
        return []
    # "egg-info" without its dot is also the EGG-INFO of an .egg folder.
    return [
        child
        for child in children
        if child.lower().endswith((".dist-info", "egg-info"))
        and not child.startswith(_LEFTOVER)
    ]


def _read(file: str) -> bytes:
    # Not through a file object: most have little in them or are not there, and those
    # of hundreds of distributions are read.
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size)
    except IsADirectoryError:
        return b""
    finally:
        os.close(descriptor)


def _split(child: str) -> tuple[str, str]:
    """Split ``name-version.dist-info`` into name and version.

    The version of an ``.egg-info`` is left empty: as long as it does not offer the
    group, it matters only because it shadows later copies.

    Raises:
        ValueError: The name has another form.
    """
    stem, _, suffix = child.rpartition(".")
    name, _, version = stem.partition("-")
    if suffix == "egg-info" and name:
        return name, ""
    if suffix == "dist-info" and name and version and "-" not in version:
        return name, version
    raise ValueError(child)


def _identify(dist: "Distribution", child: str) -> tuple[str, str, str]:
    """Tell the shadowing key, the name and the version of a distribution.

    The key comes from its folder where there is one, ``child``, because that is
    what ``importlib.metadata`` compares.

    Raises:
        ValueError: It has no name.
    """
    stem, _, suffix = child.rpartition(".")
    of_folder = stem.partition("-")[0] if suffix in ("dist-info", "egg-info") else ""
    try:
        name, version = _split(child)
    except ValueError:
        name = version = ""
    if not version:
        name, version = _headers(dist)
        name = name or of_folder
    if not name:
        raise ValueError(child)
    return _normalize(of_folder or name), name, version


def _headers(dist: "Distribution") -> tuple[str, str]:
    # Not `dist.metadata`: what it does about a missing file or field, None, a
    # warning or an exception, depends on the version of Python.
    text = dist.read_text("METADATA") or dist.read_text("PKG-INFO") or ""
    fields: dict[str, str] = {}
    for line in text.partition("\n\n")[0].splitlines():
        field, _, value = line.partition(":")
        fields.setdefault(field.lower(), value.strip())
    return fields.get("name", ""), fields.get("version", "")


def _normalize(name: str) -> str:
    """Spell a distribution's name as PEP 503 does, without importing ``re``."""
    key = name.lower().replace("_", "-").replace(".", "-")
    while "--" in key:
        key = key.replace("--", "-")
    return key


def _parse(text: str, group: str, name: str, version: str) -> Iterable[EntryPoint]:
    """Read the lines of a group, each once; one that assigns nothing is skipped."""
    found: dict[EntryPoint, None] = {}
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line.strip("[]")
        elif section == group and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            target = ":".join(map(str.strip, value.partition("[")[0].split(":")))
            found[EntryPoint(key.strip(), target, name, version)] = None
    return found
