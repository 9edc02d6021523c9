"""An example of a driver without SQL: values by key, in files of ``dbm.dumb``.

Copy this folder, rename it, and replace what `KeyValueStore` does. A driver is a module
with functions marked ``@hookimpl``, named by an entry point in ``pyproject.toml``.
"""

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import TracebackType
from typing import Any, Self

import attrs
from mooring import core

__all__ = ["KeyValueConfig", "KeyValueStore", "__version__"]

__version__ = "0.1.0"


@attrs.frozen(kw_only=True)
class KeyValueConfig(core.StoreConfig):
    """The driver's own options; what all drivers share is in the base class."""

    # Fixed, so that an instance finds its driver; the name of the entry point.
    driver: str = attrs.field(default="keyvalue", init=False)
    path: str = core.option("", "Path of the files, without their .dat and .dir.")

    def problems(self) -> Iterable[core.Problem]:
        """Yield what a single option's rule cannot see."""
        yield from super().problems()
        if not self.path.strip() or "\0" in self.path or self.path.endswith("/"):
            yield core.Problem("path", "keyvalue driver requires path: that of a file")

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, object]:
        """Return the options of ``keyvalue:PATH``; without it, URLs are refused."""
        return {"path": url.partition(":")[2]}


class KeyValueStore:
    """Values by key. Threads may share it; what is put is written before `put` ends."""

    # What `core.Store` asks for: config, driver, capabilities, close, `with`; and that
    # it can be weakly referenced, so a class with __slots__ lists "__weakref__".
    driver = "keyvalue"
    # None: a crash in the middle of a change can cost what was changed.
    capabilities: frozenset[core.Capability] = frozenset()

    def __init__(self, config: KeyValueConfig) -> None:
        self.config = config
        self.closed = False
        self._turn = threading.Lock()
        self._pid = os.getpid()
        path = os.path.realpath(config.path)
        if not (config.create or os.path.exists(f"{path}.dat")):
            raise core.OpenError(f"{path} does not exist", hint="correct the path")
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock = os.open(f"{path}.lock", flags, 0o600)
        except OSError as cause:
            raise core.OpenError(f"cannot open {path}: {cause.strerror}") from cause
        try:
            self._values = _open_files(path, self._lock)
        except BaseException:
            os.close(self._lock)
            raise

    def put(self, key: str, value: bytes) -> None:
        """Keep a value, in the place of what was there."""
        with self._values_in_turn(self.config.pool_timeout) as values:
            values[key.encode()] = value
            values.sync()  # the index, without which it would not be found

    def get(self, key: str) -> bytes | None:
        """Return a value, None if there is none."""
        with self._values_in_turn(self.config.pool_timeout) as values:
            found: bytes | None = values.get(key.encode())
            return found

    def health(self, timeout: float) -> core.Check:
        """Return a check that waits at most *timeout* seconds for other threads."""
        try:
            with self._values_in_turn(timeout) as values:
                detail = f"{len(values)} values"
            return core.Check(name="values", status="ok", detail=detail)
        except core.StoreBusyError as error:
            return core.Check(name="values", status="unknown", detail=error.message)
        except core.StoreError as error:
            return core.Check(
                name="values",
                status="failed",
                detail=error.message,
                fix=error.hint or "restore the file from a backup",
            )

    def close(self) -> None:
        """Close the store; closing it again, or in a forked child, does nothing."""
        if self._pid != os.getpid():
            return
        self.closed = True
        self._wait(self.config.close_timeout)
        try:
            self._end()
        finally:
            self._turn.release()

    def _end(self) -> None:
        if self._lock >= 0:
            self._values.close()
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # a forked child has it open, too
            os.close(self._lock)
            self._lock = -1

    def _wait(self, timeout: float) -> None:
        if not self._turn.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
            what = f"{self.config.path}: another thread was busy for {timeout:g} s"
            raise core.StoreBusyError(what, hint="raise pool_timeout or close_timeout")

    @contextmanager
    def _values_in_turn(self, timeout: float) -> Iterator[Any]:
        # Errors are mooring's own, so that applications catch them on every driver.
        if self._pid != os.getpid():
            raise core.StoreClosedError("the store belongs to the parent process")
        self._wait(timeout)
        try:
            if self.closed:
                raise core.StoreClosedError("the store is closed")
            yield self._values
        except OSError as cause:
            what = f"{self.config.path} failed: {cause.strerror}"
            raise core.StorageError(what, hint="look at the disk") from cause
        finally:
            if self.closed:  # by another thread, which did not wait so long
                self._end()
            self._turn.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store keyvalue {self.config.path}{' closed' if self.closed else ''}>"


def _open_files(path: str, lock: int) -> Any:
    # In here, so that naming the driver does not cost it, as with a client library. The
    # only kind of dbm that every Python has; it knows no locks and never repairs.
    import dbm.dumb

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.exists(f"{path}.dir"):
            # A crash while the index was written anew left the one before.
            with suppress(FileNotFoundError):
                os.rename(f"{path}.bak", f"{path}.dir")
        return dbm.dumb.open(path, "c", 0o600)
    except BlockingIOError as cause:
        what = f"{path} is open in another store or process"
        raise core.StoreBusyError(what, hint="close it there first") from cause
    except OSError as cause:
        raise core.OpenError(f"cannot open {path}: {cause.strerror}") from cause
    except (SyntaxError, ValueError, TypeError) as cause:
        what = f"{path}.dir is damaged, and was not changed"
        raise core.CorruptStoreError(what, hint=f"try {path}.bak for it") from cause


# The hooks take the arguments that they name, and may leave out the others.


@core.hookimpl
def driver_info() -> core.DriverInfo:
    """Describe the driver; called before anything is opened, also just to look."""
    return core.DriverInfo(name="keyvalue", config_class=KeyValueConfig)


@core.hookimpl
def open_store(config: KeyValueConfig) -> KeyValueStore:
    """Return a store that is ready to use, or raise and leave nothing open."""
    return KeyValueStore(config)


@core.hookimpl
def health_check(store: KeyValueStore, timeout: float) -> core.Health:
    """Say how the store is: what is wrong is a value, and nothing is written."""
    started = monotonic()
    return core.Health.of((store.health(timeout),), latency=monotonic() - started)
