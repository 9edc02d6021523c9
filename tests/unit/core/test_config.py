from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mooring import core
from mooring.core import DriverInfo, Problem, Registry, StoreConfig, hookimpl, option
from mooring.core._configure import structure


class Mode(Enum):
    FAST = "fast"
    SAFE = "safe"


@attrs.frozen(kw_only=True)
class Tls:
    verify: bool = True
    ciphers: list[str] = attrs.field(factory=list)


def _even(instance: object, attribute: object, value: int) -> None:
    if value % 2:
        raise ValueError("must be even")


@attrs.frozen(kw_only=True)
class ThirdConfig(StoreConfig):
    """What somebody else writes: postponed annotations, plain fields, own checks."""

    driver: str = attrs.field(default="third", init=False)
    path: str = option("", "Where it is.")
    port: int = option(1, "Which port.", ge=1, le=65535)
    level: str = option("low", "How much.", choices=("low", "high"))
    ratio: float = option(0.5, "How often.", ge=0, le=1)
    title: str = "plain"
    shards: int = attrs.field(default=2, validator=_even)
    limit: int | None = None
    mode: Mode = Mode.SAFE
    tls: Tls = attrs.field(factory=Tls)
    tags: tuple[str, ...] = ()

    def problems(self) -> Iterable[Problem]:
        yield from super().problems()
        if self.level == "high" and self.ratio > 0.9:
            yield Problem("ratio", "must be 0.9 or less at the high level")


@attrs.frozen(kw_only=True)
class FileConfig(StoreConfig):
    """A stand-in for the sqlite driver's: it can be written as a URL."""

    driver: str = attrs.field(default="sqlite", init=False)
    path: str = option("", "Where the file is.")
    busy_timeout: float = option(5.0, "How long to wait.", ge=0, le=1_000_000)
    synchronous: str = option("full", "How safe.", choices=("full", "off"))

    def problems(self) -> Iterable[Problem]:
        yield from super().problems()
        if not self.path.strip():
            yield Problem("path", "is required")

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, object]:
        return {"path": unquote(url.partition(":")[2])}


@attrs.frozen(kw_only=True)
class NeedsUrl(StoreConfig):
    driver: str = attrs.field(default="needs", init=False)
    url: str
    size: int = 1


class Plugin:
    def __init__(self, config_class: type[StoreConfig], *aliases: str) -> None:
        self.config_class = config_class
        self.aliases = aliases

    @hookimpl
    def driver_info(self) -> DriverInfo:
        name: Any = attrs.fields_dict(self.config_class)["driver"].default
        return DriverInfo(
            name=name, config_class=self.config_class, aliases=self.aliases
        )

    @hookimpl
    def open_store(self) -> None: ...

    @hookimpl
    def health_check(self) -> None: ...


@pytest.fixture(scope="module")
def registry() -> Registry:
    registry = Registry(discover=False)
    registry.register(Plugin(FileConfig), name="sqlite")
    third = Plugin(ThirdConfig, "drei")
    registry.register(third, name="third")
    registry.register(third, name="drei")
    registry.register(Plugin(NeedsUrl), name="needs")
    return registry


def problems(config: Any, registry: Registry) -> list[tuple[str, str]]:
    with pytest.raises(core.ConfigError) as caught:
        core.configure(config, registry=registry)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return [(problem.key, problem.message) for problem in caught.value.problems]


def third(**options: object) -> dict[str, object]:
    return {"driver": "third", **options}


# -- forms --------------------------------------------------------------------


def test_mapping_instance_and_url_give_the_same(registry: Registry) -> None:
    instance = FileConfig(path="a b.db")
    forms = ({"driver": "sqlite", "path": "a b.db"}, instance, "sqlite:a%20b.db")

    for form in forms:
        found = core.configure(form, registry=registry)
        assert found == instance
        assert type(found) is FileConfig
    assert core.configure(instance, registry=registry) is instance


