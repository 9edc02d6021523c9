import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent
from typing import Any

import attrs
import pytest
from mooring import core
from mooring.core import DriverInfo, Registry, StoreConfig, hookimpl

HEAD = """
import attrs
from mooring.core import DriverInfo, StoreConfig, hookimpl
@attrs.frozen(kw_only=True)
class Config(StoreConfig):
    driver: str = attrs.field(default={name!r}, init=False)
"""
INFO = """
@hookimpl
def driver_info():
    return DriverInfo(name={name!r}, config_class=Config)
"""
OPEN = """
@hookimpl
def open_store(config):
    return "the store of " + {name!r}
"""
HEALTH = """
@hookimpl
def health_check(store, deep, timeout):
    return "health"
"""
# Leaves a mark for each time that it is imported.
RUN = """
with open({!r}, "a") as runs:
    runs.write("x")
"""
GOOD = HEAD + INFO + OPEN + HEALTH


class Site:
    """A folder of installed distributions, each with one module."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: list[str] = []

    def add(
        self,
        name: str,
        source: str = GOOD,
        *,
        dist: str = "",
        release: str = "1.0",
        value: str = "{module}",
        also: tuple[str, ...] = (),
    ) -> str:
        """Install a driver called *name*; return the name of its module."""
        dist = dist or f"{name.lower()}_dist"
        module = f"probe_{dist}"
        self.modules.append(module)
        text = source.replace("{name!r}", repr(name))
        (self.folder / f"{module}.py").write_text(dedent(text))
        info = self.folder / f"{dist}-{release}.dist-info"
        info.mkdir()
        target = value.format(module=module)
        lines = [f"{entry} = {target}" for entry in (name, *also)]
        (info / "entry_points.txt").write_text(
            "\n".join(["[mooring.drivers]", *lines, ""])
        )
        return module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("MOORING_DRIVERS", raising=False)
    site = Site(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield site
    for module in site.modules:
        sys.modules.pop(module, None)


class Plugin:
    """A driver made of functions."""

    def __init__(self, **hooks: Callable[..., object]) -> None:
        for name, function in hooks.items():
            setattr(self, name, hookimpl(function))


def config_class(name: str) -> type[StoreConfig]:
    @attrs.frozen(kw_only=True)
    class Config(StoreConfig):
        driver: str = attrs.field(default=name, init=False)

    return Config


def info_of(name: str, **other: Any) -> DriverInfo:
    return DriverInfo(**{"name": name, "config_class": config_class(name), **other})


def driver(name: str, **hooks: Callable[..., object]) -> Plugin:
    return Plugin(
        **{
            "driver_info": lambda: info_of(name),
            "open_store": lambda: name,
            "health_check": lambda: name,
            **hooks,
        }
    )


def registry_of(**plugins: object) -> Registry:
    registry = Registry(discover=False)
    for name, plugin in plugins.items():
        registry.register(plugin, name=name)
    return registry


def installed() -> set[str]:
    """Name what can be found here: the drivers of this environment, and the site's."""
    return {point.name for point in entry_points(group="mooring.drivers")}


def states(registry: Registry) -> dict[str, str]:
    return {entry.name: entry.state for entry in registry.drivers()}


def reasons(registry: Registry) -> dict[str, str]:
    return {entry.name: entry.reason for entry in registry.drivers()}


def refused(registry: Registry, name: str) -> core.DriverError:
    """Load a driver that cannot be used; the one called good still can."""
    with pytest.raises(core.DriverError) as caught:
        registry.info(name)
    assert registry.info("good").name == "good"
    return caught.value


# -- finding ------------------------------------------------------------------


