"""Where the two ends of a conversation run."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def on_one_core(server: int) -> Iterator[None]:
    """Keep this thread and a server on one core for the length of a block.

    Someone who waits for each answer never works at the same time as the server does,
    so a second core gains nothing. But waking it takes several times as long as what is
    compared, and the system gives each connection one core or two as it pleases: where
    it may, one contender's luck is measured as the other's cost.

    What either of them starts in the block begins there as well. Linux only; elsewhere
    it does nothing.

    Args:
        server: The process whose children serve.
    """
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        _keep(server, {max(before)})
        yield
    finally:
        _keep(server, before)


def _keep(server: int, cores: set[int]) -> None:
    """Move this thread, the server, and what it has started so far."""
    os.sched_setaffinity(0, cores)
    # First the server, so that what it starts meanwhile is there already.
    os.sched_setaffinity(server, cores)
    for child in psutil.Process(server).children(recursive=True):
        with suppress(ProcessLookupError):  # it has ended since
            os.sched_setaffinity(child.pid, cores)
