"""What a process holds, looked at again and again, and whether it stays the same."""

import os
from collections.abc import Sequence
from typing import NamedTuple

MEBIBYTE = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Sample(NamedTuple):
    """A process and its database at one moment.

    Attributes:
        at: Seconds since the run began.
        memory: What it holds in memory (RSS), in MiB.
        files: Its open file descriptors.
        threads: Its threads.
        wal: The size of the write-ahead log, in MiB.
        database: The size of the database's file, in MiB.
    """

    at: float
    memory: float
    files: float
    threads: float
    wal: float
    database: float


class Rule(NamedTuple):
    """How much a line may rise over the second half of a run and count as flat.

    Attributes:
        title: What the line is.
        part: Part of its median, ...
        least: ... but at least this, in its unit.
    """

    title: str
    part: float
    least: float


class Verdict(NamedTuple):
    """Whether a line is flat.

    Attributes:
        title: What the line is.
        rise: What it rose over the second half of the run: the slope of the straight
            line with the least squares, times that time.
        allowed: What it may rise.
        median: Its median in the second half.
        largest: The largest figure of the whole run.
        flat: Whether it rose no more than that.
    """

    title: str
    rise: float
    allowed: float
    median: float
    largest: float
    flat: bool


# The first half is for caches to fill. The log is written over from the beginning, so
# that its file has the size of its largest moment; the database has a bounded number of
# rows.
RULES = {
    "memory": Rule("memory (RSS), MiB", 0.03, 1.0),
    "files": Rule("file descriptors", 0.0, 1.0),
    "threads": Rule("threads", 0.0, 0.5),
    "wal": Rule("write-ahead log, MiB", 0.1, 2.0),
    "database": Rule("database, MiB", 0.05, 0.5),
}


def sample(pid: int, path: str, at: float) -> Sample:
    """Return how process *pid* and the database at *path* are now.

    Raises:
        OSError: The process has ended, or the system has no ``/proc``.
    """
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1])
    return Sample(
        at=at,
        memory=resident * _PAGE / MEBIBYTE,
        files=len(os.listdir(f"/proc/{pid}/fd")),
        threads=len(os.listdir(f"/proc/{pid}/task")),
        wal=_size(f"{path}-wal"),
        database=_size(path),
    )


def _size(path: str) -> float:
    try:
        return os.stat(path).st_size / MEBIBYTE
    except FileNotFoundError:
        return 0.0


def verdicts(samples: Sequence[Sample]) -> list[Verdict]:
    """Say of each line whether it is flat, in the second half of the run.

    Raises:
        ValueError: There are too few samples to say anything.
    """
    half = [one for one in samples if one.at >= samples[-1].at / 2]
    if len(half) < 10:
        raise ValueError(f"{len(samples)} samples are too few: run for longer")
    found = []
    for name, rule in RULES.items():
        values = [getattr(one, name) for one in half]
        median = sorted(values)[len(values) // 2]
        rise = _slope([one.at for one in half], values) * (half[-1].at - half[0].at)
        allowed = max(rule.part * median, rule.least)
        largest = max(getattr(one, name) for one in samples)
        verdict = Verdict(rule.title, rise, allowed, median, largest, rise <= allowed)
        found.append(verdict)
    return found


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    middle = sum(times) / len(times)
    spread = sum((time - middle) ** 2 for time in times)
    together = sum((t - middle) * v for t, v in zip(times, values, strict=True))
    return together / spread