def test_any_mapping_will_do(registry: Registry) -> None:
    frozen = MappingProxyType(third(port=7))
    found = core.configure(frozen, registry=registry)

    assert isinstance(found, ThirdConfig)
    assert found.port == 7


def test_the_mapping_given_is_never_changed(registry: Registry) -> None:
    good = third(port=7, tls={"verify": False, "ciphers": ["a"]})
    bad = {"driver": " Third ", "prot": 1, "tls": {"verify": 1}, "port": True}
    copies = repr(good), repr(bad)
    core.configure(good, registry=registry)
    problems(bad, registry)

    assert (repr(good), repr(bad)) == copies


@pytest.mark.parametrize("given", [None, 5, b"sqlite:a", ["sqlite"], {"sqlite"}])
def test_something_else_is_refused(given: object, registry: Registry) -> None:
    ((key, message),) = problems(given, registry)

    assert key == ""
    assert message.startswith("expected a mapping, a URL or a StoreConfig, not ")


@pytest.mark.parametrize("url", ["", "app.db", "/var/app.db", "a b:c", ":memory:"])
def test_a_text_that_is_no_url_is_refused(url: str, registry: Registry) -> None:
    ((_, message),) = problems(url, registry)

    assert message.startswith("not a URL (value hidden)")


def test_the_scheme_of_a_url_may_be_written_large_and_be_an_alias(
    registry: Registry,
) -> None:
    assert core.configure(" SQLite:a.db\n", registry=registry).driver == "sqlite"
    ((_, message),) = problems("DREI:x", registry)
    assert "is not configured by a URL" in message


def test_a_driver_without_url_form_says_so(registry: Registry) -> None:
    ((_, message),) = problems("third:x", registry)

    assert message == "driver 'third' is not configured by a URL; use a mapping"


def test_an_instance_must_be_of_the_drivers_own_class(registry: Registry) -> None:
    @attrs.frozen(kw_only=True)
    class Own(FileConfig):
        pass

    ((_, message),) = problems(Own(path="a"), registry)
    ((_, nameless),) = problems(StoreConfig(), registry)

    assert "'sqlite'" in message
    assert "FileConfig, not" in message
    assert "Own" in message
    assert "names no driver" in nameless


def test_an_instance_of_a_driver_that_is_not_there_is_unknown() -> None:
    with pytest.raises(core.UnknownDriverError):
        core.configure(ThirdConfig(), registry=Registry(discover=False))


# -- the driver's name --------------------------------------------------------


@pytest.mark.parametrize("name", ["third", " third", "THIRD", "\tThird\n", "drei"])
def test_the_name_is_trimmed_and_lower_cased(name: str, registry: Registry) -> None:
    assert core.configure({"driver": name}, registry=registry).driver == "third"


@pytest.mark.parametrize("name", [True, 5, 1.5, b"third", ["third"], {}], ids=repr)
def test_a_name_of_another_type_is_refused(name: object, registry: Registry) -> None:
    expected = [("driver", f"expected str, got {type(name).__name__}")]

    assert problems({"driver": name}, registry) == expected


@pytest.mark.parametrize(
    "config", [{}, {"driver": ""}, {"driver": "  "}, {"driver": None}], ids=repr
)
def test_without_a_name_postgres_is_assumed_and_the_error_says_so(
    config: Mapping[str, object], registry: Registry
) -> None:
    with pytest.raises(core.UnknownDriverError) as caught:
        core.configure(config, registry=registry)

    message = caught.value.message
    assert message.startswith("driver is not set, so 'postgres' is assumed; ")
    assert "mooring[postgres]" in (caught.value.hint or "")


def test_a_path_without_a_name_is_never_guessed_to_be_sqlite(
    registry: Registry,
) -> None:
    with pytest.raises(core.UnknownDriverError) as caught:
        core.open({"path": "app.db"}, registry=registry)

    assert "driver is not set" in caught.value.message
    hint = caught.value.hint or ""
    assert hint.startswith("set driver: ")
    assert "sqlite" in hint


