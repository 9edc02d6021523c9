"""The arguments that name a store, and the configuration that they stand for."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import click

from mooring.cli._output import is_quiet, say

if TYPE_CHECKING:
    from mooring.core import Explanation, Problem, StoreConfig

F = TypeVar("F", bound=Callable[..., Any])

_LOADING = "mooring.loading"


class Target(NamedTuple):
    """A store that the command line names.

    Attributes:
        config: Its configuration.
        shown: The arguments to name it again; never a secret.
        sources: For each option that is set, which argument did: "TARGET" or "-o", or
            which file or variable.
    """

    config: "StoreConfig"
    shown: str
    sources: Mapping[str, str]


def url_arguments(command: F) -> F:
    """Give *command* the arguments TARGET, a URL, and -o, for `resolve`."""
    command = click.argument("target", required=False)(command)
    return click.option(
        "-o",
        "--option",
        "options",
        multiple=True,
        metavar="KEY=VALUE",
        help="An option of the driver, such as connect_timeout=2; repeatable.",
    )(command)


def target_arguments(command: F) -> F:
    """Give *command* what names a store: a URL, or where its configuration is."""
    for name, metavar, text in reversed(
        (
            ("url", "URL", "URL of the store, over what is configured."),
            ("driver", "NAME", "Its driver, over what is configured."),
            ("config", "FILE", "The configuration, instead of ./mooring.toml."),
            ("env-file", "FILE", "Variables, such as DB_HOST, beside the environment."),
            ("profile", "NAME", "The table [profiles.NAME] of the configuration."),
        )
    ):
        command = click.option(
            f"--{name}",
            metavar=metavar,
            expose_value=False,
            callback=_remember,
            help=text,
        )(command)
    return url_arguments(command)


def _remember(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None:
        context.meta.setdefault(_LOADING, {})[option.name] = value


def resolve(
    target: str | None,
    options: Sequence[str],
    *,
    create: bool = True,
    preset: Mapping[str, object] = MappingProxyType({}),
) -> Target:
    """Return the store that the arguments name; nothing is opened.

    A TARGET is the whole configuration, if it is a URL: nothing else is read. Without
    one, or with the name of a profile, files and the environment are read.

    Args:
        target: A URL: the driver's name, a colon, and where the store is. Or the name
            of a profile.
        options: Further options as KEY=VALUE.
        create: Whether the store may be made if there is none.
        preset: What the command sets where a URL and its options set nothing.

    Raises:
        click.UsageError: There is no target, or an option is not KEY=VALUE.
        ConfigError: With every problem of the configuration.
        DriverError: The driver cannot be used.
    """
    if not _is_url(target):
        from mooring import core

        found = explained(target, options, create=create)
        if found.error is not None:
            raise found.error
        config = cast("core.StoreConfig", found.config)  # there is one without an error
        sources = {one.key: one.source for one in found.settings}
        return Target(config, _shown_flags(target, _pairs(options), config), sources)
    _refuse_flags()
    return _of_url(str(target), options, create=create, preset=preset)


def explained(
    target: str | None, options: Sequence[str], *, create: bool = True
) -> "Explanation":
    """Return the configuration that the arguments name, with all that led to it.

    Args:
        target: As `resolve` takes it.
        options: Further options as KEY=VALUE.
        create: Whether the store may be made if there is none.

    Raises:
        click.UsageError: There is no target, or an option is not KEY=VALUE.
        ConfigError: A file or the driver's name cannot be read.
        DriverError: The driver cannot be used.
    """
    from mooring import core

    if _is_url(target):
        _refuse_flags()
        place = _of_url(str(target), options, create=create, preset={})
        settings = core.settings_of(place.config, {"driver": "TARGET", **place.sources})
        return core.Explanation(config=place.config, settings=settings)
    flags = _flags()
    if target and "profile" in flags:
        raise click.UsageError("TARGET and --profile exclude each other")
    profile = target or flags.get("profile")
    texts = {name: flags[name] for name in flags if name in ("url", "driver")}
    for key, text in _pairs(options).items():
        if key in texts:
            raise click.UsageError(f"-o {key} is given twice")
        texts[key] = text
    found = core.explain(
        flags.get("config"),
        overrides={} if create else {"create": False},
        flags=texts,
        flag=lambda key: f"--{key}" if key in flags else f"-o {key}",
        profile=profile,
        env_file=flags.get("env_file"),
    )
    wrong = found.error.problems if found.error else ()
    given = {one.source for one in found.settings} | {one.source for one in wrong}
    if not found.file and given <= {"default", "argument", "not set", ""}:
        raise click.UsageError(
            "TARGET is missing: write the URL of a store, such as sqlite:app.db;"
            " `mooring drivers` lists the drivers. Or configure it: in mooring.toml,"
            " or with DB_DRIVER and the like",
            click.get_current_context(silent=True),
        )
    for warning in () if is_quiet() else found.warnings:
        say(f"warning: {warning}", err=True)
    return found


def _is_url(target: str | None) -> bool:
    """Return whether TARGET is to be a URL, rather than the name of a profile."""
    return bool(target) and not re.fullmatch(r"[A-Za-z0-9_-]+", str(target))


def _flags() -> dict[str, str]:
    context = click.get_current_context(silent=True)
    found: dict[str, str] = context.meta.get(_LOADING, {}) if context else {}
    return found


def _refuse_flags() -> None:
    for name in _flags():
        raise click.UsageError(
            f"TARGET is the whole configuration; leave it out, or --{_flag(name)}",
            click.get_current_context(silent=True),
        )


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _of_url(
    target: str,
    options: Sequence[str],
    *,
    create: bool,
    preset: Mapping[str, object],
) -> Target:
    from mooring import core

    registry = core.default_registry()
    driver, found = core.parse_url(target)
    texts = _pairs(options)
    values, problems = _typed(texts, registry.info(driver).config_class, found)
    sources = {**dict.fromkeys(found, "TARGET"), **dict.fromkeys(values, "-o")}
    found = {**preset, **found, **values}
    if not create:
        found["create"] = False
    try:
        config = core.configure({**found, "driver": driver})
    except core.ConfigError as error:
        known = {problem.key for problem in problems}
        problems += [problem for problem in error.problems if problem.key not in known]
        raise core.ConfigError(problems, hint=error.hint) from None
    if problems:
        raise core.ConfigError(problems)
    return Target(config, _shown(target, texts, config), sources)


def typed_options(
    config_class: "type[StoreConfig]",
    options: Sequence[str],
    given: Mapping[str, object] = MappingProxyType({}),
) -> dict[str, object]:
    """Return options as KEY=VALUE, by the types that a driver declares.

    Args:
        config_class: The driver's.
        options: What the command line says.
        given: What a target says already; it is not said again.

    Raises:
        click.UsageError: An option is not KEY=VALUE.
        ConfigError: With every problem of the options.
    """
    from mooring.core import ConfigError

    values, problems = _typed(_pairs(options), config_class, given)
    if problems:
        raise ConfigError(problems)
    return values


def _pairs(options: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in options:
        key, equals, value = text.partition("=")
        if not equals or not key:
            # It is not shown: it may be a secret.
            raise click.UsageError("-o needs KEY=VALUE")
        if key in pairs:
            raise click.UsageError(f"-o {key} is given twice")
        pairs[key] = value
    return pairs


def _typed(
    texts: Mapping[str, str], config_class: "type[StoreConfig]", url: Mapping[str, Any]
) -> "tuple[dict[str, object], list[Problem]]":
    """Return the values by the types that the driver declares, and what is wrong."""
    import attrs

    from mooring.core import Problem, from_text, option_fields

    attrs.resolve_types(config_class)
    fields = option_fields(config_class)
    values: dict[str, object] = {}
    problems = []
    for key, text in texts.items():
        if key in url or key == "driver":
            problems.append(Problem(key, "is given by TARGET already"))
            continue
        try:
            values[key] = from_text(text, fields[key]) if key in fields else text
        except ValueError as error:
            problems.append(Problem(key, str(error)))
    return values, problems


def _shown(target: str, texts: Mapping[str, str], config: "StoreConfig") -> str:
    if _secrets(config):
        return "TARGET"
    words = [target]
    for key, value in texts.items():
        words += ["-o", f"{key}={value}"]
    return shlex.join(words)


def _secrets(config: "StoreConfig") -> set[str]:
    """Return the options whose values are secrets that are set."""
    from mooring.core import Secret, option_fields

    return {
        key
        for key, field in option_fields(type(config)).items()
        if isinstance(getattr(config, field.name), Secret)
    }


def _shown_flags(
    target: str | None, texts: Mapping[str, str], config: "StoreConfig"
) -> str:
    hidden = _secrets(config)
    words = [target] if target else []
    for name, text in _flags().items():
        words += [f"--{_flag(name)}", "URL" if name == "url" and hidden else text]
    for key, text in texts.items():
        words += ["-o", f"{key}=VALUE" if key in hidden else f"{key}={text}"]
    return shlex.join(words)


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A time above 0: a number of seconds, or such as 1m30s or 250ms."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return *value* as seconds, or fail as a usage error."""
        from mooring import core

        # As an option of a store is written, in the same forms.
        field = core.option_fields(core.StoreConfig)["pool_timeout"]
        try:
            seconds = cast("float", core.from_text(str(value), field))
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            self.fail(
                f"{value!r} is no time above 0: write seconds, or such as 1m30s",
                param,
                ctx,
            )
        return seconds
