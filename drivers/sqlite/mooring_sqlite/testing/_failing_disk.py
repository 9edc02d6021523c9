"""A disk that fails as it is told to."""

from collections.abc import Callable
from itertools import count
from typing import Literal

import attrs

from mooring_sqlite.testing._disk import Disk, File, Go, Kind

Operation = Literal["open", "write", "truncate", "sync", "delete"]


@attrs.frozen(kw_only=True)
class DiskFault:
    """Which operations of a disk fail, and how.

    Attributes:
        operation: What fails.
        code: What SQLite is told: a result code such as ``sqlite3.SQLITE_IOERR_WRITE``
            or ``sqlite3.SQLITE_FULL``.
        every: Each how many of them fails, >= 1.
        most: After how many failures it is over; None = never.
        kinds: The files that it is about; none = all. Not for "delete", which names a
            file and no kind.
        done: What was done nevertheless. Half of a write is its first half.
    """

    operation: Operation
    code: int
    every: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    most: int | None = None
    kinds: tuple[Kind, ...] = ()
    done: Literal["nothing", "half", "all"] = "nothing"


class FailingDisk(Disk):
    """A disk that works until `fail` is called, and again after `heal`."""

    def __init__(self) -> None:
        self._fault: DiskFault | None = None
        self._matched = count(1)
        self._failed = 0

    @property
    def failed(self) -> int:
        """How many operations have failed since `fail` was called."""
        return self._failed

    def fail(self, fault: DiskFault) -> None:
        """Fail from now on, as *fault* says; it takes the place of another one."""
        self._matched = count(1)
        self._failed = 0
        self._fault = fault

    def heal(self) -> None:
        """Work again."""
        self._fault = None

    def open(self, file: File, go: Go) -> int:
        """Open a file, or fail."""
        return self._do("open", file, go, lambda: go())

    def write(
        self,
        file: File,
        data: bytes,
        offset: int,  # noqa: ARG002 - it fails wherever it is
        go: Callable[[int], int],
    ) -> int:
        """Write, or fail."""
        size = len(data)
        return self._do("write", file, lambda: go(size), lambda: go(size // 2))

    def truncate(self, file: File, size: int, go: Go) -> int:  # noqa: ARG002 - any size
        """Truncate, or fail."""
        return self._do("truncate", file, go, go)

    def sync(self, file: File, go: Go) -> int:
        """Sync, or fail."""
        return self._do("sync", file, go, go)

    def delete(self, path: str, go: Go) -> int:  # noqa: ARG002 - any file
        """Delete, or fail."""
        return self._do("delete", None, go, go)

    def _do(self, operation: Operation, file: File | None, go: Go, half: Go) -> int:
        fault = self._fault
        if (
            fault is None
            or fault.operation != operation
            or (file is not None and fault.kinds and file.kind not in fault.kinds)
            or next(self._matched) % fault.every
            or (fault.most is not None and self._failed >= fault.most)
        ):
            return go()
        self._failed += 1
        if fault.done != "nothing":
            (go if fault.done == "all" else half)()
        return fault.code
