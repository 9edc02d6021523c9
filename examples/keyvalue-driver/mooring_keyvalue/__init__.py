"""An example of a driver without SQL: values by key, in files of ``dbm.dumb``.

Copy this folder, rename it, and replace what `KeyValueStore` does. A driver is a module
with functions marked ``@hookimpl``, named by an entry point in ``pyproject.toml``.
"""

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any

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


class KeyValueStore(core.StoreBase):
    """Values by key. Threads may share it; what is put is written before `put` ends."""

    config: KeyValueConfig

    def __init__(self, config: KeyValueConfig) -> None:
        path = os.path.realpath(config.path)
        if not (config.create or os.path.exists(f"{path}.dat")):
            raise core.OpenError(f"{path} does not exist", hint="correct the path")
        self._turn = threading.Lock()
        self._values, self._files = _open_files(path)
        # No capability: a crash in the middle of a change can cost what was changed.
        super().__init__(config, target=config.path)

    def put(self, key: str, value: bytes) -> None:
        """Keep a value, in the place of what was there."""
        with self.values(self.config.pool_timeout) as values:
            values[key.encode()] = value
            values.sync()  # the index, without which it would not be found

    def get(self, key: str) -> bytes | None:
        """Return a value, None if there is none."""
        with self.values(self.config.pool_timeout) as values:
            return bytes(values[key.encode()]) if key.encode() in values else None

    def close(self) -> None:
        """Close the store; closing it again, or in a forked child, does nothing."""
        super().close()
        if not self.inherited:
            with self._in_turn(self.config.close_timeout):
                """Whoever has the turn when the store is closed ends it."""

    @contextmanager
    def values(self, timeout: float) -> Iterator[Any]:
        """Lend the values to one thread, after at most *timeout* seconds of waiting."""
        self.require_open()
        with self._in_turn(timeout):
            self.require_open()
            yield self._values

    @contextmanager
    def _in_turn(self, timeout: float) -> Iterator[None]:
        if not self._turn.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
            what = f"{self.target}: another thread was busy for {timeout:g} s"
            raise core.StoreBusyError(what, hint="raise pool_timeout or close_timeout")
        try:
            try:
                yield
            finally:
                if self.closed:  # closing them again does nothing
                    self._files.close()
        except OSError as cause:
            raise core.StorageError(str(cause), hint="look at the disk") from cause
        finally:
            self._turn.release()


def _open_files(path: str) -> tuple[Any, ExitStack]:
    import dbm.dumb  # here, so that only an open pays for it, as for a client library

    try:
        with ExitStack() as files:
            lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            files.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            files.callback(fcntl.flock, lock, fcntl.LOCK_UN)  # a child has it open, too
            # A crash while the index was written anew left the one before.
            if os.path.exists(f"{path}.bak") and not os.path.exists(f"{path}.dir"):
                os.rename(f"{path}.bak", f"{path}.dir")
            values = files.enter_context(dbm.dumb.open(path, "c", 0o600))
            return values, files.pop_all()
    except BlockingIOError as cause:
        what = f"{path} is open in another store or process"
        raise core.StoreBusyError(what, hint="close it there first") from cause
    except OSError as cause:
        what = f"cannot open {path}: {cause.strerror}"
        raise core.OpenError(what, hint="correct the path") from cause
    except (SyntaxError, ValueError, TypeError) as cause:
        what = f"{path}.dir is damaged, and was not changed"
        raise core.CorruptStoreError(what, hint=f"try {path}.bak for it") from cause


@core.hookimpl
def driver_info() -> core.DriverInfo:
    """Describe the driver; called before anything is opened, also just to look."""
    return core.DriverInfo(name="keyvalue", config_class=KeyValueConfig, sql=False)


@core.hookimpl
def open_store(config: KeyValueConfig) -> KeyValueStore:
    """Return a store that is ready to use, or raise and leave nothing open."""
    return KeyValueStore(config)


@core.hookimpl
def health_check(store: KeyValueStore, timeout: float) -> core.Health:
    """Say how the store is: what is wrong is a value, and nothing is written."""
    started = monotonic()
    try:
        with store.values(timeout) as values:
            check = core.Check(name="dbm", status="ok", detail=f"{len(values)} values")
    except core.StoreBusyError as error:
        check = core.Check(name="dbm", status="unknown", detail=error.message)
    except core.StoreError as error:
        fix = error.hint or "restore the file from a backup"
        check = core.Check(name="dbm", status="failed", detail=error.message, fix=fix)
    return core.Health.of((check,), latency=monotonic() - started)
