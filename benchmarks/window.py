"""One window of time, in which threads or tasks write as often as they can."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from resource import RUSAGE_SELF, getrusage
from threading import Barrier
from time import perf_counter
from typing import Any, NamedTuple

from benchmarks.measure import COUNT, Group, group
from benchmarks.tasks import parent

# Before a window: connections open, caches fill, and the write-ahead log reaches the
# length from which on it is written over.
WARMING_UP = 0.1


class Sample(NamedTuple):
    """What a window showed.

    Attributes:
        per_second: Transactions that ended inside of it, per second.
        worst: The longest that one took which ended in it or later, in seconds.
        fairness: How many of them the least served thread had, by the most served.
        busy: How many failed because the database was busy.
        processor: Seconds of the processor that the process used, by what it wrote:
            from before its threads begin until they have ended.
        switches: How often a thread of it stopped to wait, for the disk too, likewise.
    """

    per_second: float
    worst: float
    fairness: float
    busy: int
    processor: float
    switches: float


class _Counts:
    """What one thread did."""

    __slots__ = ("busy", "served", "worst", "written")

    def __init__(self) -> None:
        self.busy = self.served = self.written = 0
        self.worst = 0.0


class _Clock:
    """When the window is, for all of its threads."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begin = self.end = 0.0

    def start(self) -> None:
        self.begin = perf_counter() + WARMING_UP
        self.end = self.begin + self.seconds

    def note(self, counts: _Counts, started: float, *, written: bool) -> None:
        """Count a transaction that has just ended."""
        now = perf_counter()
        counts.written += written
        if now >= self.begin:
            counts.worst = max(counts.worst, now - started)
            counts.served += written and now <= self.end
            counts.busy += not written


def measure(contender: Any, threads: int, seconds: float) -> tuple[Sample, list[int]]:
    """Measure one window.

    Args:
        contender: Has ``writer(number)`` for each thread, and may have ``leave()``
            for its end; or ``connect()``, a coroutine, for each task.
        threads: How many threads or tasks write, 1..16.
        seconds: The length of the window.

    Returns:
        What it showed; and how many transactions of each thread were acknowledged in
        all, warming up included.
    """
    clock = _Clock(seconds)
    before = getrusage(RUSAGE_SELF)
    if hasattr(contender, "connect"):
        found = asyncio.run(_as_tasks(contender, threads, clock))
    else:
        found = _as_threads(contender, threads, clock)
    after = getrusage(RUSAGE_SELF)
    served = [counts.served for counts in found]
    written = [counts.written for counts in found]
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sample = Sample(
        sum(served) / seconds,
        max(counts.worst for counts in found),
        min(served) / max(*served, 1),
        sum(counts.busy for counts in found),
        used / max(sum(written), 1),
        (after.ru_nvcsw - before.ru_nvcsw) / max(sum(written), 1),
    )
    return sample, written


def _as_threads(contender: Any, threads: int, clock: _Clock) -> list[_Counts]:
    start = Barrier(threads, action=clock.start)

    def work(number: int) -> _Counts:
        counts = _Counts()
        write = contender.writer(number)
        above = parent(number)
        start.wait()
        for key in _keys(number):
            started = perf_counter()
            try:
                write(key, above)
            except Exception as error:
                if not is_busy(error):
                    raise
                clock.note(counts, started, written=False)
            else:
                clock.note(counts, started, written=True)
            if perf_counter() >= clock.end:
                break
        getattr(contender, "leave", _nothing)()
        return counts

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, range(threads)))


async def _as_tasks(contender: Any, tasks: int, clock: _Clock) -> list[_Counts]:
    writers = [await contender.connect() for _ in range(tasks)]
    clock.start()

    async def work(number: int, write: Callable[..., Any]) -> _Counts:
        counts = _Counts()
        above = parent(number)
        for key in _keys(number):
            started = perf_counter()
            try:
                await write(key, above)
            except Exception as error:
                if not is_busy(error):
                    raise
                clock.note(counts, started, written=False)
            else:
                clock.note(counts, started, written=True)
            if perf_counter() >= clock.end:
                break
        return counts

    try:
        return await asyncio.gather(
            *(work(number, write) for number, (write, _) in enumerate(writers))
        )
    finally:
        for _, close in writers:
            await close()


def costs(
    key: str,
    what: str,
    samples: Mapping[str, Sequence[Sample]],
    not_measured: Mapping[str, str] | None = None,
) -> Iterator[Group]:
    """Yield what a transaction costs, which says why there are not more of them.

    Args:
        key: What the groups' keys begin with.
        what: What their names do.
        samples: By contender, what its windows showed.
        not_measured: Why a contender has none.
    """
    yield group(
        f"{key}-processor",
        f"{what}: processor time of the process, by transaction",
        {name: [one.processor for one in of] for name, of in samples.items()},
        [],
        not_measured=not_measured,
    )
    yield group(
        f"{key}-switches",
        f"{what}: how often a thread stopped to wait, by transaction",
        {name: [one.switches for one in of] for name, of in samples.items()},
        [],
        unit=COUNT,
        not_measured=not_measured,
    )


def is_busy(error: BaseException | None) -> bool:
    """Return whether it, or what caused it, says that the database was busy."""
    while error is not None:
        if "locked" in str(error) or "Busy" in type(error).__name__:
            return True
        error = error.__cause__ or error.__context__
    return False


def _keys(number: int) -> Iterator[str]:
    count = 0
    while True:
        count += 1
        yield f"task {number:02} {count:07}"


def _nothing() -> None:
    """Stand for an end that nothing has to be done at."""
