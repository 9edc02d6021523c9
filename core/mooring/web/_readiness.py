"""Whether a store is ready: one look at a time, however many ask."""

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from mooring import core
from mooring.core import Check, Health

StoreSource = core.Store | Callable[[], core.Store | None]

# Beyond the timeout of the look itself, for a machine that is busy.
PATIENCE: Final = 0.5

_log: Final = logging.getLogger("mooring.web")
# As in core: no words where nobody listens.
_log.addHandler(logging.NullHandler())


class Readiness:
    """Looks at a store in a thread of its own.

    Whoever asks while a look goes on gets its answer: a flood of probes costs the store
    one connection. The thread is not one of the server's, so that requests which wait
    for the database cannot keep the probe from being answered.

    Args:
        store: The store, or what returns it, None until it is open.
        timeout: Seconds that a look may take, > 0; the store's ``health_check_timeout``
            by default.
    """

    def __init__(self, store: StoreSource, timeout: float | None) -> None:
        self._source = store
        self._timeout = timeout
        self._lock = threading.Lock()
        self._pid = 0
        self._running: Future[Health] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._was_ok: bool | None = None

    def ask(self) -> tuple["Future[Health]", float]:
        """Return the health to come, and the seconds to wait for it at most."""
        if self._pid != os.getpid():  # forked, as a server's workers are
            self._lock = threading.Lock()
            self._running = self._threads = None
            self._pid = os.getpid()
        store = self.store
        with self._lock:
            if self._running is None or self._running.done():
                self._threads = self._threads or ThreadPoolExecutor(1, "mooring-readyz")
                self._running = self._threads.submit(self._look, store)
            return self._running, self._seconds(store) + PATIENCE

    @property
    def store(self) -> core.Store | None:
        """The store, None until it is open."""
        return self._source() if callable(self._source) else self._source

    def _seconds(self, store: core.Store | None) -> float:
        if self._timeout is not None:
            return self._timeout
        return 1.0 if store is None else store.config.health_check_timeout

    def _look(self, store: core.Store | None) -> Health:
        if store is None:
            health = not_known("store", "it is not open yet")
        else:
            try:
                health = core.health_check(store, timeout=self._seconds(store))
            except core.DriverError as error:
                health = not_known("health_check", error.message)
        self._tell(store, health)
        return health

    def _tell(self, store: core.Store | None, health: Health) -> None:
        """Log a change: the answer itself does not say why."""
        if health.ok == self._was_ok:
            return
        before, self._was_ok = self._was_ok, health.ok
        if health.ok and before is None:
            return  # it is what everybody expects
        wrong = [f"{c.name}: {c.detail}" for c in health.checks if c.status != "ok"]
        extra: dict[str, Any] = {
            "event_name": "store.ready" if health.ok else "store.not_ready",
            "driver": store.driver if store else "",
            "status": health.status,
        }
        if health.ok:
            _log.info("store is ready again", extra=extra)
        else:
            _log.warning("store is not ready: %s", "; ".join(wrong), extra=extra)


def not_known(name: str, detail: str) -> Health:
    """Return the health of what could not be looked at."""
    check = Check(name=name, status="unknown", detail=detail, fix="ask again")
    return Health.of((check,), latency=0.0)
