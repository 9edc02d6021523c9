"""From files, environment and arguments to a driver's configuration."""

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType

from mooring.core._config import StoreConfig, option_fields
from mooring.core._config_file import ConfigFile, find_file
from mooring.core._configure import not_set, structure
from mooring.core._env_file import Variable, read_env_file
from mooring.core._explain import Explanation, given_settings, settings_of
from mooring.core._layers import (
    PREFIX,
    of_arguments,
    of_environment,
    of_file,
    of_flags,
    of_profile,
    refuse_strays,
)
from mooring.core._located import located
from mooring.core._merge import Merged, merge
from mooring.core._origin import remember_origin
from mooring.core._problem import Problem
from mooring.core._registry import Registry, default_registry
from mooring.core.errors import ConfigError

_Path = str | os.PathLike[str]
_NOTHING: Mapping[str, str] = MappingProxyType({})
_HINT = "`mooring config show --sources` lists what is set, and where"


def load(
    path: _Path | None = None,
    *,
    overrides: Mapping[str, object] = _NOTHING,
    flags: Mapping[str, str] = _NOTHING,
    flag: Callable[[str], str] = "--{}".format,
    profile: str | None = None,
    env: Mapping[str, str] | None = None,
    env_file: _Path | None = None,
    prefix: str = PREFIX,
    section: str = "database",
    registry: Registry | None = None,
) -> StoreConfig:
    """Return the configuration that arguments, environment and a file give together.

    What is stronger wins, option by option: *overrides*, *flags*, the *profile*, the
    environment, the file's section, the driver's defaults. Lists and tables replace
    each other as a whole. What has no effect is logged as a warning. Nothing is opened.

    Args:
        path: The file, in TOML or YAML (extra ``yaml``). Without it ``MOORING_CONFIG``
            names it, or it is ``mooring.toml`` or ``mooring.yaml`` in the working
            directory, if there is one.
        overrides: Options by name, also ``driver`` and ``url``, as Python values.
        flags: The same as texts, from the program's own command line.
        flag: How a flag is written, by its option, for messages.
        profile: The table ``[profiles.NAME]`` of the file to lay over its section.
            It was asked for by name, and so is stronger than the environment.
        env: The environment; the process's by default. An empty variable is not set.
        env_file: A file of further variables, weaker than the environment's.
        prefix: What the variables' names begin with. ``DATABASE_URL`` counts only with
            the default, ``DB_``.
        section: The file's table; dots lead into tables.
        registry: Where drivers are looked for; the process's own by default.

    Raises:
        ConfigError: With every problem, and where each is; no secret is in it.
        DriverError: The driver cannot be used.
    """
    found = explain(
        path,
        overrides=overrides,
        flags=flags,
        flag=flag,
        profile=profile,
        env=env,
        env_file=env_file,
        prefix=prefix,
        section=section,
        registry=registry,
    )
    if found.warnings:
        import logging

        log = logging.getLogger("mooring.core")
        for warning in found.warnings:
            log.warning("%s", warning, extra={"event_name": "config.ignored"})
    if found.error is not None:
        raise found.error
    assert found.config is not None  # noqa: S101 - there is no error
    return found.config


def explain(
    path: _Path | None = None,
    *,
    overrides: Mapping[str, object] = _NOTHING,
    flags: Mapping[str, str] = _NOTHING,
    flag: Callable[[str], str] = "--{}".format,
    profile: str | None = None,
    env: Mapping[str, str] | None = None,
    env_file: _Path | None = None,
    prefix: str = PREFIX,
    section: str = "database",
    registry: Registry | None = None,
) -> Explanation:
    """Return what `load` makes of the same arguments, and where each setting is from.

    What is wrong with options is in the result, so that it can be shown beside what
    was given; nothing is logged.

    Raises:
        ConfigError: A file or the driver's name cannot be read.
        DriverError: The driver cannot be used.
    """
    registry = registry or default_registry()
    environ = os.environ if env is None else env
    tables = tuple(section.split("."))
    file, variables = _read(path, env_file, environ)
    layers = [of_arguments(overrides), of_flags(flags, flag)]
    if profile is not None:
        layers.append(of_profile(file, tables, profile))
    layers += of_environment(
        environ, variables, "" if env_file is None else os.fspath(env_file), prefix
    )
    own = None if file is None else of_file(file, *tables)
    layers += [own] if own else []
    if file is not None and own is None and profile is None:
        refuse_strays(file, tables)
    also = f" (in a file, or {prefix}DRIVER in the environment)"
    merged = merge(layers, registry, also=also)
    warnings = merged.warnings
    if file is not None and file.passed_over:
        warnings.append(f"{file.passed_over} is ignored: {file.path} is there too")
    found = _configured(merged, registry, also)
    sources = {key: given.source for key, given in merged.options.items()}
    if merged.named is not None:
        sources["driver"] = merged.named.source
    config = None if isinstance(found, ConfigError) else found
    if config is not None:
        remember_origin(config, sources.values())
    return Explanation(
        config=config,
        settings=(
            settings_of(config, sources)
            if config
            else given_settings(merged.options, merged.config_class, sources)
        ),
        warnings=tuple(warnings),
        error=found if isinstance(found, ConfigError) else None,
        file=file.path if file else "",
    )


def _configured(
    merged: Merged, registry: Registry, also: str
) -> StoreConfig | ConfigError:
    """Return the instance, or every problem with where it is."""
    fields = option_fields(merged.config_class)
    failed = {problem.key for problem, _ in merged.problems}
    values = {key: given.value for key, given in merged.options.items()}
    problems = [located(problem, given, fields) for problem, given in merged.problems]
    error: ConfigError | None = None
    try:
        config: StoreConfig = structure(values, merged.config_class)
    except ConfigError as failure:
        error = failure
    else:
        if not problems:
            return config
    problems += [
        located(problem, merged.options.get(problem.key), fields)
        for problem in (error.problems if error else ())
        if problem.key not in failed
    ]
    order = {key: number for number, key in enumerate(["driver", "url", *fields])}
    problems.sort(key=lambda problem: order.get(problem.key, len(order)))
    problems = [_worded(one, merged, fields) for one in problems]
    hints = [*merged.hints, error.hint if error else None]
    hints.append(_HINT if len(problems) > 1 else None)
    hint = next(filter(None, hints), None)
    told = ConfigError(problems, hint=hint)
    if merged.named is None:
        return not_set(told, merged.driver, registry, also=also)
    return told


def _worded(problem: Problem, merged: Merged, fields: Mapping[str, object]) -> Problem:
    """Return a problem with the driver's name, or that its option is not set."""
    message = problem.message
    if message.startswith("unknown option"):
        message = message.replace("option", f"option of {merged.driver}", 1)
    absent = problem.key in fields and not problem.source and merged.options
    return problem._replace(
        message=message, source="not set" if absent else problem.source
    )


def _read(
    path: _Path | None, env_file: _Path | None, environ: Mapping[str, str]
) -> tuple[ConfigFile | None, Mapping[str, Variable]]:
    """Return the two files; what is wrong with both is told at once."""
    problems: list[Problem] = []
    hint = None
    file: ConfigFile | None = None
    variables: Mapping[str, Variable] = {}
    try:
        file = find_file(path, environ)
    except ConfigError as error:
        problems += error.problems
        hint = error.hint
    try:
        if env_file is not None:
            variables = read_env_file(os.fspath(env_file))
    except ConfigError as error:
        problems += error.problems
        hint = hint or error.hint
    if problems:
        raise ConfigError(problems, hint=hint)
    return file, variables
