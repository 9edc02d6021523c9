"""What the fixtures that are functions take and return."""

from collections.abc import Callable
from concurrent.futures import Future
from random import Random
from subprocess import Popen
from typing import Any

from mooring import core, migrate

Loop = Callable[[int, int], tuple[int, Random]]
MigrationFile = Callable[..., migrate.Source]
OpenStore = Callable[..., core.SqlStore]
Program = Callable[[str], "Popen[str]"]
Spawn = Callable[..., "Future[Any]"]
TablesOf = Callable[[core.SqlStore], list[str]]
# Those of a driver.
Footprint = Callable[[Any], object]
Holds = Callable[[Any, str], bool]
RawQuery = Callable[[str], list[tuple[Any, ...]]]
Write = Callable[[Any, str], object]