def test_listing_imports_no_driver_and_naming_one_imports_only_that(
    site: Site,
) -> None:
    first, second = site.add("first"), site.add("second")
    program = f"""
        import sys
        from mooring import core
        def show():
            entries = core.drivers()
            print([(e.name, e.state) for e in entries if e.name in ("first", "second")])
            print([e.target for e in entries if e.target in sys.modules])
            print([m for m in ({first!r}, {second!r}) if m in sys.modules])
        show()
        core.configure({{"driver": "first"}})
        show()
    """
    result = subprocess.run(
        [sys.executable, "-c", dedent(program)],
        env={"PYTHONPATH": str(site.folder)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.splitlines() == [
        "[('first', 'available'), ('second', 'available')]",
        "[]",
        "[]",
        "[('first', 'loaded'), ('second', 'available')]",
        f"[{first!r}]",
        f"[{first!r}]",
    ]


def test_an_entry_says_which_distribution_brings_the_driver(site: Site) -> None:
    module = site.add("alpha", dist="alpha_dist", release="2.5")
    found = {entry.name: entry for entry in Registry().drivers()}

    assert found["alpha"] == core.DriverEntry(
        name="alpha",
        distribution="alpha_dist",
        version="2.5",
        target=module,
        state="available",
    )
    assert set(found) == installed()


def test_a_driver_installed_meanwhile_is_found(site: Site) -> None:
    registry = Registry()
    with pytest.raises(core.UnknownDriverError):
        registry.info("late")
    site.add("late")

    assert registry.info("late").name == "late"


def test_the_target_may_be_an_object_in_a_module(site: Site) -> None:
    source = "class here:\n    class there:\n"
    body = (GOOD.partition("@hookimpl")[1] + GOOD.partition("@hookimpl")[2]).replace(
        "(", "(", 1
    )
    static = body.replace("@hookimpl", "@staticmethod\n@hookimpl")
    nested = "\n".join("        " + line for line in static.splitlines())
    site.add("deep", HEAD + source + nested, value="{module}:here.there")

    assert Registry().call("deep", "open_store", config=None) == "the store of deep"


def test_without_discovery_only_registered_drivers_exist() -> None:
    registry = registry_of(alpha=driver("alpha"))

    assert states(registry) == {"alpha": "available"}
    with pytest.raises(core.UnknownDriverError):
        registry.info("sqlite")


# -- dispatch -----------------------------------------------------------------


def test_a_call_reaches_the_named_driver_alone() -> None:
    seen: list[str] = []

    def spy(name: str) -> Plugin:
        def open_store() -> str:
            seen.append(name)
            return name

        return driver(name, open_store=open_store)

    registry = registry_of(alpha=spy("alpha"), beta=spy("beta"), gamma=spy("gamma"))
    for name in ("alpha", "beta", "gamma"):
        registry.info(name)

    assert registry.call("alpha", "open_store", config=None) == "alpha"
    assert registry.call("beta", "open_store", config=None) == "beta"
    assert seen == ["alpha", "beta"]


def test_another_driver_does_not_answer_for_one_that_returns_none() -> None:
    registry = registry_of(
        mute=driver("mute", open_store=lambda: None), loud=driver("loud")
    )
    registry.info("loud")

    assert registry.call("mute", "open_store", config=None) is None


def test_a_driver_that_another_thread_loads_meanwhile_never_sees_the_call() -> None:
    registry = registry_of(alpha=driver("alpha"), beta=driver("beta"))
    lock = registry._lock

    class Meddling:
        """Lets somebody else load a driver as soon as the lock is free."""

        def __enter__(self) -> None:
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()
            registry._lock = lock
            registry.info("beta")

    registry.info("alpha")
    meddling: Any = Meddling()
    registry._lock = meddling

    assert registry.call("alpha", "open_store", config=None) == "alpha"
    assert states(registry)["beta"] == "loaded"


def test_an_observer_sees_entry_exit_and_exception_of_every_driver() -> None:
    seen: list[str] = []

    def watch(config: object) -> Iterator[None]:
        seen.append(f"entry {config}")
        try:
            answer = yield
        except LookupError as error:
            seen.append(f"exception {error}")
            raise
        seen.append(f"exit {answer}")
        return answer

    def fail(config: object) -> None:
        raise LookupError("no")

    registry = registry_of(alpha=driver("alpha"), beta=driver("beta", open_store=fail))
    observer: Any = Plugin()
    observer.open_store = hookimpl(wrapper=True)(watch)
    registry.register_observer(observer, name="watch")
    registry.call("alpha", "open_store", config="one")
    with pytest.raises(LookupError):
        registry.call("beta", "open_store", config="two")

    assert seen == ["entry one", "exit alpha", "entry two", "exception no"]


def test_a_wrapper_of_a_driver_runs_for_that_driver_alone() -> None:
    seen: list[str] = []

    class Wrapping:
        @hookimpl(wrapper=True)
        def open_store(self) -> Iterator[None]:
            seen.append("wrapped")
            return (yield)

        @hookimpl(specname="open_store")
        def really_open(self) -> str:
            return "wrapping"

        @hookimpl
        def driver_info(self) -> DriverInfo:
            return info_of("wrapping")

        @hookimpl
        def health_check(self) -> None: ...

    registry = registry_of(alpha=driver("alpha"), wrapping=Wrapping())
    answers = [
        registry.call(name, "open_store", config=None) for name in ("wrapping", "alpha")
    ]

    assert answers == ["wrapping", "alpha"]
    assert seen == ["wrapped"]


@pytest.mark.parametrize(
    "mark", [hookimpl, hookimpl(tryfirst=True), hookimpl(trylast=True)]
)
def test_an_observer_that_could_answer_in_a_drivers_place_is_refused(
    mark: Callable[[Callable[[], str]], Callable[[], str]],
) -> None:
    registry = registry_of(alpha=driver("alpha"))
    hijacker: Any = Plugin()
    hijacker.open_store = mark(lambda: "hijacked")
    with pytest.raises(core.DriverProtocolError, match="in a driver's place") as caught:
        registry.register_observer(hijacker, name="hijacker")

    assert "wrapper=True" in (caught.value.hint or "")
    assert registry.call("alpha", "open_store", config=None) == "alpha"


def test_an_observer_with_a_misspelt_hook_is_refused() -> None:
    registry = registry_of(alpha=driver("alpha"))
    with pytest.raises(core.DriverProtocolError, match="open_stor"):
        registry.register_observer(Plugin(open_stor=lambda: None), name="typo")

    assert registry.info("alpha").name == "alpha"


def test_implements_tells_an_optional_hook() -> None:
    with_migrations = driver("alpha", migrations_dir=lambda: None)
    registry = registry_of(alpha=with_migrations, beta=driver("beta"))

    assert registry.implements("alpha", "migrations_dir")
    assert not registry.implements("beta", "migrations_dir")


# -- drivers that cannot be loaded --------------------------------------------


@pytest.mark.parametrize(
    ("source", "value", "told", "hint"),
    [
        (
            "import a_module_that_is_missing",
            "{module}",
            "No module named 'a_module_that_is_missing'",
            "install the module 'a_module_that_is_missing' that bad_dist needs",
        ),
        (
            "raise ImportError('libpq.so is missing\\nand more')",
            "{module}",
            "libpq.so is missing",
            "reinstall bad_dist, or report this to its authors",
        ),
        (
            "raise SystemExit(3)",
            "{module}",
            "3",
            "reinstall bad_dist, or report this to its authors",
        ),
        (
            "def half(",
            "{module}",
            "'(' was never closed",
            "reinstall bad_dist, or report this to its authors",
        ),
        (
            "x = 1",
            "{module}:plugin",
            "has no attribute 'plugin'",
            "reinstall bad_dist, or report this to its authors",
        ),
        (
            "raise Exception",
            "{module}",
            "Exception",
            "reinstall bad_dist, or report this to its authors",
        ),
    ],
)
def test_a_driver_whose_import_fails_is_broken_and_says_why(
    site: Site, source: str, value: str, told: str, hint: str
) -> None:
    site.add("good")
    site.add("bad", source, value=value)
    registry = Registry()
    error = refused(registry, "bad")

    assert type(error) is core.DriverLoadError
    assert error.driver == "bad"
    assert "bad_dist 1.0" in error.message
    assert told in error.message
    assert "\n" not in error.message
    assert error.hint == hint
    assert error.__cause__ is not None
    assert states(registry)["bad"] == "broken"
    assert told in reasons(registry)["bad"]


@pytest.mark.parametrize("value", ["", ":", "...", ":x", "no-such.module", "a b"])
def test_an_entry_point_that_is_no_module_is_broken(site: Site, value: str) -> None:
    site.add("good")
    site.add("bad", value=value)

    assert type(refused(Registry(), "bad")) is core.DriverLoadError


def test_an_interrupt_during_an_import_passes_and_is_not_remembered(
    site: Site,
) -> None:
    site.add("slow", "raise KeyboardInterrupt")
    registry = Registry()
    with pytest.raises(KeyboardInterrupt):
        registry.info("slow")

    assert states(registry)["slow"] == "available"


@pytest.mark.parametrize("failure", [RuntimeError("no licence"), SystemExit(1)])
def test_a_driver_that_fails_to_describe_itself_is_broken(
    failure: BaseException,
) -> None:
    def fail() -> None:
        raise failure

    registry = registry_of(good=driver("good"), bad=driver("bad", driver_info=fail))
    error = refused(registry, "bad")

    assert type(error) is core.DriverLoadError
    assert "failed to describe itself" in error.message
    assert str(failure) in error.message
    assert error.__cause__ is failure
    assert states(registry)["bad"] == "broken"


def test_a_failure_is_told_again_without_another_import(
    site: Site, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    site.add("bad", f"{RUN.format(str(runs))}raise ImportError('no luck')")
    registry = Registry()
    errors = []
    for _ in range(3):
        with pytest.raises(core.DriverLoadError) as caught:
            registry.info("bad")
        errors.append(caught.value)

    assert runs.read_text() == "x"
    assert len({(e.message, e.hint, e.driver, e.__cause__) for e in errors}) == 1
    assert len({id(error) for error in errors[1:]}) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_every_kind_of_failure_can_be_told_again(count: int) -> None:
    registry = registry_of(
        silent=driver("silent", driver_info=lambda: None),
        newer=driver("newer", driver_info=lambda: info_of("newer", api=99)),
        typo=driver("typo", open_stor=lambda: None),
    )
    told = []
    for name in ("silent", "newer", "typo") * count:
        with pytest.raises(core.DriverError) as caught:
            registry.info(name)
        told.append((type(caught.value), caught.value.message, caught.value.hint))

    assert told == told[:3] * count


# -- drivers that break the contract ------------------------------------------


@attrs.frozen(kw_only=True)
class NotFixed(StoreConfig):
    pass


@attrs.frozen(kw_only=True)
class Settable(StoreConfig):
    driver: str = "bad"


@attrs.frozen
class NoStoreConfig:
    driver: str = attrs.field(default="bad", init=False)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "driver_info returned None"),
        ("bad", "driver_info returned str, not a DriverInfo"),
        (DriverInfo, "driver_info returned type, not a DriverInfo"),
        (info_of("other"), "it calls itself 'other'"),
        (info_of("bad", config_class=None), "config_class is not an attrs subclass"),
        (info_of("bad", config_class=dict), "config_class is not an attrs subclass"),
        (
            info_of("bad", config_class=NoStoreConfig),
            "config_class is not an attrs subclass",
        ),
        (
            info_of("bad", config_class=NoStoreConfig()),
            "config_class is not an attrs subclass",
        ),
        (info_of("bad", config_class=NotFixed), "NotFixed.driver is not fixed"),
        (info_of("bad", config_class=Settable), "Settable.driver is not fixed"),
        (
            info_of("bad", config_class=config_class("other")),
            "Config.driver is not fixed to 'bad'",
        ),
        (info_of("bad", capabilities={"flying"}), "capabilities is not a frozenset"),
        (info_of("bad", capabilities=None), "capabilities"),
        (
            info_of("bad", capabilities=frozenset({"flying"})),
            "capabilities are not all",
        ),
        (info_of("bad", aliases=None), "aliases"),
        (info_of("bad", aliases="bad"), "aliases"),
        (info_of("bad", api="1"), "api"),
        (info_of("bad", api=None), "api"),
        (info_of("bad", api=[1]), "api"),
    ],
    ids=repr,
)
def test_a_wrong_description_is_refused(answer: object, told: str) -> None:
    registry = registry_of(
        good=driver("good"), bad=driver("bad", driver_info=lambda: answer)
    )
    error = refused(registry, "bad")

    assert type(error) is core.DriverProtocolError
    assert told in error.message
    assert states(registry)["bad"] == "broken"


