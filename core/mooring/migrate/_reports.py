"""What the migrator tells: values to print, to log, or to look at in a test."""

from typing import Literal

import attrs

MigrationState = Literal["applied", "pending", "changed", "missing", "ahead"]


@attrs.frozen(kw_only=True)
class Step:
    """One migration that was applied or undone, or would be.

    Attributes:
        version: Its version.
        name: Its file name.
        direction: ``up`` or ``down``.
        duration: Seconds that it took; None in a plan.
    """

    version: int
    name: str
    direction: Literal["up", "down"]
    duration: float | None = None


@attrs.frozen(kw_only=True)
class MigrationStatus:
    """One migration, as the files and the database see it.

    Attributes:
        version: Its version.
        name: Its file name; "" if there is no file.
        state: ``applied``; ``pending``; ``changed`` (applied, but the file is another
            now); ``missing`` (applied, no file); ``ahead`` (no file, and newer than
            every file: a newer release applied it).
        applied_at: When, ISO 8601 in UTC; "" if pending or not recorded.
        duration: Seconds that it took; None if pending or not recorded.
    """

    version: int
    name: str
    state: MigrationState
    applied_at: str = ""
    duration: float | None = None


@attrs.frozen(kw_only=True)
class Event:
    """Progress of a run, given to the migrator's callback.

    Attributes:
        kind: ``start`` or ``end`` of one migration.
        step: The migration; its duration is known at the end.
    """

    kind: Literal["start", "end"]
    step: Step
