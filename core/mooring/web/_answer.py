"""What is answered: the same to ASGI and WSGI servers."""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from mooring import core
from mooring.core import Health

LIVE: Final = "/livez"
READY: Final = "/readyz"

_METHODS: Final = ("GET", "HEAD")


class Answer(NamedTuple):
    """A response: its status code, headers and body."""

    code: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def refusal(path: str, method: str) -> Answer | None:
    """Return the answer to what is neither of both, None for what is."""
    if path not in (LIVE, READY):
        return _answer(404, {"error": "not found"})
    if method not in _METHODS:
        allow = ("Allow", ", ".join(_METHODS))
        return _answer(405, {"error": "method not allowed"}, allow)
    return None


def alive() -> Answer:
    """Return that the process answers; the store is not asked."""
    return _answer(200, {"status": "ok"})


def readiness(health: Health, store: core.Store | None, *, details: bool) -> Answer:
    """Return how the store is: 200 if all is known to be well, else 503.

    Args:
        health: What was found.
        store: The store, None if it is not open.
        details: Whether to say which store it is, what was found and how to fix it.
    """
    document: dict[str, Any] = {"status": health.status}
    if details:
        document["driver"] = store.driver if store else ""
        document["target"] = str(getattr(store, "target", ""))
        document["ms"] = round(health.latency * 1000, 3)
    document["checks"] = [
        {
            "name": check.name,
            "status": check.status,
            **({"detail": check.detail, "fix": check.fix} if details else {}),
        }
        for check in health.checks
    ]
    return _answer(200 if health.ok else 503, document)


def _answer(code: int, document: dict[str, Any], *more: tuple[str, str]) -> Answer:
    body = json.dumps(document).encode() + b"\n"
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *more,
    ]
    return Answer(code, headers, body)