@pytest.mark.parametrize(
    ("api", "side"), [(2, "upgrade mooring"), (0, "upgrade the driver 'bad'")]
)
def test_another_api_version_says_which_side_to_upgrade(api: int, side: str) -> None:
    registry = registry_of(
        good=driver("good"),
        bad=driver("bad", driver_info=lambda: info_of("bad", api=api)),
    )
    error = refused(registry, "bad")

    assert type(error) is core.IncompatibleDriverError
    assert f"speaks API version {api}" in error.message
    assert error.hint == side
    assert states(registry)["bad"] == "incompatible"
    assert reasons(registry)["bad"] == error.message


def test_a_misspelt_hook_is_refused_and_named() -> None:
    registry = registry_of(
        good=driver("good"), bad=driver("bad", migration_dir=lambda: None)
    )
    error = refused(registry, "bad")

    assert type(error) is core.DriverProtocolError
    assert "migration_dir" in error.message
    assert "migrations_dir" in (error.hint or "")


def test_a_hook_with_an_argument_that_does_not_exist_is_refused() -> None:
    registry = registry_of(
        good=driver("good"), bad=driver("bad", open_store=lambda path: path)
    )

    assert "path" in refused(registry, "bad").message


@pytest.mark.parametrize("hook", ["driver_info", "open_store", "health_check"])
def test_a_missing_hook_is_refused_and_named(hook: str) -> None:
    bad = driver("bad")
    delattr(bad, hook)
    registry = registry_of(good=driver("good"), bad=bad)
    error = refused(registry, "bad")

    assert type(error) is core.DriverProtocolError
    assert error.message == f"driver 'bad' lacks the hook {hook}"


