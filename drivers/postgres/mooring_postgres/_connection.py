"""psycopg's connection, whose every wait ends.

Neither ``statement_timeout`` nor TCP keepalive ends the wait for a server that is
frozen or for packets that vanish: the client must count for itself.
"""

from collections.abc import Generator, Iterator
from contextlib import suppress
from contextvars import ContextVar
from time import monotonic
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg import capabilities, errors, generators, pq
from psycopg.abc import PQGen, PQGenConn
from psycopg.pq import ConnStatus, ExecStatus, PollingStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import tuple_row
from psycopg.waiting import Wait

T = TypeVar("T")

# Seconds for a wait where what came before it took all the time that there was.
LEAST: Final = 0.1
# How often a wait looks up, for signals and deadlines.
_INTERVAL: Final = 0.1
# Seconds for a statement to end after the server was asked to cancel it.
_GRACE: Final = 1.0

# When each attempt to connect has to end, in the order of the attempts.
_ends: ContextVar[Iterator[float]] = ContextVar("mooring_postgres_ends")


class DeadlineError(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives up waiting.

    Attributes:
        limit: Seconds that one wait for the server may take, None for no limit. One
            that takes longer closes the connection and raises `DeadlineError`.
        cancels: At the limit the server is asked first to cancel the statement, which
            spares the connection if it does: where no timeout of the server's own runs.
        cancelled: The last statement ended by that.
    """

    limit: float | None = None
    cancels = False
    cancelled = False

    @classmethod
    def open(cls, timeout: float, *, hosts: int = 1, **options: Any) -> Self:
        """Connect as ``psycopg.connect(**options)`` does, within *timeout* seconds.

        psycopg's own limit counts whole seconds, at least two, and each address anew;
        this one is exact to a tenth of a second, and for all of them. The time that the
        resolver takes for a name is not in it.

        Args:
            timeout: Seconds, > 0.
            hosts: How many are named. One that does not answer takes its share of what
                is left, so that the next can be tried.
            options: What psycopg connects with.
        """
        token = _ends.set(_shared(timeout, hosts))
        try:
            return cls.connect(autocommit=True, **options)
        finally:
            _ends.reset(token)

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        pgconn = yield from _bounded(_connected(conninfo), next(_ends.get()))
        return cls(pgconn, tuple_row)

    def command(self, sql: str) -> str:
        """Execute a statement that returns no rows, and return its tag.

        In half the time that a cursor takes. A cursor alone looks if psycopg has to
        forget what it prepared: so this is for none that rolls back, drops or alters.

        Args:
            sql: One statement.

        Raises:
            psycopg.Error: It failed.
        """
        with self.lock:
            result = self.wait(_executed(self.pgconn, sql.encode()))
        if result.status != ExecStatus.COMMAND_OK:
            raise errors.error_from_result(result, encoding="utf-8")
        return (result.command_status or b"").decode()

    def wait(
        self, gen: PQGen[T], interval: float = _INTERVAL, timeout: float | None = None
    ) -> T:
        """Wait for the server, as psycopg does, but not longer than the limit."""
        try:
            return super().wait(
                gen, interval, self.limit if timeout is None else timeout
            )
        except errors._WaitTimeout:  # noqa: SLF001 - what wait() is documented to raise
            pass
        self.cancelled = False
        if self.cancels and capabilities.has_cancel_safe():
            with suppress(psycopg.OperationalError):  # it could not be asked
                self.cancel_safe(timeout=_GRACE)
                self.cancelled = True
        if self.cancelled:
            with suppress(errors._WaitTimeout):  # noqa: SLF001 - as above
                return super().wait(gen, interval, _GRACE)
            self.cancelled = False
        # Not close(), which would wait for the lock that this wait holds.
        self.pgconn.finish()
        raise DeadlineError("the server did not answer in time")


class SingleCursor(psycopg.Cursor[tuple[Any, ...]]):
    """A cursor for texts that others wrote: the server refuses a second statement.

    psycopg sends a text without values in the simple protocol, which takes several
    (PostgreSQL, section 54.2.2): a COMMIT or SET could hide behind what core lets pass.
    """

    def _execute_send(self, query: Any, **options: Any) -> None:
        super()._execute_send(query, **{**options, "force_extended": True})


def _shared(timeout: float, attempts: int) -> Iterator[float]:
    """Yield the end of each attempt, without end: a name can have several addresses."""
    until = monotonic() + timeout
    while True:
        now = monotonic()
        yield now + (until - now) / max(attempts, 1)
        attempts -= 1


def _connected(conninfo: str) -> PQGenConn[PGconn]:
    """Connect as psycopg does, but wait for the host before libpq is asked anything.

    libpq wants that (PostgreSQL, section 32.1, ``PQconnectPoll``); psycopg asks at
    once. Where the host has not answered yet, libpq then takes a connection for made
    that is not, and a host that refuses for a server that closed it.
    """
    pgconn = pq.PGconn.connect_start(conninfo.encode())
    status: int = PollingStatus.WRITING
    while status != PollingStatus.OK:
        if pgconn.status == ConnStatus.BAD or status == PollingStatus.FAILED:
            told = f"connection failed: {pgconn.get_error_message()}"
            raise psycopg.OperationalError(told, pgconn=errors.finish_pgconn(pgconn))
        wait = Wait.R if status == PollingStatus.READING else Wait.W
        while not (yield pgconn.socket, wait):
            pass
        status = pgconn.connect_poll()
    pgconn.nonblocking = 1
    return pgconn


def _bounded(gen: PQGenConn[T], until: float) -> Generator[tuple[int, Any], Any, T]:
    """Consume *gen*, but only until then; each interval of the wait resumes it."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if monotonic() >= until:
                gen.close()
                raise errors.ConnectionTimeout("connection timeout expired")
            wanted = gen.send(ready)
    except StopIteration as end:
        found: T = end.value
        return found


def _executed(pgconn: PGconn, sql: bytes) -> PQGen[PGresult]:
    """Send one statement, and return its result, which may be an error."""
    pgconn.send_query(sql)
    results: list[PGresult] = yield from generators.execute(pgconn)
    return results[-1]
