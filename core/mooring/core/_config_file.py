"""The one configuration file: which it is, and what it says."""

import os
from collections.abc import Mapping
from typing import Any, Final

import attrs

from mooring.core._document import Document, UnreadableError
from mooring.core._problem import Problem
from mooring.core.errors import ConfigError

# Names the file where no argument does.
VARIABLE: Final = "MOORING_CONFIG"
_NAMES: Final = ("mooring.toml", "mooring.yaml")
_YAML: Final = (".yaml", ".yml")
# Bytes. A configuration is a few thousand; what is larger is another file.
_LARGEST: Final = 262_144


@attrs.frozen(kw_only=True)
class ConfigFile:
    """A configuration file that was read.

    Attributes:
        path: As it was given.
        document: What it holds.
        passed_over: The file that is not read because this one is; "" if none.
    """

    path: str
    document: Document
    passed_over: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether its name says that it is for nothing else."""
        return os.path.basename(self.path) in _NAMES

    def place(self, *keys: str) -> str:
        """Return where a key stands, such as ``mooring.toml:4``."""
        for length in range(len(keys), 0, -1):
            line = self.document.lines.get(keys[:length])
            if line is not None:
                return f"{self.path}:{line}"
        return self.path

    def table(self, *keys: str) -> Mapping[str, Any] | None:
        """Return the table of that name; None if there is none.

        Raises:
            ConfigError: It is no table.
        """
        found: Any = self.document.data
        for depth, key in enumerate(keys):
            if key not in found:
                return None
            found = found[key]
            if found is None:  # as YAML has an empty section
                return {}
            if not isinstance(found, Mapping):
                told = "must be a table of settings, such as driver"
                place = self.place(*keys[: depth + 1])
                raise ConfigError([Problem(".".join(keys[: depth + 1]), told, place)])
        return found if isinstance(found, Mapping) else None


def find_file(
    path: "str | os.PathLike[str] | None", environ: Mapping[str, str]
) -> ConfigFile | None:
    """Return the file that applies: argument, MOORING_CONFIG, ./mooring.toml or .yaml.

    Raises:
        ConfigError: It cannot be read. No value of it is in the message.
    """
    if path is not None:
        return _read(os.fspath(path), "")
    named = environ.get(VARIABLE)
    if named:
        return _read(named, f"{VARIABLE} names ")
    present = [name for name in _NAMES if os.path.lexists(name)]
    if not present:
        return None
    return attrs.evolve(_read(present[0], ""), passed_over="".join(present[1:]))


def read_text(path: str, what: str = "") -> str:
    """Return the text of a file that configures something.

    Args:
        path: The file.
        what: How a message begins, before the path.

    Raises:
        ConfigError: It is missing, unreadable, too large or no UTF-8.
    """
    problem = hint = None
    content = b""
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        problem = f"cannot be read: {getattr(error, 'strerror', 'not a path')}"
        if isinstance(error, FileNotFoundError):
            problem = "does not exist"
            hint = f"make it, or correct the path; the folder is {os.getcwd()}"
    if len(content) > _LARGEST:
        problem = f"is larger than {_LARGEST:,} bytes, so it is no configuration"
    text = ""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problem = problem or "is not UTF-8"
    if problem is None:
        return text
    raise ConfigError([f"{what}{path!r} {problem}"], hint=hint)


def _read(path: str, what: str) -> ConfigFile:
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in (".toml", *_YAML):
        raise ConfigError(
            [f"{what}{path!r} ends in neither .toml nor .yaml"],
            hint="name a configuration file, in TOML or YAML",
        )
    text = read_text(path, what)
    try:
        document = _parse(text, suffix)
    except UnreadableError as error:
        place = path if error.line is None else f"{path}:{error.line}"
        failure = ConfigError([Problem("", str(error), place)])
    except ModuleNotFoundError:
        failure = ConfigError(
            [f"{what}{path!r} is YAML, and PyYAML is not installed"],
            hint="install mooring[yaml] from where you installed mooring, or write the"
            " file in TOML",
        )
    else:
        if isinstance(document.data, Mapping):
            return ConfigFile(path=path, document=document)
        failure = ConfigError([Problem("", "holds no tables", path)])
    # Outside the except block: the context would hold what was read.
    raise failure


def _parse(text: str, suffix: str) -> Document:
    if suffix in _YAML:
        from mooring.core._yaml import read_yaml

        return read_yaml(text)
    from mooring.core._toml import read_toml

    return read_toml(text)