@pytest.mark.parametrize(
    "plugin", [None, 5, "text", object(), object, {}], ids=lambda p: type(p).__name__
)
def test_an_object_without_hooks_is_refused(plugin: object) -> None:
    registry = registry_of(good=driver("good"), bad=plugin)

    assert type(refused(registry, "bad")) is core.DriverProtocolError


def test_a_plugin_that_cannot_be_hashed_harms_no_other() -> None:
    # What @attrs.define makes; pluggy keeps plugins in sets.
    class Unhashable(Plugin):
        __hash__ = None  # type: ignore[assignment]  # not to be hashed

    registry = registry_of(
        good=driver("good"), bad=Unhashable(**vars(driver("bad"))), last=driver("last")
    )
    try:
        registry.info("bad")
    except core.DriverError as error:
        assert "hash" in error.message  # noqa: PT017 - using it would be as good

    assert registry.call("good", "open_store", config=None) == "good"
    assert registry.call("last", "open_store", config=None) == "last"


def test_one_plugin_under_two_names_is_refused_unless_it_lists_both() -> None:
    plugin = driver("good")
    registry = registry_of(good=plugin, copy=plugin)
    registry.info("good")
    error = refused(registry, "copy")

    assert type(error) is core.DriverProtocolError
    assert "list 'copy' in aliases" in (error.hint or "")


