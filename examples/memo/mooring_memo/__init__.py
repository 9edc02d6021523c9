"""An example of a driver: notes in memory, without SQL.

Copy this folder, rename it, and replace what `MemoStore` does. A driver is a module
with functions marked ``@hookimpl``, named by an entry point in ``pyproject.toml``;
the drivers that come with mooring are found and called in the same way.
"""

import threading
from collections.abc import Iterable
from time import monotonic
from types import TracebackType
from typing import Self

import attrs
from mooring.core import (
    Capability,
    Check,
    DriverInfo,
    Health,
    Problem,
    Secret,
    StorageFullError,
    StoreClosedError,
    StoreConfig,
    hookimpl,
    option,
)

__all__ = ["MemoConfig", "MemoStore", "__version__"]

__version__ = "0.1.0"


@attrs.frozen(kw_only=True)
class MemoConfig(StoreConfig):
    """The driver's own options; what all drivers share is in the base class."""

    # Fixed, so that an instance finds its driver; the name of the entry point.
    driver: str = attrs.field(default="memo", init=False)
    title: str = option("notes", "Name of the collection, for messages.")
    max_notes: int = option(1000, "Most notes to keep.", unit="notes", ge=1)
    # A secret is wrapped: no repr, message or traceback shows it. Nobody asks for this
    # one; a driver for a service calls `config.token.reveal()` where it logs in.
    token: Secret | None = option(None, "What a service would ask for.", secret=True)

    def problems(self) -> Iterable[Problem]:
        """Yield what a single option's rule cannot see; never the value of a secret."""
        yield from super().problems()
        if self.token is not None and len(self.token.reveal()) < 8:
            yield Problem("token", "must have 8 characters or more")

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, object]:
        """Return the options of ``memo:TITLE``; without it, URLs are refused."""
        return {"title": url.partition(":")[2]}


class MemoStore:
    """Notes by key, gone when the store is closed. Threads may share it."""

    # What `core.Store` asks for: config, driver, capabilities, close, `with`; and that
    # it can be weakly referenced, so a class with __slots__ lists "__weakref__".
    driver = "memo"
    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, config: MemoConfig) -> None:
        self.config = config
        self._lock = threading.Lock()
        self._notes: dict[str, str] | None = {}

    def put(self, key: str, note: str) -> None:
        """Keep a note; raises StorageFullError, which leaves the others as they are."""
        with self._lock:
            notes = self._open_notes()
            if key not in notes and len(notes) >= self.config.max_notes:
                raise StorageFullError(
                    f"{self.config.title} is full: {len(notes)} notes",
                    hint="close what is not needed, or raise max_notes",
                )
            notes[key] = note

    def get(self, key: str) -> str | None:
        """Return a note, None if there is none."""
        with self._lock:
            return self._open_notes().get(key)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._notes is None

    def close(self) -> None:
        """Close the store; closing it again does nothing."""
        with self._lock:
            self._notes = None

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
        return f"<Store memo {self.config.title}{' closed' if self.closed else ''}>"

    def _open_notes(self) -> dict[str, str]:
        # Errors are mooring's own, so that applications catch them on every driver.
        if self._notes is None:
            raise StoreClosedError("the store is closed")
        return self._notes


# The hooks take the arguments that they name, and may leave out the others.


@hookimpl
def driver_info() -> DriverInfo:
    """Describe the driver; called before anything is opened, also just to look."""
    return DriverInfo(name="memo", config_class=MemoConfig)


@hookimpl
def open_store(config: MemoConfig) -> MemoStore:
    """Return a store that is ready to use, or raise and leave nothing open."""
    # A client library is imported here, so that naming the driver does not cost it.
    return MemoStore(config)


@hookimpl
def health_check(store: MemoStore) -> Health:
    """Say how the store is: what is wrong is a value, and nothing is written.

    One that waits for something takes ``deep`` and ``timeout`` too.
    """
    started = monotonic()
    check = Check(name="open", status="failed" if store.closed else "ok")
    return Health.of((check,), latency=monotonic() - started)
