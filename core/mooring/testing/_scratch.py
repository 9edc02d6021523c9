"""Databases for tests: what a driver may offer, and where its offer is found."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Protocol, runtime_checkable

from mooring import core

GROUP: Final = "mooring.scratch_databases"

Options = Mapping[str, Any]


@runtime_checkable
class ScratchDatabases(Protocol):
    """Databases of one driver that are made for a test, and thrown away.

    A driver's distribution offers them by an entry point with the driver's name::

        [project.entry-points."mooring.scratch_databases"]
        mydriver = "mydriver.testing:scratch_databases"

    It leads to a function that is called with the path of an empty folder, which is
    removed after the run, and returns a context manager: what it enters, such as a
    server, serves the run.
    """

    def empty(self) -> AbstractContextManager[Options]:
        """Make an empty database, and drop it at the end of the block.

        Returns:
            A ``with`` block that gives the options of `mooring.core.open` that lead
            there, without ``driver``.
        """
        ...


@runtime_checkable
class TemplateDatabases(ScratchDatabases, Protocol):
    """Databases that can be copied: migrated once in a run, instead of in each test."""

    def copy(self, template: Options) -> AbstractContextManager[Options]:
        """Make a copy of a database, and drop it at the end of the block.

        Args:
            template: The options of a database that `ScratchDatabases.empty` made. No
                store has it open.
        """
        ...


Offer = Callable[[str], AbstractContextManager[ScratchDatabases]]


def offered_for(driver: str) -> Offer | None:
    """Return what an installed distribution offers for a driver, None without one.

    Raises:
        DriverConflictError: Two distributions offer something.
        DriverLoadError: The offer cannot be imported.
    """
    found = list(entry_points(group=GROUP, name=driver))
    if len(found) > 1:
        names = sorted(map(_distribution, found))
        raise core.DriverConflictError(
            f"databases for tests of driver {driver!r} are offered more than once: by"
            f" {' and by '.join(names)}",
            driver=driver,
            distributions=names,
            hint="uninstall all but one of them",
        )
    for entry in found:
        try:
            offer: Offer = entry.load()
        except (Exception, SystemExit) as cause:
            raise core.DriverLoadError(
                f"the databases for tests of driver {driver!r} cannot be loaded:"
                f" {cause}",
                driver=driver,
                hint=f"install what {_distribution(entry)} needs for tests, such as its"
                " extra [testing]",
            ) from cause
        return offer
    return None


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value