@pytest.mark.parametrize(
    "name", ["", "Alpha", "al-pha", "1st", "_a", "a b", "a:b", "ä", "a\n"]
)
def test_a_name_that_cannot_be_a_url_scheme_is_refused(site: Site, name: str) -> None:
    with pytest.raises(core.DriverProtocolError) as caught:
        Registry(discover=False).register(driver("a"), name=name)

    assert "lower-case letters, digits and _" in (caught.value.hint or "")


def test_an_installed_driver_with_such_a_name_is_broken(site: Site) -> None:
    site.add("good")
    site.add("Bad-Name", dist="bad_dist")
    registry = Registry()

    assert states(registry)["Bad-Name"] == "broken"
    assert "[a-z][a-z0-9_]*" in reasons(registry)["Bad-Name"]
    assert type(refused(registry, "Bad-Name")) is core.UnknownDriverError


# -- hooks that answer nonsense, seen from core.open ---------------------------


class OpenStore:
    """The least that a store can be."""

    def __init__(self, config: StoreConfig) -> None:
        self.config = config
        self.driver = config.driver
        self.capabilities: frozenset[core.Capability] = frozenset()
        self.closed = False

    def close(self) -> None:
        self.closed = True


class SlottedStore:
    """A store that cannot be referenced weakly."""

    __slots__ = ("closed", "driver")

    def __init__(self) -> None:
        self.driver = "bad"
        self.closed = False

    def close(self) -> None:
        self.closed = True