def test_what_is_wrong_with_the_assumed_driver_is_told_the_same_each_time() -> None:
    class Broken(Plugin):
        @hookimpl
        def driver_info(self) -> DriverInfo:
            raise ImportError("no libpq")

    registry = Registry(discover=False)
    registry.register(Broken(ThirdConfig), name="postgres")
    registry.register(Plugin(FileConfig), name="sqlite")
    told = set()
    for _ in range(3):
        with pytest.raises(core.DriverLoadError) as caught:
            core.configure({"path": "app.db"}, registry=registry)
        told.add(str(caught.value))
        assert isinstance(caught.value.__cause__, ImportError)

    (text,) = told
    assert text.count("driver is not set, so 'postgres' is assumed") == 1
    assert "no libpq" in text
    assert "set driver: sqlite" in text


# -- strictness ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("port", True, "expected int, got bool"),
        ("port", 5432.7, "expected int, got float"),
        ("port", 5432.0, "expected int, got float"),
        ("port", "5", "expected int, got str"),
        ("port", None, "expected int, got NoneType"),
        ("port", [5], "expected int, got list"),
        ("path", 5, "expected str, got int"),
        ("path", b"a", "expected str, got bytes"),
        ("path", {"a": 1}, "expected str, got dict"),
        ("path", ["a"], "expected str, got list"),
        ("path", None, "expected str, got NoneType"),
        ("title", {"a": 1}, "expected str, got dict"),
        ("title", 5, "expected str, got int"),
        ("shards", True, "expected int, got bool"),
        ("ratio", True, "expected float, got bool"),
        ("ratio", "0.5", "expected float, got str"),
        ("auto_migrate", 1, "expected bool, got int"),
        ("auto_migrate", "true", "expected bool, got str"),
        ("max_open_conns", 2.0, "expected int, got float"),
        ("limit", "5", "expected int, got str"),
        ("limit", True, "expected int, got bool"),
    ],
)
def test_no_value_is_made_from_another_type(
    key: str, value: object, message: str, registry: Registry
) -> None:
    assert problems(third(**{key: value}), registry) == [(key, message)]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("port", 0, "must be between 1 and 65535, not 0"),
        ("port", 99999, "must be between 1 and 65535, not 99999"),
        ("ratio", 1.5, "must be between 0 and 1, not 1.5"),
        ("ratio", float("nan"), "must be between 0 and 1, not nan"),
        ("level", "hihg", "must be low or high; did you mean 'high'?"),
        ("level", "", "must be low or high"),
        ("max_open_conns", 0, "must be >= 1, not 0"),
        ("max_open_conns", -3, "must be >= 1, not -3"),
        ("max_idle_conns", -1, "must be >= 0, not -1"),
        ("pool_timeout", 0, "must be > 0, not 0"),
        ("pool_timeout", float("nan"), "must be > 0, not nan"),
        ("conn_max_lifetime", -0.5, "must be >= 0, not -0.5"),
        ("shards", 3, "must be even"),
    ],
)
def test_a_value_outside_its_range_is_refused(
    key: str, value: object, message: str, registry: Registry
) -> None:
    assert problems(third(**{key: value}), registry) == [(key, message)]


@pytest.mark.parametrize(
    "key",
    [
        field.name
        for field in attrs.fields(StoreConfig)
        if field.metadata.get("unit") == "seconds"
    ],
)
@pytest.mark.parametrize("value", [float("inf"), 1e300])
def test_a_time_that_no_clock_can_wait_for_is_refused(
    key: str, value: float, registry: Registry
) -> None:
    # threading and select raise OverflowError for it, in the middle of the work.
    ((found, _),) = problems(third(**{key: value}), registry)

    assert found == key


