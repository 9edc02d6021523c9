"""One connection through the proxy, and what happens to its bytes."""

import asyncio
import contextlib
import socket
import ssl
import struct
from asyncio import StreamReader, StreamWriter
from typing import Final, Literal

Direction = Literal["server", "client"]
CutMode = Literal["fin", "rst"]

DIRECTIONS: Final[tuple[Direction, ...]] = ("server", "client")

# PostgreSQL, section 54.7 "Message Formats": SSLRequest, GSSENCRequest, and the start
# of ReadyForQuery, which a byte with the state of the transaction follows.
_SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
_GSS_REQUEST: Final = struct.pack("!ii", 8, 80877104)
_READY: Final = b"Z" + struct.pack("!i", 5)
_CHUNK: Final = 65536


class Faults:
    """What goes wrong on every connection of a proxy.

    Attributes:
        swallowed: The directions in which nothing arrives.
        delay: Seconds that each piece of data is held back, >= 0.
        doomed: What the next client to be cut before its answer sends, or None.
        left: Bytes that still pass, by direction, before a connection is cut.
        how: How the two above cut.
        cuts: Connections that were cut.
        round_trips: How often a client sent what followed an answer, or came first.
    """

    def __init__(self) -> None:
        self.how: CutMode = "fin"
        self.cuts = 0
        self.round_trips = 0
        self.clear()

    def clear(self) -> None:
        """Let everything pass again."""
        self.swallowed: frozenset[Direction] = frozenset()
        self.delay = 0.0
        self.doomed: bytes | None = None
        self.left: dict[Direction, int] = {}


class Link:
    """A client's connection, and the one to the server that belongs to it."""

    def __init__(
        self,
        client: tuple[StreamReader, StreamWriter],
        server: tuple[StreamReader, StreamWriter],
        faults: Faults,
    ) -> None:
        self._client, self._to_client = client
        self._server, self._to_server = server
        self._faults = faults
        # Directions that lost bytes: what comes later would arrive behind a hole.
        self._silent: set[Direction] = set()
        self._sent = b""  # the end of it, if what dooms a connection comes in pieces
        self._answer: bytes | None = None  # the end of an answer that is dropped
        self._last: Direction = "client"  # where the last data went

    async def run(self, tls: ssl.SSLContext | None) -> None:
        """Carry bytes until both sides are gone or the link is cut."""
        if tls and not await self._negotiate(tls):
            return
        await asyncio.gather(
            self._pump(self._client, self._to_server, "server"),
            self._pump(self._server, self._to_client, "client"),
        )
        for writer in (self._to_client, self._to_server):
            writer.close()
            await writer.wait_closed()

    async def _negotiate(self, tls: ssl.SSLContext) -> bool:
        """Answer a client that asks for encryption, in the place of the server."""
        while True:
            request = await self._client.readexactly(8)
            await self._wait()
            if self._faults.swallowed:
                self._silent.update(DIRECTIONS)
                await self._pump(self._client, self._to_server, "server")
                return False
            if request == _GSS_REQUEST:
                self._to_client.write(b"N")
            elif request == _SSL_REQUEST:
                self._to_client.write(b"S")
                await self._to_client.start_tls(tls)
            else:
                self._to_server.write(request)
                return True

    async def _pump(
        self, source: StreamReader, target: StreamWriter, to: Direction
    ) -> None:
        while chunk := await source.read(_CHUNK):
            self._faults.round_trips += to == "server" != self._last
            self._last = to
            await self._wait()
            if to in self._faults.swallowed:
                self._silent.add(to)
            if to in self._silent:
                continue
            if to == "server":
                self._look_for_doom(chunk)
            elif self._answer is not None:
                self._drop(chunk)
                continue
            left = self._faults.left.get(to)
            target.write(chunk[:left])
            await target.drain()
            if left is not None:
                self._count(to, left - len(chunk))
        if to not in self._silent:
            target.close()

    async def _wait(self) -> None:
        if self._faults.delay:
            await asyncio.sleep(self._faults.delay)

    def _look_for_doom(self, chunk: bytes) -> None:
        doomed = self._faults.doomed
        if doomed is None:
            return
        sent = self._sent + chunk
        self._sent = sent[-len(doomed) :]
        if doomed in sent:
            self._faults.doomed = None
            self._answer = b""

    def _drop(self, chunk: bytes) -> None:
        """Drop a piece of the answer; cut when the server has said all of it."""
        assert self._answer is not None  # noqa: S101 - for type checkers
        self._answer = (self._answer + chunk)[-len(_READY) - 1 :]
        if self._answer.startswith(_READY):
            self.cut(self._faults.how)

    def _count(self, to: Direction, left: int) -> None:
        if left > 0:
            self._faults.left[to] = left
        else:
            self._faults.left.pop(to, None)
            self.cut(self._faults.how)

    def cut(self, how: CutMode) -> None:
        """End the connection to the client in the way *how*, and that to the server."""
        self._faults.cuts += 1
        self._silent.update(DIRECTIONS)
        self._to_server.transport.abort()
        if how == "rst":
            self.abort()
        else:
            # Not closed: with data that was not read yet, that would be an RST.
            with contextlib.suppress(OSError):  # the client has gone before
                self._to_client.get_extra_info("socket").shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Reset both connections."""
        for writer in (self._to_client, self._to_server):
            if not writer.transport.is_closing():
                linger = struct.pack("ii", 1, 0)  # SO_LINGER, socket(7)
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
