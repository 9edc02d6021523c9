"""Work in a forked child of the process that runs the tests."""

import os
import select
import signal
import traceback
import warnings
from collections.abc import Callable


def in_child(work: Callable[[], object], patience: float) -> str:
    """Call *work* in a forked child; return how it failed, "" if it did not.

    The child ends without an exit handler, so that nothing of its parent's is put away.

    Args:
        work: Called without arguments.
        patience: Seconds that it may take; then the child is killed.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Of other threads, which this process may have: the child needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - the parent tells it
            os.write(writing, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(0)
    os.close(writing)
    try:
        if not select.select([reading], [], [], patience)[0]:
            return f"it did not end within {patience:g} seconds"
        with open(reading, encoding="utf-8", errors="replace", closefd=False) as told:
            return told.read()
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
