"""The one server that the tests of a process share."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Final

from mooring_postgres.testing._database import DatabaseServer
from mooring_postgres.testing._errors import ServerError
from mooring_postgres.testing._server import PostgresServer

_URL_VARIABLE: Final = "MOORING_TEST_POSTGRES_URL"

_lock = Lock()
_stack = ExitStack()  # ends the server
_in_use: list[DatabaseServer] = []


@contextmanager
def shared_server() -> Iterator[DatabaseServer]:
    """Lend the server that ``MOORING_TEST_POSTGRES_URL`` names, or else start one.

    Whoever asks while it is lent gets the same; it ends with the last block.

    Raises:
        ServerError: It cannot be started, or the URL is none.
    """
    with _lock:
        server = _in_use[0] if _in_use else _enter_server()
        _in_use.append(server)
    try:
        yield server
    finally:
        with _lock:
            _in_use.pop()
            if not _in_use:
                _stack.close()


def _enter_server() -> DatabaseServer:
    url = os.environ.get(_URL_VARIABLE)
    if not url:
        return _stack.enter_context(PostgresServer(in_memory=True))
    try:
        return DatabaseServer.from_url(url)
    except ServerError as error:
        raise ServerError(
            f"{_URL_VARIABLE}: {error.message}", hint=error.hint
        ) from None
