"""Where the time goes of what misses its goal.

A start is divided by the clock, so its parts add up to it. Of the others each part is
measured by itself, and together they take up to a fifth less than the whole: what is
done again and again finds warmer caches than what is done in turn with the rest.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from time import monotonic
from typing import Any

from mooring import core

from benchmarks import sqlite_by_hand, tasks
from benchmarks.measure import Case, Group, group, measure, take_turns
from benchmarks.sqlite_by_hand import SqliteByHand
from benchmarks.work import SCRIPTS, environment, migrations
from benchmarks.workload import KEYS, Mooring, Work, reads, writes

READS, WRITES = 2_000, 100


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield the parts of a start, of reads and of small transactions."""
    yield from _starts(folder, max(rounds // 2, 1))
    path = os.path.join(folder, "read.db")
    with core.open({"driver": "sqlite", "path": path}) as store:
        tasks.fill(store, parents=1, tasks=len(KEYS))
        with closing(sqlite_by_hand.connect(path)) as connection:
            hand = SqliteByHand(connection, tasks.READ_BY_POSITION)
            yield _single_read(store, hand, rounds)
            yield _block(store, hand, rounds)
    for key, name, where in (
        ("file", "in a file, synchronous FULL", os.path.join(folder, "write.db")),
        ("memory", "in memory", ":memory:"),
    ):
        with core.open({"driver": "sqlite", "path": where}) as store:
            tasks.fill(store, parents=1)
            yield _transaction(f"parts-transaction-{key}", name, store, rounds)


# -- a start ------------------------------------------------------------------

_OF_MOORING = ("its modules are imported", "the driver is found and looked at")
PARTS = (
    "Python starts",
    "sqlite3 is imported, for mooring attrs and pluggy too",
    *_OF_MOORING,
    "open, migrate what is missing, insert, close",
    "Python ends",
)


def _starts(folder: str, rounds: int) -> Iterator[Group]:
    env = environment(folder)
    for key, name, fresh in (
        ("cold", "a cold start: new file, four migrations", True),
        ("warm", "a warm start: nothing to migrate", False),
    ):
        place = os.path.join(folder, key)
        os.mkdir(place)
        starts = {
            who: Start(script, place, env, fresh=fresh)
            for who, script in (("mooring", "with_mooring"), ("by hand", "by_hand"))
        }
        found = take_turns({who: start.once for who, start in starts.items()}, rounds)
        figures = {
            f"{who}: {part}": [times[number] for times in of]
            for who, of in found.items()
            for number, part in enumerate(PARTS)
            if who == "mooring" or part not in _OF_MOORING
        }
        yield group(f"parts-start-{key}", f"parts of {name}", figures, [])


class Start:
    """Starts of one script: on new files, or on one that is migrated.

    Attributes:
        modules: Mooring's modules that it imports, with commas between.
    """

    def __init__(
        self, script: str, folder: str, env: Mapping[str, str], *, fresh: bool
    ) -> None:
        self._script = script
        self._folder = folder
        self._env = env
        self._fresh = fresh
        probe = (
            f"import sys, {script}; {script}.main();"
            " print(*(name for name in sys.modules if name.startswith('mooring')))"
        )
        self.modules = ",".join(self._run(probe, "kept").split())
        if not fresh:
            self.modules = ",".join(self._run(probe, "kept", key="second").split())

    def once(self, number: int) -> list[float]:
        """Start once, and return the seconds of each of `PARTS`."""
        name = str(number) if self._fresh else "kept"
        code = "import parts_of_a_start; parts_of_a_start.main()"
        arguments = (self._script, self.modules)
        begun = monotonic()
        said = self._run(code, name, *arguments, key=f"row {number}")
        times = [begun, *map(float, said.split()), monotonic()]
        return [after - before for before, after in pairwise(times)]

    def _run(self, code: str, name: str, *arguments: str, key: str = "first") -> str:
        path = os.path.join(self._folder, f"{self._script} {name}.db")
        return subprocess.run(  # noqa: S603 - our own scripts
            [sys.executable, "-c", code, *arguments, path, key, migrations()],
            cwd=SCRIPTS,
            env=self._env,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout


# -- reads --------------------------------------------------------------------


def _single_read(store: Any, hand: SqliteByHand, rounds: int) -> Group:
    sql = tasks.READ
    statement = store.translate(sql)
    pool = store.pools()[-1]

    def each(part: Callable[[str], object]) -> Case:
        def work(keys: Sequence[str]) -> None:
            for key in keys:
                part(key)

        return reads([work], READS)

    found = store.execute(sql, {"key": KEYS[0]})
    lease = pool.acquire()
    run_statement = lease.connection.run
    try:
        return measure(
            "parts-read",
            "parts of store.execute(SELECT).one()",
            {
                "by hand: SELECT": reads([hand.read], READS),
                "all of it": reads([Mooring(store, sql).read], READS),
                "find the translated text": each(lambda _: store.translate(sql)),
                "bind the parameter": each(lambda key: statement.bind({"key": key})),
                "borrow a connection and give it back": each(
                    lambda _: pool.release(pool.acquire())
                ),
                "execute and fetch, into a result": each(
                    lambda key: run_statement(statement, statement.text, (key,))
                ),
                "take its only row": each(lambda _: found.one()),
                "the loop and a call, in each part": each(lambda _: None),
            },
            [],
            rounds,
        )
    finally:
        pool.release(lease)


def _block(store: Any, hand: SqliteByHand, rounds: int) -> Group:
    ours = Mooring(store, tasks.READ)

    def nothing(keys: Sequence[str]) -> None:
        for _ in keys:
            with store.read():
                pass

    return measure(
        "parts-block",
        "parts of a read() block with one SELECT",
        {
            "by hand: BEGIN, SELECT, ROLLBACK": reads([hand.snapshot], READS),
            "by hand: BEGIN, ROLLBACK": reads([hand.nothing], READS),
            "by hand: each further SELECT": reads([hand.further], READS),
            "all of it": reads([ours.snapshot], READS),
            "the block, with nothing in it": reads([nothing], READS),
            "each further SELECT in it": reads([ours.further], READS),
        },
        [],
        rounds,
    )


# -- a small transaction ------------------------------------------------------


def _transaction(key: str, name: str, store: Any, rounds: int) -> Group:
    """Measure the same database by hand, through the store's connection that writes."""
    above = tasks.parent(0)
    pool = store.pools()[0]
    lease = pool.acquire()
    connection = lease.connection.connection
    pool.release(lease)

    def by_hand(keys: Sequence[str]) -> None:
        for one in keys:
            tasks.write_by_hand(connection, one, above)

    def nothing_by_hand(keys: Sequence[str]) -> None:
        for _ in keys:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")

    def ours(keys: Sequence[str]) -> None:
        for one in keys:
            with store.transaction() as tx:
                tasks.write(tx, one, above)

    def nothing(keys: Sequence[str]) -> None:
        for _ in keys:
            with store.transaction():
                pass

    works: Mapping[str, Work] = {
        "by hand: BEGIN IMMEDIATE, two statements, COMMIT": by_hand,
        "by hand: BEGIN IMMEDIATE, COMMIT": nothing_by_hand,
        "all of it: with store.transaction()": ours,
        "the block, with nothing in it": nothing,
    }
    return measure(
        key,
        f"parts of one small transaction {name}",
        {case: writes([work], WRITES) for case, work in works.items()},
        [],
        rounds,
    )
