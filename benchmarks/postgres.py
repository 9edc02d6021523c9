"""PostgreSQL on a server of its own: reads and small transactions, 1 and 8 threads."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, nullcontext
from typing import Any

from mooring import core
from mooring_postgres.testing import PostgresServer

from benchmarks import memory
from benchmarks.cores import on_one_core
from benchmarks.measure import Against, Case, Group, in_threads, measure
from benchmarks.postgres_by_hand import PsycopgByHand
from benchmarks.workload import (
    EXECUTE_INSERT,
    EXECUTE_READ,
    HAND_READ,
    HAND_TRANSACTION,
    READING,
    TRANSACTION,
    WRITING,
    Mooring,
    compare,
    compare_sides,
    fill,
    read_cases,
    reads,
    write_cases,
    writes,
)

THREADS = (1, 8)
# Repetitions of a case in one round, over all threads.
READS, WRITES = 800, 160

CURSOR_READ = "by hand, all by one cursor: SELECT"
POOL_READ = "psycopg_pool: SELECT"
POOL_TRANSACTION = "psycopg_pool: INSERT in a transaction"
CORE_READ = "SQLAlchemy Core: SELECT"
CORE_TRANSACTION = "SQLAlchemy Core: INSERT in a transaction"
CORE_READ_ALONE = "SQLAlchemy Core, AUTOCOMMIT: SELECT"
CORE_INSERT = "SQLAlchemy Core, AUTOCOMMIT: INSERT"
ASYNCPG_READ = "asyncpg, its pool: SELECT"
ASYNCPG_TRANSACTION = "asyncpg, its pool: INSERT in a transaction"

# The bars are those of the project's goals; a comparison without one is for context.
_READING = (
    Against(EXECUTE_READ, HAND_READ, 1.3),
    Against(EXECUTE_READ, CORE_READ, 1.0),
    Against(EXECUTE_READ, CORE_READ_ALONE, 1.0),
    Against(EXECUTE_READ, CURSOR_READ),
    Against(POOL_READ, HAND_READ),
    Against(ASYNCPG_READ, HAND_READ),
    *READING,
)
_WRITING = (
    Against(TRANSACTION, HAND_TRANSACTION, 1.15),
    Against(TRANSACTION, CORE_TRANSACTION, 1.0),
    Against(EXECUTE_INSERT, CORE_INSERT, 1.0),
    Against(POOL_TRANSACTION, HAND_TRANSACTION),
    Against(ASYNCPG_TRANSACTION, HAND_TRANSACTION),
    *WRITING,
)


class Contenders:
    """All sides of the comparison, on the one database of a server.

    Args:
        params: The database, as `psycopg.connect` takes it and as a configuration does.
        size: The most threads; each pool keeps as many connections.
        stack: Closes them.
    """

    def __init__(self, params: dict[str, Any], size: int, stack: ExitStack) -> None:
        # The floors are compared in the tests too, where the peers are not installed.
        from benchmarks.postgres_peers import Asyncpg, PsycopgPool, SqlAlchemy

        self.hands, self.ours = sides(params, size, stack)
        self.pool = stack.enter_context(closing(PsycopgPool(params, size)))
        self.asyncpg = stack.enter_context(closing(Asyncpg(params, size)))
        self.core = stack.enter_context(closing(SqlAlchemy(params, size)))
        self.autocommit = stack.enter_context(
            closing(SqlAlchemy(params, size, isolation_level="AUTOCOMMIT"))
        )

    def compare(self) -> None:
        """Make sure that they all do the same work.

        Raises:
            SystemExit: They do not.
        """
        compare_sides(self.hands[0], self.ours)
        compare([self.hands[0].read_by_one_cursor], [])
        compare([self.pool.read], [self.pool.insert, self.pool.transaction])
        compare([self.asyncpg.read], [self.asyncpg.transaction])
        compare([self.core.read], [self.core.insert])
        compare([self.autocommit.read], [self.autocommit.insert])

    def read_cases(self, threads: int) -> dict[str, Case]:
        """Return the cases of *threads* that read at the same time."""
        each = READS // threads
        hands = self.hands[:threads]
        return read_cases(hands, [self.ours] * threads, each) | {
            CURSOR_READ: reads([hand.read_by_one_cursor for hand in hands], each),
            POOL_READ: reads([self.pool.read] * threads, each),
            ASYNCPG_READ: self.asyncpg.reads(threads, each),
            CORE_READ: reads([self.core.read] * threads, each),
            CORE_READ_ALONE: reads([self.autocommit.read] * threads, each),
        }

    def write_cases(self, threads: int) -> dict[str, Case]:
        """Return the cases of *threads* that write at the same time."""
        each = WRITES // threads
        return write_cases(self.hands[:threads], [self.ours] * threads, each) | {
            POOL_TRANSACTION: writes([self.pool.transaction] * threads, each),
            ASYNCPG_TRANSACTION: self.asyncpg.transactions(threads, each),
            CORE_TRANSACTION: writes([self.core.insert] * threads, each),
            CORE_INSERT: writes([self.autocommit.insert] * threads, each),
        }


def run(_folder: str, rounds: int) -> Iterator[Group]:
    """Yield reads and writes by each number of threads, then what a store holds.

    Everybody reaches the server by its Unix socket, where the way is shortest and a
    layer above it shows most. The server's data is in a folder of its own, and does
    not outlive a crash (fsync is off), for the same reason. One thread shares a core
    with the server; see `on_one_core`.

    Raises:
        SystemExit: The contenders do not do the same work.
    """
    with PostgresServer(settings={"autovacuum": "off"}) as server, ExitStack() as stack:
        params = server.params() | {"host": server.socket_folder}
        del params["password"]  # the socket trusts, and processes show their arguments
        contenders = Contenders(params, max(THREADS), stack)
        contenders.compare()
        version = f"PostgreSQL {server.version}"
        for threads in THREADS:
            by = in_threads(threads)
            with on_one_core(server.pid) if threads == 1 else nullcontext():
                yield measure(
                    f"postgres-{threads}-read",
                    f"{version}, {by}: point read by primary key",
                    contenders.read_cases(threads),
                    _READING,
                    rounds,
                )
                yield measure(
                    f"postgres-{threads}-insert",
                    f"{version}, {by}: one insert",
                    contenders.write_cases(threads),
                    _WRITING,
                    rounds,
                )
        yield from memory.run(params, max(rounds // 4, 1))


def sides(
    params: dict[str, Any], size: int, stack: ExitStack
) -> tuple[list[PsycopgByHand], Mooring]:
    """Return the floor, a connection for each thread, and mooring; *stack* closes them.

    Args:
        params: The database, as `psycopg.connect` takes it and as a configuration does.
        size: The most threads.
        stack: Closes them.
    """
    config = {"driver": "postgres", **params, "max_idle_conns": size}
    store = stack.enter_context(core.open(config))
    fill(store)
    hands = [stack.enter_context(closing(PsycopgByHand(params))) for _ in range(size)]
    return hands, Mooring(store)
