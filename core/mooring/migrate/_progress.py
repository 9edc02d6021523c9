"""What a run tells while it goes on."""

from typing import Literal

import attrs

from mooring.migrate._run import Step


@attrs.frozen(kw_only=True)
class Event:
    """Progress of a run, given to the migrator's callback.

    Attributes:
        kind: ``start`` or ``end`` of one migration; ``statement``: one of its
            statements ran.
        step: The migration; its duration is known at the end.
        statement: How many of its statements ran, 0 at the start.
        statements: How many it has in this direction.
        duration: Seconds that it took so far.
    """

    kind: Literal["start", "statement", "end"]
    step: Step
    statement: int = 0
    statements: int = 0
    duration: float = 0.0
