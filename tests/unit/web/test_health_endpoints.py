"""The endpoints without a server: mounting, stores not open yet, logging, forks."""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from typing import Any

import pytest
from mooring import core
from mooring.web import AsgiHealth, WsgiHealth

OpenSqlite = Callable[..., core.SqlStore]


def asgi(app: Any, path: str, **scope: Any) -> tuple[int, dict[str, Any]]:
    """Ask an ASGI application as a server does."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    request = {"type": "http", "method": "GET", "path": path, **scope}
    asyncio.run(app(request, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def wsgi(app: Any, path: str) -> tuple[int, dict[str, Any]]:
    """Ask a WSGI application as a server does."""
    status: list[str] = []
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
    body = b"".join(app(environ, lambda line, _headers: status.append(line)))
    return int(status[0].partition(" ")[0]), json.loads(body)


@pytest.mark.parametrize(("kind", "ask"), [(AsgiHealth, asgi), (WsgiHealth, wsgi)])
def test_a_store_that_is_not_open_yet_is_not_ready(kind: Any, ask: Any) -> None:
    app = kind(store=lambda: None)

    assert ask(app, "/livez") == (200, {"status": "ok"})
    code, document = ask(app, "/readyz")
    assert (code, document["status"]) == (503, "unknown")


@pytest.mark.parametrize(("kind", "ask"), [(AsgiHealth, asgi), (WsgiHealth, wsgi)])
def test_a_store_that_is_behind_is_not_ready(
    kind: Any, ask: Any, open_sqlite: OpenSqlite
) -> None:
    code, document = ask(kind(store=open_sqlite(migrate="skip")), "/readyz")

    assert code == 503
    assert {"name": "migrations", "status": "failed"} in document["checks"]


def test_below_where_it_is_mounted_the_path_is_what_is_left(
    open_sqlite: OpenSqlite,
) -> None:
    app = AsgiHealth(store=open_sqlite())

    assert asgi(app, "/health/readyz", root_path="/health")[0] == 200
    assert asgi(app, "/readyz", root_path="/health")[0] == 200
    assert asgi(app, "/healthy/readyz", root_path="/health")[0] == 404


def test_it_starts_and_stops_with_the_server() -> None:
    sent = []
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(AsgiHealth(store=lambda: None)({"type": "lifespan"}, receive, send))

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_websocket_is_refused() -> None:
    sent = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/readyz"}
    asyncio.run(AsgiHealth(store=lambda: None)(scope, receive, send))

    assert sent == [{"type": "websocket.close", "code": 1000}]


def test_each_change_is_logged_once_with_why(
    open_sqlite: OpenSqlite, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_sqlite(migrate="skip")
    app = WsgiHealth(store=store)
    with caplog.at_level(logging.INFO, "mooring"):
        for _ in range(3):
            wsgi(app, "/readyz")
        core_up(store)
        for _ in range(3):
            wsgi(app, "/readyz")

    found: list[Any] = [r for r in caplog.records if r.name == "mooring.web"]
    assert [r.event_name for r in found] == ["store.not_ready", "store.ready"]
    assert [r.levelname for r in found] == ["WARNING", "INFO"]
    assert "migrations: 4 pending" in found[0].getMessage()


def core_up(store: core.SqlStore) -> None:
    from mooring.migrate import Migrator

    Migrator(store).up()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # there are threads
def test_in_a_forked_worker_it_answers_that_the_store_is_the_parents(
    open_sqlite: OpenSqlite,
) -> None:
    app = WsgiHealth(store=open_sqlite())
    assert wsgi(app, "/readyz")[0] == 200
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, str(wsgi(app, "/readyz")[0]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as said:
        assert said.read() == "503"