def test_zero_is_a_value_of_its_own_and_not_the_default(registry: Registry) -> None:
    found = core.configure(
        third(conn_max_lifetime=0, max_idle_conns=0, statement_timeout=0),
        registry=registry,
    )

    assert found.conn_max_lifetime == 0
    assert found.max_idle_conns == 0
    assert found.statement_timeout == 0


def test_the_defaults_are_those_of_the_reference() -> None:
    config = StoreConfig()

    assert config.max_open_conns == 25
    assert config.max_idle_conns == 5
    assert config.conn_max_lifetime == 300
    assert config.conn_max_idle_time == 60
    assert config.migration_timeout == 120
    assert config.connect_timeout == 5
    assert config.ping_timeout == 3
    assert config.health_check_timeout == 1
    assert config.health_check_period == 30
    assert config.auto_migrate


@pytest.mark.parametrize(("most", "idle"), [(1, 1), (3, 3), (5, 5), (6, 5), (100, 5)])
def test_the_default_of_idle_connections_follows_a_small_maximum(
    most: int, idle: int, registry: Registry
) -> None:
    config = core.configure(third(max_open_conns=most), registry=registry)

    assert config.max_idle_conns == idle


def test_more_idle_than_open_connections_are_refused(registry: Registry) -> None:
    message = "must not be above max_open_conns (3), not 4"

    assert problems(third(max_open_conns=3, max_idle_conns=4), registry) == [
        ("max_idle_conns", message)
    ]
    equal = core.configure(third(max_open_conns=4, max_idle_conns=4), registry=registry)
    assert equal.max_idle_conns == 4


