"""Ends a group of processes and removes its folder once their owner is gone.

A script, run by path: ``_watchdog.py FOLDER PID``, FOLDER being the one to remove, PID
the process that owns it and holds the other end of stdin. It leads the process group
that everything it has to end belongs to, so that it needs no list that could be
incomplete, and no process id that could have been given to somebody else meanwhile.
"""

import os
import select
import shutil
import signal
import sys
import time

_POLL_SECONDS = 0.2
# The postmaster itself kills children that do not end, five seconds after it was told
# to shut down immediately (SIGKILL_CHILDREN_AFTER_SECS in postmaster.c).
_PATIENCE_SECONDS = 10.0


def main(folder: str, owner: int) -> None:
    """Wait for the end of *owner*, then clean up after it."""
    # SIGQUIT is what it sends to its group itself; the others are meant for the owner,
    # whose end is what it waits for.
    for number in (signal.SIGQUIT, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _wait_for_end_of(owner)
    # An immediate shutdown of PostgreSQL; the end of any other program.
    os.killpg(0, signal.SIGCONT)
    os.killpg(0, signal.SIGQUIT)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while _server_runs(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    _remove_shared_memory(folder)
    while os.path.exists(folder) and time.monotonic() < deadline:
        # Again, if a program that is about to end still wrote to it.
        shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)  # whoever is left, and this process


def _wait_for_end_of(owner: int) -> None:
    while os.getppid() == owner:
        # The owner closes its end, or the system does. A forked child of the owner may
        # hold it open and live on: the parent is looked at too.
        ready, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
        if ready:
            return


def _server_runs(folder: str) -> bool:
    """Return whether the postmaster of the data folder is alive, and in this group."""
    try:
        with open(os.path.join(folder, "data", "postmaster.pid")) as file:
            return os.getpgid(int(file.readline())) == os.getpgrp()
    except (OSError, ValueError):
        return False


def _remove_shared_memory(folder: str) -> None:
    """Remove the segment that a killed postmaster has left.

    Line 7 of its file, which it removes when it ends by itself, has the key and the id
    (src/include/utils/pidfile.h).
    """
    try:
        with open(os.path.join(folder, "data", "postmaster.pid")) as file:
            segment = int(file.read().split("\n")[6].split()[1])
    except (OSError, ValueError, IndexError):
        return
    from ctypes import CDLL

    remove = 0  # IPC_RMID, of shmctl(2)
    CDLL(None).shmctl(segment, remove, None)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
