"""The hooks that a driver implements: the whole door between core and drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pluggy import HookimplMarker, HookspecMarker

if TYPE_CHECKING:
    from mooring.core._config import StoreConfig
    from mooring.core._driver import DriverInfo
    from mooring.core._folder import Folder
    from mooring.core._health import CheckProgress, Health
    from mooring.core._store import Store

PROJECT = "mooring"

hookspec = HookspecMarker(PROJECT)
hookimpl = HookimplMarker(PROJECT)

# A driver without these is not usable; migrations_dir is absent where it has none.
REQUIRED_HOOKS = ("driver_info", "open_store", "health_check")


@hookspec(firstresult=True)
def driver_info() -> DriverInfo:  # type: ignore[empty-body]  # a specification
    """Describe the driver.

    It may import the driver's configuration class, never the client library.
    """


@hookspec(firstresult=True)
def open_store(config: StoreConfig) -> Store:  # type: ignore[empty-body]  # a specification
    """Open the store that *config*, an instance of the driver's class, names.

    The store is ready to use; its migrations are core's business. If opening fails,
    nothing is left open and the error is one of ``mooring.core.errors``.
    """


@hookspec(firstresult=True)
def health_check(  # type: ignore[empty-body]  # a specification
    store: Store,
    deep: bool,
    timeout: float,
    integrity: bool,
    progress: CheckProgress,
) -> Health:  # pyright: ignore[reportReturnType]  # a specification
    """Say how *store* is, within *timeout* seconds, without ever writing.

    It may be called at any time: beside open scopes, while another process holds the
    write lock, and on a closed store. *deep* also asks what takes longer or needs
    more rights; *integrity*, which comes with *deep*, also reads all of the data, and
    tells *progress* how far it is. What is wrong is a value, not an exception.
    """


@hookspec(firstresult=True)
def migrations_dir(config: StoreConfig) -> Folder:  # type: ignore[empty-body]  # a specification
    """Return the folder of the driver's own migrations; see `package_folder`."""


def __dir__() -> list[str]:
    # pluggy looks at each name for hooks, and takes its time for it.
    return [*REQUIRED_HOOKS, "migrations_dir"]
