"""One migration of a run; a named tuple for the same reason as `Migration`."""

from typing import Literal, NamedTuple


class Step(NamedTuple):
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
