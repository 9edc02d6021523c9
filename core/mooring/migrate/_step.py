"""One migration of a run."""

from typing import Literal

import attrs


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
