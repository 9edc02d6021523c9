"""Where options are given: each source as a layer, the strongest first."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from mooring.core._config import suggest
from mooring.core._config_file import ConfigFile
from mooring.core._env_file import Variable
from mooring.core._problem import Problem
from mooring.core.errors import ConfigError

PREFIX: Final = "DB_"
# What platforms set for the one database of an application. Weaker than all of DB_*.
PLATFORM_URL: Final = "DATABASE_URL"
# The table, or the part of a variable's name, for what only one driver knows.
_OPTIONS: Final = "options"
_OPT: Final = "opt_"


@attrs.frozen(kw_only=True)
class Given:
    """An option as a layer gives it.

    Attributes:
        value: What is given; a text stands for a value of the option's type.
        source: Where, such as "mooring.toml:4", "env DB_PORT" or "--url".
        is_text: Whether it is a text, of the environment or a flag.
    """

    value: object
    source: str
    is_text: bool = False


@attrs.frozen(kw_only=True)
class Layer:
    """What one source gives.

    Attributes:
        options: By name: options, "driver" and "url".
        shared: Whether names that are unknown may be meant for others.
        prefix: What stands before an option's name there, as it is written.
    """

    options: Mapping[str, Given]
    shared: bool = False
    prefix: str = ""


def of_arguments(overrides: Mapping[str, object]) -> Layer:
    """Return the layer of Python arguments."""
    return Layer(
        options={
            key: Given(value=value, source="argument")
            for key, value in overrides.items()
        }
    )


def of_flags(flags: Mapping[str, str], flag: Callable[[str], str]) -> Layer:
    """Return the layer of a command line; *flag* says how each one is written."""
    return Layer(
        options={
            key: Given(value=text, source=flag(key), is_text=True)
            for key, text in flags.items()
        }
    )


def of_environment(
    environ: Mapping[str, str],
    variables: Mapping[str, Variable],
    env_file: str,
    prefix: str,
) -> list[Layer]:
    """Return the layers of the environment; a variable that is empty is not set.

    Args:
        environ: The process's.
        variables: Those of the file; the process's win.
        env_file: Its path.
        prefix: What the names of options begin with.
    """
    found: dict[str, Given] = {}
    for name, variable in variables.items():
        source = f"{env_file}:{variable.line} {name}"
        found[name] = Given(value=variable.text, source=source, is_text=True)
    for name, text in environ.items():
        if text or name not in found:
            found[name] = Given(value=text, source=f"env {name}", is_text=True)
    options = {}
    for name in sorted(found):
        key = name[len(prefix) :]
        if name.startswith(prefix) and key and found[name].value:
            # A name that is not in capitals is another one, and so unknown.
            key = key.lower() if key.isupper() else key
            options[key.removeprefix(_OPT)] = found[name]
    layers = [Layer(options=options, shared=True, prefix=prefix)]
    # It belongs to the one database that has no name of its own.
    platform = found.get(PLATFORM_URL)
    if prefix == PREFIX and platform is not None and platform.value:
        layers.append(Layer(options={"url": platform}, shared=True))
    return layers


def of_file(file: ConfigFile, *keys: str) -> Layer | None:
    """Return the layer of one table of a file; None if there is no such table.

    Raises:
        ConfigError: It is no table, or gives an option twice.
    """
    table = file.table(*keys)
    if table is None:
        return None
    options = {
        key: Given(value=value, source=file.place(*keys, str(key)))
        for key, value in table.items()
        if key != _OPTIONS
    }
    own = file.table(*keys, _OPTIONS) or {}
    twice = []
    for key, value in own.items():
        place = file.place(*keys, _OPTIONS, str(key))
        if key in options:
            told = f"is given twice, also at {options[key].source}"
            twice.append(Problem(str(key), told, place))
        options[key] = Given(value=value, source=place)
    if twice:
        raise ConfigError(twice)
    return Layer(options=options)


def of_profile(
    file: ConfigFile | None, section: tuple[str, ...], profile: str
) -> Layer:
    """Return the layer of ``[profiles.NAME]``.

    Raises:
        ConfigError: There is none of that name; it says which there are.
    """
    if file is None:
        raise ConfigError(
            [f"profile {profile!r} is asked for, and there is no configuration file"],
            hint=f"make mooring.toml in {os.getcwd()}, with a table"
            f" [profiles.{profile}]; or name a file with --config or MOORING_CONFIG",
        )
    above = (*section[:-1], "profiles")
    layer = of_file(file, *above, profile)
    if layer is not None:
        return layer
    known: list[Any] = [*(file.table(*above) or ())]
    near = suggest(profile, [str(name) for name in known])
    raise ConfigError(
        [Problem("", f"there is no profile {profile!r}{near}", file.path)],
        hint=f"its profiles: {', '.join(map(str, known))}"
        if known
        else f"add a table [{'.'.join(above)}.{profile}] to it",
    )


def refuse_strays(file: ConfigFile, section: tuple[str, ...]) -> None:
    """Refuse a file without its section where one was meant.

    A file of another name may configure an application whose store is configured in
    the environment.

    Raises:
        ConfigError: The section's name is misspelt, its settings are at the top, or the
            file is called mooring.toml.
    """
    table = ".".join(section)
    strays = [key for key in ("driver", "url") if key in file.document.data]
    told = f"stands outside of the table [{table}]"
    problems = [Problem(key, told, file.place(key)) for key in strays]
    hint: str | None = f"write [{table}] in a line above the settings"
    names = [name for name in file.document.data if isinstance(name, str)]
    near = suggest(table, names)
    if near and not problems:
        found = near.split("'")[1]
        told = f"is no table that is read; did you mean [{table}]?"
        problems.append(Problem("", f"[{found}] {told}", file.place(found)))
        hint = None
    if file.is_ours and not problems:
        told = f"has no table [{table}], where the settings stand"
        problems.append(Problem("", told, file.path))
    if problems:
        raise ConfigError(problems, hint=hint)
