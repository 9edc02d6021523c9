"""The arguments that name a store, and the configuration that they stand for."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

import click

if TYPE_CHECKING:
    from mooring.core import Problem, StoreConfig

F = TypeVar("F", bound=Callable[..., Any])

_BOOL = {"true": True, "false": False}


class Target(NamedTuple):
    """A store that the command line names.

    Attributes:
        config: Its configuration.
        shown: The arguments to name it again; never a secret.
        sources: For each option that is set, which argument did: "TARGET" or "-o".
    """

    config: "StoreConfig"
    shown: str
    sources: Mapping[str, str]


def target_arguments(command: F) -> F:
    """Give *command* the arguments TARGET and -o, for `resolve`."""
    command = click.argument("target", required=False)(command)
    return click.option(
        "-o",
        "--option",
        "options",
        multiple=True,
        metavar="KEY=VALUE",
        help="An option of the driver, such as connect_timeout=2; repeatable.",
    )(command)


def resolve(
    target: str | None,
    options: Sequence[str],
    *,
    create: bool = True,
    preset: Mapping[str, object] = MappingProxyType({}),
) -> Target:
    """Return the store that the arguments name; nothing is opened.

    Args:
        target: A URL: the driver's name, a colon, and where the store is.
        options: Further options as KEY=VALUE.
        create: Whether the store may be made if there is none.
        preset: What the command sets where the arguments set nothing.

    Raises:
        click.UsageError: There is no target, or an option is not KEY=VALUE.
        ConfigError: With every problem of the configuration.
        DriverError: The driver cannot be used.
    """
    if not target:
        raise click.UsageError(
            "TARGET is missing: write the URL of a store, such as sqlite:app.db;"
            " `mooring drivers` lists the drivers",
            click.get_current_context(silent=True),
        )
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

    from mooring.core import Problem, option_fields

    attrs.resolve_types(config_class)
    fields = option_fields(config_class)
    values: dict[str, object] = {}
    problems = []
    for key, text in texts.items():
        if key in url or key == "driver":
            problems.append(Problem(key, "is given by TARGET already"))
            continue
        try:
            values[key] = _value(text, fields[key].type) if key in fields else text
        except ValueError as error:
            problems.append(Problem(key, str(error)))
    return values, problems


def _value(text: str, declared: Any) -> object:
    """Return *text* as an int, float or bool where that is declared.

    Raises:
        ValueError: It is none; the message says what to write.
    """
    kinds = [kind for kind in get_args(declared) if kind is not NoneType]
    kind = kinds[0] if len(kinds) == 1 else declared
    if kind is bool:
        if text not in _BOOL:
            raise ValueError(f"must be true or false, not {text!r}")
        return _BOOL[text]
    if kind is int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError(f"must be a whole number, not {text!r}")
        return int(text)
    if kind is float:
        if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", text):
            raise ValueError(f"must be a number, not {text!r}")
        return float(text)
    return text


def _shown(target: str, texts: Mapping[str, str], config: "StoreConfig") -> str:
    from mooring.core import Secret, option_fields

    fields = option_fields(type(config)).values()
    if any(isinstance(getattr(config, field.name), Secret) for field in fields):
        return "TARGET"
    words = [target]
    for key, value in texts.items():
        words += ["-o", f"{key}={value}"]
    return shlex.join(words)


# "1m30s", "250ms", or a number of seconds.
_DURATION = re.compile(
    r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?", re.ASCII
)


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """A time above 0: a number of seconds, or such as 1m30s or 250ms."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return *value* as seconds, or fail as a usage error."""
        try:
            seconds = float(value)
        except ValueError:
            parts = _DURATION.fullmatch(value)
            hours, minutes, rest, thousandths = parts.groups() if parts else (0,) * 4
            seconds = float(hours or 0) * 3600 + float(minutes or 0) * 60
            seconds += float(rest or 0) + float(thousandths or 0) / 1000
        if not 0 < seconds < float("inf"):
            self.fail(
                f"{value!r} is no time above 0: write seconds, or such as 1m30s",
                param,
                ctx,
            )
        return seconds
