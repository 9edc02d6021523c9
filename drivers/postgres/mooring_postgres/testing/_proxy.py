"""A proxy in front of a server, which fails when a test wants it to."""

import asyncio
import contextlib
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal, Self

from mooring_postgres.testing._database import DatabaseServer
from mooring_postgres.testing._errors import ServerError
from mooring_postgres.testing._link import (
    DIRECTIONS,
    CutMode,
    Direction,
    Faults,
    Link,
)
from mooring_postgres.testing._ports import LOOPBACK, free_ports

_ANSWER_SECONDS: Final = 30.0
_PORTS_TO_TRY: Final = 5


class Proxy:
    """A TCP proxy in front of a server; it forwards, until it is told to fail.

    What it is told holds when the call returns, for open connections and for new ones.
    Used by ``with``; afterwards its thread and its sockets are gone.

    Args:
        server: Where it forwards to; the server may stop and start meanwhile.
        tls: Answers clients that ask for TLS, in the place of the server, which gets
            plain text from the proxy. Without it, what the client and the server
            agree on passes through.

    Attributes:
        server: The server as it is to be reached through the proxy.
    """

    def __init__(
        self, server: DatabaseServer, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._target = server
        self._tls = tls
        self._faults = Faults()
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._listener: asyncio.Server | None = None
        self._thread: threading.Thread | None = None
        self.server = DatabaseServer(
            host=LOOPBACK,
            port=next(free_ports()),
            user=server.user,
            password=server.password,
            dbname=server.dbname,
            options=dict(server.options),
        )

    def __enter__(self) -> Self:
        """Start to forward.

        Raises:
            ServerError: There is no port to listen to.
        """
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="proxy", daemon=True
        )
        self._thread.start()
        try:
            self._call(self._listen_on_a_free_port())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Cut all connections and end."""
        self.close()

    def __repr__(self) -> str:
        return f"<Proxy {self.host}:{self.port} to {self._target!r}>"

    @property
    def host(self) -> str:
        """The address that it listens to."""
        return self.server.host

    @property
    def port(self) -> int:
        """The port that it listens to; it stays the same."""
        return self.server.port

    @property
    def connections(self) -> int:
        """How many connections are open through it."""
        return len(self._links)

    @property
    def cuts(self) -> int:
        """How many connections it has cut."""
        return self._faults.cuts

    @property
    def round_trips(self) -> int:
        """How often clients have waited for the server, those of connecting included.

        All that a client sends without an answer in between counts as one, and what it
        says before it leaves as well.
        """
        return self._faults.round_trips

    # -- what it does ---------------------------------------------------------

    def forward(self) -> None:
        """Forward again; connections that lost bytes stay silent until they are cut."""

        async def forward() -> None:
            self._faults.clear()
            await self._listen()

        self._call(forward())

    def swallow(self, to: Direction | Literal["both"] = "both") -> None:
        """Take bytes and forward none, the end of a connection neither: a hang.

        Args:
            to: Who gets nothing any more; of new connections too.
        """
        silenced = frozenset(DIRECTIONS if to == "both" else (to,))
        self._change(lambda: setattr(self._faults, "swallowed", silenced))

    def delay(self, seconds: float) -> None:
        """Hold each piece of data back for so long, in both directions.

        Args:
            seconds: >= 0.
        """
        self._change(lambda: setattr(self._faults, "delay", seconds))

    def refuse(self) -> None:
        """Refuse new connections, until `forward`; open ones go on."""
        self._change(self._stop_listening)

    def cut(self, how: CutMode = "fin") -> None:
        """Cut all open connections; new ones are forwarded.

        Args:
            how: "fin" as by a server that ends, "rst" as by one that is gone.
        """

        def cut() -> None:
            for link in self._links:
                link.cut(how)

        self._change(cut)

    def cut_before_answer(self, to: bytes = b"COMMIT\0", how: CutMode = "fin") -> None:
        """Cut the next connection that sends *to*, when the server has answered.

        The server has done what it was asked for, and the client does not get to know.
        Once; other connections are not touched.

        Args:
            to: What the client sends, in one message; a text ends with a zero byte.
                A prepared statement is sent without its text.
            how: As for `cut`.
        """

        def arm() -> None:
            self._faults.doomed, self._faults.how = to, how

        self._change(arm)

    def cut_after(
        self, size: int, to: Direction = "client", how: CutMode = "fin"
    ) -> None:
        """Forward so many bytes more, then cut the connection of the last one. Once.

        Args:
            size: Bytes, >= 1, counted over all connections.
            to: The direction in which they are counted.
            how: As for `cut`.
        """

        def arm() -> None:
            self._faults.left, self._faults.how = {to: size}, how

        self._change(arm)

    def close(self) -> None:
        """Reset all connections and end the thread; a no-op when it is closed."""
        if self._thread is None:
            return
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ANSWER_SECONDS)
        self._loop.close()
        self._thread = None

    # -- in its thread --------------------------------------------------------

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        if self._thread is None:
            work.close()
            raise ServerError("the proxy is closed", hint="use it in its with block")
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_SECONDS)

    def _change(self, change: Callable[[], object]) -> None:
        async def work() -> None:
            change()

        self._call(work())

    async def _listen_on_a_free_port(self) -> None:
        for _ in range(_PORTS_TO_TRY - 1):
            # Somebody else may have taken it since it was looked at.
            with contextlib.suppress(OSError):
                return await self._listen()
            self.server.port = next(free_ports())
        return await self._listen()

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(
                self._serve, self.host, self.port
            )

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for type checkers
        self._tasks.add(task)
        link = None
        try:
            server = await self._connect()
            link = Link((reader, writer), server, self._faults)
            self._links.add(link)
            await link.run(self._tls)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # either side is gone, or the proxy ends
        finally:
            self._tasks.discard(task)
            if link is not None:
                self._links.discard(link)
                link.abort()
            writer.transport.abort()

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        host, port = self._target.host, self._target.port
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _end(self) -> None:
        self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports that were aborted close their sockets
