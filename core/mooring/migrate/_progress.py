"""What a run tells while it goes on."""

from typing import Literal

import attrs

from mooring.migrate._run import Step


@attrs.frozen(kw_only=True)
class Event:
    """Progress of a run, given to the migrator's callback.

    Attributes:
        kind: ``start`` or ``end`` of one migration.
        step: The migration; its duration is known at the end.
    """

    kind: Literal["start", "end"]
    step: Step
