"""A driver is who its entry point says, and costs nothing before it is opened."""

import inspect
import json
import sys
from pkgutil import resolve_name
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mooring import core
from mooring.testing.contract._fixture_types import Program
from mooring.testing.contract._patience import PATIENCE

# The arguments that each hook of API version 1 may name.
HOOKS: dict[str, set[str]] = {
    "driver_info": set(),
    "open_store": {"config"},
    "health_check": {"store", "deep", "timeout", "integrity", "progress"},
    "migrations_dir": {"config"},
}

# What a process does that describes the driver and no more. Files of code are opened
# to be imported; whatever else is opened, started or changed is told.
DESCRIBE = """
import os
registry = core.default_registry()
registry.drivers()  # reads the metadata of what is installed
before = set(sys.modules)
seen = []
changing = {
    "os.chmod", "os.exec", "os.fork", "os.forkpty", "os.link", "os.mkdir", "os.putenv",
    "os.posix_spawn", "os.remove", "os.rename", "os.rmdir", "os.spawn", "os.symlink",
    "os.system", "os.truncate", "os.unsetenv",
}
opening = ("socket.", "sqlite3.", "subprocess.", "tempfile.", "shutil.", "urllib.")

def watch(event, args):
    if event == "open":
        name = os.fsdecode(args[0]) if isinstance(args[0], (str, bytes)) else ""
        if name and not name.endswith((".py", ".pyc", ".so", ".pyd", ".zip")):
            seen.append(event + " " + name)
    elif event in changing or event.startswith(opening):
        seen.append(event)

sys.dont_write_bytecode = True
sys.addaudithook(watch)
info = registry.info(config["driver"])
core.option_fields(info.config_class)
done, new = list(seen), sorted(set(sys.modules) - before)
# A module of PEP 249 is a client library wherever it comes from.
clients = [name for name in new if hasattr(sys.modules[name], "paramstyle")]
import threading
print(json.dumps([done, new, clients, threading.active_count()]))
"""
# What core itself is made of; its drivers may use it to describe themselves.
OURS = {"attr", "attrs", "cattr", "cattrs", "mooring", "pluggy", "typing_extensions"}


class IdentityContract:
    """A driver is who its entry point says, and costs nothing before it is opened."""

    @pytest.fixture
    def named(self, config: dict[str, object]) -> core.DriverEntry:
        """The driver's entry, as seen from outside."""
        name = str(config["driver"])
        core.default_registry().info(name)
        (entry,) = [entry for entry in core.drivers() if entry.name == name]
        return entry

    @pytest.fixture
    def described(self, config: dict[str, object]) -> core.DriverInfo:
        """What the driver says about itself."""
        return core.default_registry().info(str(config["driver"]))

    def test_it_is_installed_and_can_be_used(self, named: core.DriverEntry) -> None:
        assert (named.state, named.reason) == ("loaded", "")
        assert named.distribution
        assert named.version

    def test_its_names_are_those_of_its_entry_points(
        self, named: core.DriverEntry, described: core.DriverInfo
    ) -> None:
        names = {described.name, *described.aliases}
        entries = {entry.name: entry for entry in core.drivers()}

        assert named.name in names
        assert names <= entries.keys()
        assert {entries[name].target for name in names} == {named.target}
        for name in names:
            assert core.default_registry().info(name) == described

    def test_it_speaks_an_api_that_this_core_speaks(
        self, described: core.DriverInfo
    ) -> None:
        assert described.api == core.API_VERSION

    def test_its_description_does_not_change(
        self, named: core.DriverEntry, described: core.DriverInfo
    ) -> None:
        plugin: Any = resolve_name(named.target)

        assert plugin.driver_info() == plugin.driver_info() == described

    @pytest.mark.parametrize("hook", HOOKS)
    def test_a_hook_takes_arguments_of_its_specification_without_defaults(
        self, named: core.DriverEntry, hook: str
    ) -> None:
        plugin = resolve_name(named.target)
        function = getattr(plugin, hook, None)
        if function is None:
            # A driver without migrations has none; core refuses one without the others.
            assert hook == "migrations_dir"
            return
        parameters = inspect.signature(function).parameters.values()

        assert {parameter.name for parameter in parameters} <= HOOKS[hook]
        # pluggy passes by position, and never what has a default.
        assert {parameter.kind for parameter in parameters} <= {
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        }
        assert [p.name for p in parameters if p.default is not p.empty] == []
        assert not inspect.iscoroutinefunction(function)
        assert not inspect.isgeneratorfunction(function)

    def test_describing_it_opens_nothing_and_imports_no_client_library(
        self, named: core.DriverEntry, program: Program
    ) -> None:
        answer, errors = program(DESCRIBE).communicate(timeout=PATIENCE)
        assert errors == ""
        opened, modules, clients, threads = json.loads(answer)
        own = named.target.partition(":")[0].partition(".")[0]
        foreign = {
            name
            for name in modules
            if name.partition(".")[0] not in {own, *OURS} and not _is_standard(name)
        }

        assert any(name.partition(".")[0] == own for name in modules)
        assert opened == []
        assert clients == []
        assert foreign == set()
        assert threads == 1

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(rest=st.text(max_size=30))
    @example(rest="")
    @example(rest="//")
    @example(rest="//user:word@host:1/name?option=value#part")
    @example(rest="//host:port/%zz")
    @example(rest="\0")
    def test_a_url_is_a_configuration_of_it_or_clearly_refused(
        self, described: core.DriverInfo, rest: str
    ) -> None:
        for name in (described.name, *described.aliases):
            found = _configured(f"{name}:{rest}")

            if isinstance(found, core.ConfigError):
                assert found.problems
                assert all(problem.message for problem in found.problems)
            else:
                assert type(found) is described.config_class


def _configured(url: str) -> object:
    """Return the configuration, or why it is refused."""
    try:
        return core.configure(url)
    except core.ConfigError as error:
        return error


def _is_standard(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
