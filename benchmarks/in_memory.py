"""SQLite in memory: threads that write to the one connection that there can be."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from benchmarks.measure import (
    COUNT,
    PER_SECOND,
    Against,
    Group,
    group,
    in_threads,
    take_turns,
)
from benchmarks.window import Sample, costs
from benchmarks.work import environment
from benchmarks.worker import Worker
from benchmarks.writers import make_template

HAND = "by hand: one connection, lock"
TRANSACTION = "transaction()"
RUN = "run()"
THREADS = (1, 4)
_SECONDS = 0.4

# The bars are those of the project's goals.
_COMPARE = (Against(TRANSACTION, HAND, 0.95), Against(RUN, HAND))


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield throughput and errors by each number of threads.

    Raises:
        SystemExit: What was written is not there.
    """
    template = make_template(folder)
    env = environment(folder)
    for threads in THREADS:
        with ExitStack() as stack:
            cases = {
                name: partial(
                    _window,
                    stack.enter_context(Worker("in_memory", name, template, env=env)),
                    threads,
                )
                for name in (HAND, TRANSACTION, RUN)
            }
            samples = take_turns(cases, rounds)
        by = in_threads(threads)
        yield group(
            f"in-memory-{threads}-throughput",
            f"sqlite in memory, {by}: transactions a second",
            {name: [one.per_second for one in of] for name, of in samples.items()},
            _COMPARE,
            unit=PER_SECOND,
        )
        yield from costs(f"in-memory-{threads}", f"sqlite in memory, {by}", samples)
        yield group(
            f"in-memory-{threads}-busy",
            f"sqlite in memory, {by}: SQLITE_BUSY errors",
            {n: [sum(one.busy for one in of)] * len(of) for n, of in samples.items()},
            [Against(name, None, 0) for name in (TRANSACTION, RUN)],
            unit=COUNT,
        )


def _window(worker: Worker, threads: int, number: int) -> Sample:
    seconds = _SECONDS if number else 0.1
    return Sample(*worker.ask(threads=threads, seconds=seconds))


def serve(name: str, template: str) -> Callable[..., object]:
    """Return what measures one window of a contender; see `worker`."""
    from benchmarks import window, writers_by_hand

    if not os.path.exists(template):
        raise SystemExit(f"there is no {template}")
    make: Callable[[], Any] = {
        HAND: lambda: writers_by_hand.InMemory(template),
        TRANSACTION: lambda: writers_by_hand.Mooring.in_memory("transaction"),
        RUN: lambda: writers_by_hand.Mooring.in_memory("run"),
    }[name]

    def measure(threads: int, seconds: float) -> Sample:
        made = make()
        try:
            sample, written = window.measure(made, threads, seconds)
            left = made.counts()
        finally:
            made.close()
        if left != (sum(written), sum(map(bool, written))):
            raise SystemExit(f"{name} acknowledged {written}, and left {left}")
        return sample

    return measure
