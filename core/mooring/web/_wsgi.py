"""The endpoints for WSGI servers (PEP 3333)."""

from collections.abc import Callable, Iterable
from concurrent.futures import TimeoutError as FutureTimeoutError
from http import HTTPStatus
from typing import Any

from mooring.web._answer import LIVE, READY, Answer, alive, readiness, refusal
from mooring.web._readiness import Readiness, StoreSource, not_known

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]


class WsgiHealth:
    """``/livez`` and ``/readyz``; see `AsgiHealth`, which answers the same.

    Args:
        app: The application that other paths go to; without one they are 404.
        store: The store; or what returns it, None until it is open.
        timeout: Seconds that a look at the store may take, > 0;
            ``health_check_timeout`` by default.
        details: Whether ``/readyz`` says which store it is and what was found.
    """

    def __init__(
        self,
        app: WsgiApp | None = None,
        *,
        store: StoreSource,
        timeout: float | None = None,
        details: bool = False,
    ) -> None:
        self._app = app
        self._ready = Readiness(store, timeout)
        self._details = details

    def __call__(
        self, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer one request."""
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if self._app is not None and path not in (LIVE, READY):
            return self._app(environ, start_response)
        answer = refusal(path, method) or self._answer(path)
        status = HTTPStatus(answer.code)
        start_response(f"{status.value} {status.phrase}", [*answer.headers])
        return [b"" if method == "HEAD" else answer.body]

    def _answer(self, path: str) -> Answer:
        if path == LIVE:
            return alive()
        found, seconds = self._ready.ask()
        try:
            health = found.result(seconds)
        except FutureTimeoutError:
            health = not_known("store", "it was not looked at in time")
        return readiness(health, self._ready.store, details=self._details)
