"""What every driver's configuration shares, and the rules of a single option."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from mooring.core._secret import Secret
from mooring.core.errors import ConfigError

if TYPE_CHECKING:
    from mooring.core._problem import Problem

# The driver of a configuration that names none.
DEFAULT_DRIVER = "postgres"

# Seconds, 30 years. Waiting longer than the platform can raises OverflowError.
_LONGEST = 1_000_000_000

# What may stand in an option of a plain type. Exact types: a bool is no int here.
PLAIN_TYPES: dict[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (float, int),
    bool: (bool,),
    Secret: (Secret,),
    Secret | None: (Secret, type(None)),
    str | None: (str, type(None)),
    int | str: (int, str),
}
# A plain string becomes a Secret in the field's converter.
SECRET_TYPES = (Secret, Secret | None)


class Rule:
    """The type and range of one option, in its field's metadata.

    `StoreConfig` asks the rules of all its options at once. As attrs validators they
    would be compiled into the constructor of each class, for which every start waits.
    """

    __slots__ = ("above", "choices", "maximum", "minimum")

    def __init__(
        self,
        minimum: float | None,
        maximum: float | None,
        above: float | None,
        choices: tuple[str, ...],
    ) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.above = above
        self.choices = choices

    def problem(self, field: "attrs.Attribute[Any]", value: Any) -> str | None:
        """Return what is wrong with *value*, or None; it never shows a secret.

        Args:
            field: The option, its type resolved (`attrs.resolve_types`).
            value: What it is to be.
        """
        declared: Any = field.type
        allowed = PLAIN_TYPES.get(declared)
        if allowed is not None and type(value) not in allowed:
            expected = "str" if allowed[0] is Secret else allowed[0].__name__
            return f"expected {expected}, got {type(value).__name__}"
        if self.choices and value not in self.choices:
            named = tuple(filter(None, self.choices))  # "" is the one for "not set"
            return f"must be {_either(named)}{suggest(str(value).lower(), named)}"
        if self._out_of_range(value):
            return f"must be {self.range()}, not {value!r}"
        if field.metadata.get("unit") == "seconds" and value > _LONGEST:
            return f"must be at most {_LONGEST}"
        return None

    def range(self) -> str:
        """Return the allowed range in words, "" where there is none."""
        if self.minimum is not None and self.maximum is not None:
            return f"between {self.minimum:.10g} and {self.maximum:.10g}"
        if self.minimum is not None:
            return f">= {self.minimum:.10g}"
        return f"> {self.above:.10g}" if self.above is not None else ""

    def _out_of_range(self, value: Any) -> bool:
        if self.minimum is not None and not value >= self.minimum:
            return True
        if self.maximum is not None and not value <= self.maximum:
            return True
        return self.above is not None and not value > self.above


def option(
    default: Any,
    doc: str,
    *,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    same_as: str = "",
) -> Any:
    """Declare an option of a configuration class: an ``attrs.field`` with its rule.

    Args:
        default: Its value where the configuration does not set it.
        doc: One sentence for the reference.
        unit: Unit of the value, such as "seconds".
        ge: Smallest allowed value.
        le: Largest allowed value.
        gt: Value that must be exceeded.
        choices: The allowed strings; () allows any.
        secret: The value is a `Secret`; a string is wrapped into one, and no message
            shows it.
        same_as: The option that this one is another name of.
    """
    return attrs.field(
        default=default,
        converter=_as_secret if secret else None,
        metadata={
            "doc": doc,
            "unit": unit,
            "secret": secret,
            "same_as": same_as,
            "rule": Rule(ge, le, gt, choices),
        },
    )


def _as_secret(value: Any) -> Any:
    # Other types pass to the rule, which names the type and not the value.
    return Secret(value) if type(value) is str else value


def _default_idle(config: "StoreConfig") -> int:
    most = config.max_open_conns
    return min(5, most) if type(most) is int and most > 0 else 5


# attrs would compile ``__eq__``, ``__hash__`` and ``__repr__`` anew for each class, and
# make one with slots twice; every start would wait for that. They are written here
# once, and a driver's class with the same arguments inherits them.
@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)
class StoreConfig:
    """Options that every driver has; each driver's own class adds to them.

    A subclass fixes ``driver`` so that an instance finds its driver::

        @attrs.frozen(kw_only=True)
        class MyConfig(core.StoreConfig):
            driver: str = attrs.field(default="mydriver", init=False)
            path: str = core.option("", "Where the data is.")

    Raises:
        ConfigError: With every problem that the class itself can see.
    """

    driver: str = attrs.field(default="", init=False)
    auto_migrate: bool = option(
        True, "Apply pending migrations at open; without it, pending ones are an error."
    )
    create: bool = option(
        True, "Make the store if there is none; without it, that is an error."
    )
    migration_timeout: float = option(
        120.0, "How long to wait for the migration lock.", unit="seconds", gt=0
    )
    max_open_conns: int = option(
        25, "Most connections open at a time.", unit="connections", ge=1
    )
    max_idle_conns: int = option(
        attrs.Factory(_default_idle, takes_self=True),
        "Most unused connections kept open; 5, or max_open_conns if that is less.",
        unit="connections",
        ge=0,
    )
    conn_max_lifetime: float = option(
        300.0, "Age at which a connection is replaced; 0 = never.", unit="seconds", ge=0
    )
    conn_max_idle_time: float = option(
        60.0, "Unused time after which one is closed; 0 = never.", unit="seconds", ge=0
    )
    connect_timeout: float = option(
        5.0, "How long opening one connection may take.", unit="seconds", gt=0
    )
    ping_timeout: float = option(
        3.0, "How long the first query at open may take.", unit="seconds", gt=0
    )
    pool_timeout: float = option(
        30.0, "How long to wait for a free connection.", unit="seconds", gt=0
    )
    statement_timeout: float = option(
        30.0, "How long one statement may run; 0 = no limit.", unit="seconds", ge=0
    )
    close_timeout: float = option(
        5.0, "How long close() waits for lent connections.", unit="seconds", ge=0
    )
    health_check_timeout: float = option(
        1.0, "How long a health check may take.", unit="seconds", gt=0
    )
    health_check_period: float = option(
        30.0,
        "A connection that was not used for longer is checked before it is lent.",
        unit="seconds",
        ge=0,
    )

    def __attrs_post_init__(self) -> None:
        problems = list(_broken_rules(self)) or list(self.problems())
        if problems:
            raise ConfigError(problems)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        names = (field.name for field in attrs.fields(type(self)))
        shown = map("{}={!r}".format, names, _values(self))
        return f"{type(self).__name__}({', '.join(shown)})"

    def problems(self) -> "Iterable[Problem]":
        """Yield what is wrong between several options, each valid by itself.

        A driver's class extends it: ``yield from super().problems()`` first.
        """
        if self.max_idle_conns > self.max_open_conns:
            from mooring.core._problem import Problem

            yield Problem(
                "max_idle_conns",
                f"must not be above max_open_conns ({self.max_open_conns}),"
                f" not {self.max_idle_conns}",
            )

    @classmethod
    def void_options(cls, options: Mapping[str, object]) -> Collection[str]:
        """Return which of *options* have no effect beside the others.

        For a driver whose connection string may say the same as other options: those
        that it says too. They were given in one place; `load` warns of them.

        Args:
            options: Of any type, since they are not checked yet.
        """
        del options
        return ()

    @classmethod
    def overlay(
        cls, weaker: Mapping[str, object], stronger: Mapping[str, object]
    ) -> dict[str, object]:
        """Return *weaker* options with *stronger* ones over them.

        For a driver whose connection string may say the same as other options: what is
        stronger has effect, whichever of the two it is.

        Args:
            weaker: Of any type, since they are not checked yet.
            stronger: As well; their keys and values are all in what is returned.
        """
        return {**weaker, **stronger}

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, object]:
        """Return the options that a URL of this driver stands for.

        Args:
            url: The whole URL, its scheme included; it may hold a password.

        Raises:
            ConfigError: It cannot be read, or the driver has no URL form. The message
                never shows the URL.
        """
        scheme = url.partition(":")[0]
        raise ConfigError(
            [f"driver {scheme!r} is not configured by a URL; use a mapping"]
        )


def option_fields(
    config_class: type[StoreConfig],
) -> dict[str, "attrs.Attribute[Any]"]:
    """Return the options of a configuration class by key, in order."""
    return {
        field.alias or field.name: field
        for field in attrs.fields(config_class)
        if field.init
    }


def _broken_rules(config: "StoreConfig") -> "Iterable[Problem]":
    fields = attrs.fields(type(config))
    if any(isinstance(field.type, str) for field in fields):  # PEP 563
        fields = attrs.fields(attrs.resolve_types(type(config)))
    for field in fields:
        rule: Rule | None = field.metadata.get("rule")
        problem = rule and rule.problem(field, getattr(config, field.name))
        if problem:
            from mooring.core._problem import Problem

            yield Problem(field.name, problem)


def _values(config: Any) -> tuple[Any, ...]:
    return tuple(getattr(config, field.name) for field in attrs.fields(type(config)))


def suggest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the known name most like *name*, or ""."""
    from difflib import get_close_matches

    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _either(choices: tuple[str, ...]) -> str:
    return (
        choices[0]
        if len(choices) == 1
        else f"{', '.join(choices[:-1])} or {choices[-1]}"
    )
