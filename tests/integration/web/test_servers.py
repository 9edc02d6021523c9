"""The health endpoints under servers as they are used: uvicorn, and gunicorn."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mooring import core

Spawn = Callable[..., "Future[Any]"]

# One connection, which POST /hold takes, until POST /free gives it back.
STORE = """
import os, threading
from mooring import core
from mooring.web import AsgiHealth, WsgiHealth

store = core.open({"driver": "sqlite", "path": os.environ["APP_DB"],
                   "max_open_conns": 1, "create": False})
held, free = threading.Event(), threading.Event()

def hold():
    with store.transaction():
        held.set()
        free.wait(20)

def do(path):
    if path == "/hold":
        threading.Thread(target=hold).start()
        held.wait(20)
    elif path == "/free":
        free.set()
    return b"the application"
"""
ASGI = (
    STORE
    + """
async def own(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                store.close()
                return
    body = do(scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})

options = {"store": store, "timeout": float(os.environ["APP_TIMEOUT"])}
app = AsgiHealth(own, **options)
alone = AsgiHealth(**options)
open_hearted = AsgiHealth(details=True, **options)
"""
)
WSGI = (
    STORE
    + """
def own(environ, start_response):
    start_response("200 OK", [])
    return [do(environ["PATH_INFO"])]

options = {"store": store, "timeout": float(os.environ["APP_TIMEOUT"])}
app = WsgiHealth(own, **options)
alone = WsgiHealth(**options)
open_hearted = WsgiHealth(details=True, **options)
"""
)


class Response(NamedTuple):
    """What a server answered."""

    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Server:
    """A server of the application in a folder, that listens already."""

    def __init__(self, port: int, database: Path) -> None:
        self.port = port
        self.database = database

    def ask(self, path: str, method: str = "GET") -> Response:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Response(answer.status, headers, answer.read())
        finally:
            connection.close()


Serve = Callable[..., Server]


@contextmanager
def running(kind: str, folder: Path, app: str, timeout: float) -> Iterator[Server]:
    """Run one; it takes its socket over, so that nobody waits for it to start."""
    database = folder / "app.db"
    core.open({"driver": "sqlite", "path": str(database)}).close()
    (folder / "service.py").write_text(ASGI if kind == "uvicorn" else WSGI)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        command = {
            "uvicorn": ["uvicorn", "--fd", str(number), "--log-level", "warning"],
            "gunicorn": [
                *("gunicorn", "--bind", f"fd://{number}", "--threads", "8"),
                *("--log-level", "warning", "--graceful-timeout", "2"),
                # It would stay in the home folder of whoever runs it.
                "--no-control-socket",
            ],
        }[kind]
        child = subprocess.Popen(
            [sys.executable, "-m", *command, f"service:{app}"],
            cwd=folder,
            pass_fds=[number],
            env={**os.environ, "APP_DB": str(database), "APP_TIMEOUT": str(timeout)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield Server(listener.getsockname()[1], database)
        finally:
            child.terminate()
            try:
                said, _ = child.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                said, _ = child.communicate()
            print(said)  # noqa: T201 - pytest shows it beside a failure
    # Nobody set logging up for us, so nothing is said.
    assert "Traceback" not in said, said
    assert "not ready" not in said, said


@pytest.fixture(params=["uvicorn", "gunicorn"])
def serve(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Serve]:
    """Start a server of an application, ``serve("app", timeout)``."""
    opened = []

    def start(app: str = "app", timeout: float = 10.0) -> Server:
        context = running(request.param, tmp_path, app, timeout)
        opened.append(context)
        return context.__enter__()

    yield start
    for context in opened:
        context.__exit__(None, None, None)


def test_both_answer_and_the_rest_is_the_applications(serve: Serve) -> None:
    server = serve()
    live, ready = server.ask("/livez"), server.ask("/readyz")

    assert (live.code, live.document) == (200, {"status": "ok"})
    assert (ready.code, ready.document["status"]) == (200, "ok")
    assert {"name": "migrations", "status": "ok"} in ready.document["checks"]
    for answer in (live, ready):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/json"
        assert int(answer.headers["content-length"]) == len(answer.body)
    assert server.ask("/orders").body == b"the application"


def test_what_is_asked_otherwise_is_refused(serve: Serve) -> None:
    server = serve("alone")
    for path in ("/livez", "/readyz"):
        head, post = server.ask(path, "HEAD"), server.ask(path, "POST")
        assert (head.code, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(server.ask(path).body))
        assert (post.code, post.headers["allow"]) == (405, "GET, HEAD")
    for path in ("/", "/livez/", "/readyz/x", "/orders"):
        assert server.ask(path).code == 404


def test_a_store_that_is_gone_is_not_ready_and_the_process_lives(serve: Serve) -> None:
    server = serve()
    assert server.ask("/readyz").code == 200
    server.database.unlink()
    ready = server.ask("/readyz")

    assert (ready.code, ready.document["status"]) == (503, "failed")
    assert {"name": "ping", "status": "failed"} in ready.document["checks"]
    assert server.ask("/livez").code == 200
    # Names of files and servers are for those who may know them.
    assert str(server.database).encode() not in ready.body


def test_details_say_which_store_it_is_and_what_to_do(serve: Serve) -> None:
    server = serve("open_hearted")
    server.ask("/livez")
    server.database.unlink()
    document = server.ask("/readyz").document
    ping = document["checks"][0]

    assert (document["driver"], document["target"]) == ("sqlite", str(server.database))
    assert ping["detail"] == f"{server.database} was removed or replaced"
    assert ping["fix"]


def test_while_a_look_waits_others_are_answered_and_share_it(
    serve: Serve, spawn: Spawn
) -> None:
    server = serve(timeout=3)
    assert server.ask("/hold").code == 200
    probes = [spawn(server.ask, "/readyz") for _ in range(3)]
    live = server.ask("/livez")
    waiting = [probe for probe in probes if not probe.done()]
    answers = [probe.result(30) for probe in probes]
    server.ask("/free")
    after = server.ask("/readyz")

    assert live.code == 200
    assert len(waiting) == len(probes)
    assert {answer.code for answer in answers} == {503}
    assert {answer.document["status"] for answer in answers} == {"unknown"}
    assert after.code == 200