@pytest.mark.parametrize(
    ("key", "suggested"),
    [
        ("prot", "; did you mean 'port'?"),
        ("max_open_conn", "; did you mean 'max_open_conns'?"),
        ("Port", "; did you mean 'port'?"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_an_unknown_key_is_refused_with_a_suggestion(
    key: str, suggested: str, registry: Registry
) -> None:
    expected = [(key, f"unknown option{suggested}")]

    assert problems(third(**{key: 5}), registry) == expected


@pytest.mark.parametrize("key", [1, None, ("port",), b"port"], ids=repr)
def test_a_key_that_is_no_text_is_refused(key: object, registry: Registry) -> None:
    config = {"driver": "third", key: 5}
    message = f"an option's name must be str, not {type(key).__name__}"

    assert problems(config, registry) == [("", message)]


def test_all_problems_are_told_at_once_in_the_order_of_the_fields(
    registry: Registry,
) -> None:
    found = problems(
        third(
            zzz=1,
            level="hihg",
            prot=2,
            tls=5,
            port=True,
            pool_timeout=-1,
            max_idle_conns=30,
        ),
        registry,
    )

    assert [key for key, _ in found] == [
        "max_idle_conns",
        "pool_timeout",
        "port",
        "level",
        "tls",
        "zzz",
        "prot",
    ]


def test_the_message_lists_every_problem(registry: Registry) -> None:
    with pytest.raises(core.ConfigError) as caught:
        core.configure(third(port=0, title=1), registry=registry)

    assert str(caught.value).splitlines() == [
        "2 problems in the store configuration:",
        "  port: must be between 1 and 65535, not 0",
        "  title: expected str, got int",
    ]


def test_a_class_called_directly_follows_the_same_rules() -> None:
    @attrs.frozen(kw_only=True)
    class Fresh(StoreConfig):
        driver: str = attrs.field(default="fresh", init=False)
        port: int = option(1, "Which port.", ge=1)
        token: core.Secret | None = option(None, "The key.", secret=True)

    cases: list[tuple[dict[str, Any], str]] = [
        ({"port": "x"}, "port: expected int, got str"),
        ({"port": True}, "port: expected int, got bool"),
        ({"port": 0}, "port: must be >= 1, not 0"),
        ({"token": 5}, "token: expected str, got int"),
    ]
    for wrong, told in cases:
        with pytest.raises(core.ConfigError) as caught:
            Fresh(**wrong)
        assert caught.value.message == told

    with pytest.raises(core.ConfigError) as caught:
        Fresh(port=0, max_open_conns=0)
    assert [problem.key for problem in caught.value.problems] == [
        "max_open_conns",
        "port",
    ]


def test_a_configuration_cannot_be_changed() -> None:
    config: Any = ThirdConfig()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.port = 5


# -- what third parties write -------------------------------------------------


def test_a_third_partys_class_is_filled_in(registry: Registry) -> None:
    found = core.configure(
        third(
            title="t",
            shards=4,
            limit=9,
            mode="fast",
            tls={"verify": False, "ciphers": ["a", "b"]},
            tags=["x", "y"],
        ),
        registry=registry,
    )

    assert found == ThirdConfig(
        title="t",
        shards=4,
        limit=9,
        mode=Mode.FAST,
        tls=Tls(verify=False, ciphers=["a", "b"]),
        tags=("x", "y"),
    )
    assert type(found) is ThirdConfig


@pytest.mark.parametrize("limit", [None, 0, 7])
def test_an_optional_value_may_be_none(limit: int | None, registry: Registry) -> None:
    found = core.configure(third(limit=limit), registry=registry)

    assert isinstance(found, ThirdConfig)
    assert found.limit == limit


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("mode", "slow", "slow"),
        ("tls", {"verify": 1}, "expected bool, got int"),
        ("tls", {"verfy": True}, "verfy"),
        ("tls", {"ciphers": [1]}, "expected str, got int"),
        ("tls", 5, ""),
        ("tls", None, ""),
        ("tags", ["x", 5], "expected str, got int"),
    ],
)
def test_what_is_wrong_inside_a_value_is_a_problem_of_its_key(
    key: str, value: object, told: str, registry: Registry
) -> None:
    ((found, message),) = problems(third(**{key: value}), registry)

    assert found == key
    assert told in message
    assert "\n" not in message


def test_a_check_between_options_is_told_with_the_others(registry: Registry) -> None:
    found = problems(third(level="high", ratio=1.0, port=0), registry)

    assert [key for key, _ in found] == ["port", "ratio"]


def test_a_required_option_that_is_missing_is_named(registry: Registry) -> None:
    assert problems({"driver": "needs"}, registry) == [("url", "is required")]


def test_a_required_option_that_is_wrong_is_not_called_missing(
    registry: Registry,
) -> None:
    found = problems({"driver": "needs", "url": 5, "size": "1"}, registry)

    assert found == [
        ("url", "expected str, got int"),
        ("size", "expected int, got str"),
    ]


# -- the two doors ------------------------------------------------------------

_plain: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70000),
    st.floats(),
    st.sampled_from(["", "low", "high", "fast", "off", "a.db", ":memory:", "5"]),
    st.text(max_size=5),
)
_keys = [field.name for field in attrs.fields(ThirdConfig) if field.init]


@pytest.mark.parametrize("config_class", [FileConfig, ThirdConfig])
@given(data=st.data())
def test_the_fast_door_and_the_slow_door_agree(
    config_class: type[StoreConfig],
    data: st.DataObject,
    assert_doors_agree: Callable[[type[StoreConfig], st.DataObject], None],
) -> None:
    assert_doors_agree(config_class, data)


@given(
    st.dictionaries(
        st.sampled_from(_keys) | st.text(max_size=4) | st.integers(),
        _plain | st.lists(_plain, max_size=2),
        max_size=5,
    )
)
@example({"port": 5, 5: "port"})
def test_a_mapping_of_anything_is_an_instance_or_problems(
    options: dict[Any, object],
) -> None:
    try:
        found = structure(options, ThirdConfig)
    except core.ConfigError as error:
        assert error.problems  # noqa: PT017 - most mappings are refused
    else:
        assert type(found) is ThirdConfig
