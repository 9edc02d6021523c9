"""A driver is who its entry point says, and its configuration is strict."""

from typing import Any

from mooring import core
from mooring.core import hookimpl

from mutant_drivers._driver import Driver
from mutant_drivers._mutant import caught_by


@caught_by("test_its_description_does_not_change")
class DescribesItselfAnew(Driver):
    """The driver's description is another one each time."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._asked = 0

    @hookimpl
    def driver_info(self) -> core.DriverInfo:
        self._asked += 1
        aliases = (f"{self.name}{self._asked}",)
        return super().driver_info()._replace(aliases=aliases)


@caught_by("test_its_names_are_those_of_its_entry_points")
class HasAnAliasThatLeadsNowhere(Driver):
    """The driver has an alias without an entry point."""

    @hookimpl
    def driver_info(self) -> core.DriverInfo:
        return super().driver_info()._replace(aliases=("nowhere_at_all",))


@caught_by("test_a_hook_takes_arguments_of_its_specification_without_defaults")
class HookHasDefaults(Driver):
    """A hook has a default for an argument, so that it is never given a value."""

    @hookimpl
    def health_check(self, store: Any, deep: bool = False, timeout: float = 5) -> Any:
        return super().health_check(store, deep, timeout)
