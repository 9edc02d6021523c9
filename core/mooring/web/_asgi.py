"""The endpoints for ASGI servers (asgi.readthedocs.io, HTTP specification)."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mooring.web._answer import LIVE, READY, Answer, alive, readiness, refusal
from mooring.web._readiness import Readiness, StoreSource, not_known

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class AsgiHealth:
    """``/livez`` and ``/readyz`` on asyncio; it never blocks the event loop.

    Mount it into an application, or let it stand before one: what it does not answer
    is then the application's. By itself it answers 404 to other paths.

    ``/livez`` is 200 while the process answers, and asks no store: a database that is
    away is no reason to kill the process. ``/readyz`` is 200 if the store and its
    schema are known to be well, else 503; its ``status`` is ``ok``, ``failed`` or
    ``unknown``.

    Args:
        app: The application that other paths go to.
        store: The store; or what returns it, None until it is open.
        timeout: Seconds that a look at the store may take, > 0;
            ``health_check_timeout`` by default.
        details: Whether ``/readyz`` says which store it is and what was found. It is
            for readers who may know the names of your servers.
    """

    def __init__(
        self,
        app: AsgiApp | None = None,
        *,
        store: StoreSource,
        timeout: float | None = None,
        details: bool = False,
    ) -> None:
        self._app = app
        self._ready = Readiness(store, timeout)
        self._details = details

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        kind = scope["type"]
        path = _path(scope) if kind == "http" else ""
        if self._app is not None and path not in (LIVE, READY):
            await self._app(scope, receive, send)
        elif kind == "http":
            answer = refusal(path, scope["method"]) or await self._answer(path)
            await _send(send, answer, head=scope["method"] == "HEAD")
        elif kind == "lifespan":
            await _live(receive, send)
        else:  # a WebSocket, refused before it is accepted
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, path: str) -> Answer:
        if path == LIVE:
            return alive()
        from asyncio import shield, wait_for, wrap_future

        found, seconds = self._ready.ask()
        try:
            # Shielded: others may wait for the same look.
            health = await wait_for(shield(wrap_future(found)), seconds)
        except TimeoutError:
            health = not_known("store", "it was not looked at in time")
        return readiness(health, self._ready.store, details=self._details)


def _path(scope: Scope) -> str:
    """Return the path below where the application is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :]
    return path


async def _send(send: Send, answer: Answer, *, head: bool) -> None:
    headers = [
        (name.lower().encode(), value.encode()) for name, value in answer.headers
    ]
    await send(
        {"type": "http.response.start", "status": answer.code, "headers": headers}
    )
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


async def _live(receive: Receive, send: Send) -> None:
    """Say that there is nothing to start or to stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
