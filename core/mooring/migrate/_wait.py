"""Waiting until somebody else has migrated the database."""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

from mooring.core.errors import (
    ArgumentError,
    MigrationsPendingError,
    MigrationUnfinishedError,
    StoreError,
)

# Seconds between two looks; longer each time.
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


def wait_until(look: Callable[[], int], timeout: float) -> tuple[int, float]:
    """Look again and again until nothing is pending.

    Args:
        look: Returns the version, or raises what `Migrator.require_head` raises.
        timeout: Seconds to go on, >= 0; 0 looks once.

    Returns:
        The version, and the seconds that it took.

    Raises:
        ArgumentError: The timeout is below 0.
        MigrationsPendingError: Something still is when the time is over.
        StoreError: The store could not be asked, and still cannot.
        MigrationError: Waiting does not help, such as where the database is ahead.
    """
    if not timeout >= 0:
        raise ArgumentError(f"timeout must be a number of seconds >= 0, not {timeout}")
    started, pause = monotonic(), _FIRST_PAUSE
    while True:
        try:
            return look(), monotonic() - started
        except (MigrationsPendingError, MigrationUnfinishedError, StoreError) as error:
            # One that did not end may be somebody's who is at it.
            waits = not isinstance(error, StoreError) or error.retryable
            left = started + timeout - monotonic()
            if not waits or left <= 0:
                raise
        sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