class NamelessStore:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("answer", "told"),
    [(None, "None"), ("a store", "str"), (object(), "object")],
    ids=["None", "text", "object"],
)
def test_open_store_must_return_a_store(answer: object, told: str) -> None:
    registry = registry_of(bad=driver("bad", open_store=lambda: answer))
    with pytest.raises(core.DriverProtocolError) as caught:
        core.open({"driver": "bad"}, registry=registry)

    expected = f"driver 'bad': its open_store returned {told}, not a Store of 'bad'"
    assert caught.value.message == expected


@pytest.mark.parametrize(
    "answer",
    [OpenStore(config_class("other")()), NamelessStore(), SlottedStore()],
    ids=lambda answer: type(answer).__name__,
)
def test_a_store_that_breaks_the_contract_is_closed_again(answer: Any) -> None:
    registry = registry_of(bad=driver("bad", open_store=lambda: answer))
    with pytest.raises(core.DriverProtocolError, match="its open_store returned"):
        core.open({"driver": "bad"}, registry=registry)

    assert answer.closed


@pytest.mark.parametrize("answer", [None, True, "ok", {"ok": True}], ids=repr)
def test_health_check_must_return_a_health(answer: object) -> None:
    plugin = driver(
        "bad",
        open_store=lambda config: OpenStore(config),
        health_check=lambda: answer,
    )
    store = core.open({"driver": "bad"}, registry=registry_of(bad=plugin))
    with pytest.raises(core.DriverProtocolError, match="health_check returned"):
        core.health_check(store)


@pytest.mark.parametrize("answer", [None, "migrations", 5], ids=repr)
def test_migrations_dir_must_return_a_folder(answer: object) -> None:
    opened: list[OpenStore] = []

    def open_store(config: StoreConfig) -> OpenStore:
        opened.append(OpenStore(config))
        return opened[-1]

    plugin = driver("bad", open_store=open_store, migrations_dir=lambda: answer)
    with pytest.raises(core.DriverProtocolError, match="migrations_dir returned"):
        core.open({"driver": "bad"}, registry=registry_of(bad=plugin))

    assert opened == []  # its answer is looked at before anything is opened


def test_a_store_is_checked_by_the_registry_that_opened_it() -> None:
    health = core.Health.of((core.Check(name="c", status="ok"),), latency=0.0)
    asked: list[tuple[bool, float]] = []

    def check(store: object, deep: bool, timeout: float) -> core.Health:
        asked.append((deep, timeout))
        return health

    plugin = driver(
        "mine", open_store=lambda config: OpenStore(config), health_check=check
    )
    store = core.open({"driver": "mine"}, registry=registry_of(mine=plugin))

    assert core.health_check(store).ok
    assert core.health_check(store, deep=True, timeout=7).ok
    assert asked == [(False, 1.0), (True, 7)]


# -- names --------------------------------------------------------------------


def test_two_distributions_that_claim_one_name_are_both_named(site: Site) -> None:
    site.add("good")
    modules = [
        site.add("clash", dist="one_dist", release="1.1"),
        site.add("clash", dist="two_dist", release="2.2"),
    ]
    registry = Registry()
    error = refused(registry, "clash")

    assert isinstance(error, core.DriverConflictError)
    assert set(error.distributions) == {"one_dist 1.1", "two_dist 2.2"}
    assert "one_dist 1.1" in error.message
    assert "two_dist 2.2" in error.message
    assert states(registry)["clash"] == "conflict"
    assert not set(modules) & set(sys.modules)


def test_a_name_is_registered_once() -> None:
    registry = registry_of(alpha=driver("alpha"))
    with pytest.raises(core.DriverConflictError) as caught:
        registry.register(driver("alpha"), name="alpha")

    assert caught.value.hint == "register it under another name"
    assert registry.info("alpha").name == "alpha"


def test_the_name_of_an_installed_driver_cannot_be_registered(site: Site) -> None:
    site.add("taken", dist="taken_dist", release="3")
    registry = Registry()
    with pytest.raises(core.DriverConflictError) as caught:
        registry.register(driver("taken"), name="taken")

    assert caught.value.distributions == ("taken_dist 3", "this program")
    assert registry.call("taken", "open_store", config=None) == "the store of taken"


