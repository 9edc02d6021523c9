"""Ports for servers that tests stop and start again."""

import secrets
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Final

LOOPBACK: Final = "127.0.0.1"

# Below the ephemeral ports of Linux and macOS. From those, a client that tries to
# reach a server that is down can be given the server's own port, and then is connected
# to itself (TCP simultaneous open, RFC 9293 section 3.5), or another connection has it
# when the server wants to start again.
_FIRST: Final = 12000
_COUNT: Final = 18000


def free_ports() -> Iterator[int]:
    """Yield ports that nobody listens to on the loopback address, without end."""
    while True:
        port = _FIRST + secrets.randbelow(_COUNT)
        with closing(socket.socket()) as probe:
            # As servers do: a port with connections in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        yield port
