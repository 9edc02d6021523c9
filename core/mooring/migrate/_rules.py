"""How a migrator runs files."""

from typing import Final

import attrs

from mooring.core.errors import ArgumentError

# How often a file that waited for a lock in vain is run again.
LOCK_RETRIES: Final = 5


@attrs.frozen(kw_only=True)
class Rules:
    """How a migrator runs files.

    Attributes:
        strict: Refuse a file that begins or ends a transaction itself, where the
            engine would run it, with a warning: on PostgreSQL. Others refuse always.
        statement_timeout: Seconds that one statement of a file may run, > 0; None: as
            long as it takes.
        table_lock_timeout: Seconds that one may wait for the locks of others, > 0;
            None: as the driver has it. While it waits, PostgreSQL lets nobody behind it
            read the table, so that there it is the store's ``lock_timeout`` for what
            locks a whole table, and without end for all else.
        lock_retries: How often a unit that waited in vain for such a lock, or was in a
            deadlock, is run again, >= 0, if nothing of it stays: after half a second,
            then each time after twice as long, at most 30 seconds.

    Raises:
        ArgumentError: A number is out of its range.
    """

    strict: bool = False
    statement_timeout: float | None = None
    table_lock_timeout: float | None = None
    lock_retries: int = LOCK_RETRIES

    def __attrs_post_init__(self) -> None:
        """Refuse what is out of range."""
        for name in ("statement_timeout", "table_lock_timeout"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ArgumentError(f"{name} must be seconds > 0, not {value!r}")
        if self.lock_retries < 0:
            raise ArgumentError(f"lock_retries must be >= 0, not {self.lock_retries!r}")