@pytest.mark.parametrize("order", [("main", "other"), ("other", "main")])
def test_an_alias_leads_to_the_same_driver(site: Site, order: tuple[str, str]) -> None:
    source = GOOD.replace("=Config)", "=Config, aliases=('other',))")
    site.add("main", source, also=("other",))
    registry = Registry()
    first, second = (registry.info(name) for name in order)

    assert first is second
    assert first.name == "main"
    assert registry.call("other", "open_store", config=None) == "the store of main"
    assert core.configure({"driver": "other"}, registry=registry).driver == "main"


def test_an_entry_point_that_is_not_listed_as_alias_is_refused(site: Site) -> None:
    site.add("main", also=("other",))
    site.add("good")

    assert "it calls itself 'main'" in refused(Registry(), "other").message


# -- allow-lists --------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "usable"),
    [
        ("", set()),
        (" , ", set()),
        ("alpha", {"alpha"}),
        (" alpha , beta ", {"alpha", "beta"}),
        ("alpha,nobody", {"alpha"}),
        (None, None),
    ],
)
def test_the_environment_says_which_drivers_may_be_used(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    value: str | None,
    usable: set[str] | None,
) -> None:
    for name in ("alpha", "beta", "gamma"):
        site.add(name)
    if usable is None:
        usable = installed()
    if value is not None:
        monkeypatch.setenv("MOORING_DRIVERS", value)
    found = states(Registry())

    assert set(found) == installed() >= {"alpha", "beta", "gamma"}
    assert {name for name in found if found[name] == "available"} == usable
    assert set(found.values()) <= {"available", "disabled"}
    assert states(Registry(allow=["alpha"]))["alpha"] == "available"


@pytest.mark.parametrize("allow", [(), ("good",)])
def test_a_disabled_driver_is_never_imported(
    site: Site, allow: tuple[str, ...]
) -> None:
    module = site.add("alpha")
    registry = Registry(allow=allow)
    with pytest.raises(core.DriverDisabledError) as caught:
        registry.info("alpha")

    assert "MOORING_DRIVERS" in (caught.value.hint or "")
    assert "allow-list" in reasons(registry)["alpha"]
    assert module not in sys.modules


def test_a_misspelt_name_is_unknown_and_not_called_disabled(site: Site) -> None:
    site.add("alpha")
    with pytest.raises(core.UnknownDriverError) as caught:
        Registry(allow=["alpha"]).info("alpah")

    assert caught.value.suggestion == "alpha"


# -- a diagnosis of all -------------------------------------------------------


def test_the_list_of_drivers_is_a_diagnosis(site: Site) -> None:
    others = dict.fromkeys(installed(), "disabled")
    site.add("alpha")
    site.add("broken", "import a_module_that_is_missing")
    site.add("clash", dist="one_dist")
    site.add("clash", dist="two_dist")
    site.add("newer", GOOD.replace("=Config)", "=Config, api=2)"))
    site.add("off")
    registry = Registry(allow=["alpha", "broken", "clash", "newer", "mine"])
    registry.register(driver("mine"), name="mine")
    for name in ("broken", "newer", "mine"):
        if name == "mine":
            registry.info(name)
        else:
            with pytest.raises(core.DriverError):
                registry.info(name)

    assert states(registry) == {
        "alpha": "available",
        "broken": "broken",
        "clash": "conflict",
        "mine": "loaded",
        "newer": "incompatible",
        "off": "disabled",
        **others,
    }
    usable = ("alpha", "mine")
    given = reasons(registry)
    assert {name for name, reason in given.items() if not reason} == set(usable)
    assert list(given) == sorted(given)


# -- threads ------------------------------------------------------------------


@pytest.mark.parametrize("failing", [False, True], ids=["good", "failing"])
def test_sixteen_threads_that_load_at_once_import_once(
    site: Site, tmp_path: Path, *, failing: bool
) -> None:
    runs = tmp_path / "runs"
    run = RUN.format(str(runs)) + "import time; time.sleep(0.05)\n"
    site.add("slow", run + ("1 / 0" if failing else GOOD))
    registry = Registry()
    barrier = threading.Barrier(16)

    def load(_: int) -> str:
        barrier.wait()
        try:
            return registry.info("slow").name
        except core.DriverLoadError as error:
            return error.message

    with ThreadPoolExecutor(16) as threads:
        answers = set(threads.map(load, range(16)))

    assert runs.read_text() == "x"
    assert len(answers) == 1
    assert (answers == {"slow"}) is not failing


# -- names that nobody registered ---------------------------------------------


def unknown(registry: Registry, name: str) -> core.UnknownDriverError:
    with pytest.raises(core.UnknownDriverError) as caught:
        registry.info(name)
    assert isinstance(caught.value, LookupError)
    assert caught.value.driver == name
    return caught.value


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("postgre", "postgres"),
        ("postgresql", "postgres"),
        ("Postgresql", "postgres"),
        ("Postgres", "postgres"),
        ("psotgres", "postgres"),
        ("sqlit", "sqlite"),
        ("sqlite3", "sqlite"),
        ("slqite", "sqlite"),
    ],
)
def test_a_slip_is_answered_with_the_name_that_was_meant(name: str, meant: str) -> None:
    registry = registry_of(postgres=driver("postgres"), sqlite=driver("sqlite"))
    error = unknown(registry, name)

    assert error.suggestion == meant
    assert f"did you mean {meant!r}?" in error.message
    assert error.installed == ("postgres", "sqlite")
    assert "installed: postgres, sqlite" in error.message


@pytest.mark.parametrize("name", ["oracle", "x", "", "mongodb"])
def test_a_name_like_no_other_gets_no_suggestion(name: str) -> None:
    registry = registry_of(postgres=driver("postgres"), sqlite=driver("sqlite"))
    error = unknown(registry, name)

    assert error.suggestion is None
    assert "did you mean" not in error.message
    assert error.hint == "set driver to postgres or sqlite, or install the one you need"


def test_unusable_drivers_are_listed_with_their_reason(site: Site) -> None:
    site.add("mongo", "import a_module_that_is_missing")
    registry = Registry()
    with pytest.raises(core.DriverLoadError):
        registry.info("mongo")
    error = unknown(registry, "oracle")

    assert error.broken == {"mongo": "No module named 'a_module_that_is_missing'"}
    assert "mongo (No module named 'a_module_that_is_missing')" in error.message
    assert "mongo" not in error.installed


def test_a_driver_of_ours_that_is_not_installed_says_how_to_get_it() -> None:
    error = unknown(registry_of(sqlite=driver("sqlite")), "postgres")

    assert "driver 'postgres' is known but not installed" in error.message
    assert error.hint == "install mooring[postgres] from where you installed mooring"


@pytest.mark.parametrize("name", ["postgresql", "postgre", "Postgres"])
def test_a_slip_of_a_driver_of_ours_that_is_not_installed_says_it_too(
    name: str,
) -> None:
    error = unknown(registry_of(sqlite=driver("sqlite")), name)

    assert error.suggestion == "postgres"
    assert "did you mean 'postgres'?" in error.message
    assert error.hint == "install mooring[postgres] from where you installed mooring"


@pytest.mark.parametrize("name", ["oracle", "cli", "yaml", "testing", "requests"])
def test_a_strangers_name_gets_no_suggestion_to_install_anything(name: str) -> None:
    # Anybody may have uploaded a package of that name; an extra is no driver.
    error = unknown(registry_of(sqlite=driver("sqlite")), name)

    assert "pip" not in str(error)
    assert "known but not installed" not in str(error)


def test_without_any_driver_the_hint_says_what_one_is() -> None:
    error = unknown(Registry(discover=False), "oracle")

    assert error.installed == ()
    assert "installed: none" in error.message
    assert "mooring.drivers" in (error.hint or "")


def test_a_configuration_with_an_unknown_driver_opens_nothing() -> None:
    registry = registry_of(alpha=driver("alpha"))
    with pytest.raises(core.UnknownDriverError, match="did you mean 'alpha'"):
        core.open({"driver": "alfa", "path": "x"}, registry=registry)

    assert states(registry) == {"alpha": "available"}
