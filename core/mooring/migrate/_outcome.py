"""What a run did."""

import attrs

from mooring.migrate._listing import Listing
from mooring.migrate._run import Step


@attrs.frozen(kw_only=True)
class Outcome(Listing[Step]):
    """What a run did; also the sequence of its steps.

    Attributes:
        steps: What was applied, undone or noted, in order; empty if nothing was to do.
        version: The newest version that is applied now, 0 if none is.
    """

    steps: tuple[Step, ...]
    version: int

    @property
    def parts(self) -> tuple[Step, ...]:
        """The steps."""
        return self.steps


@attrs.frozen(kw_only=True)
class Waited:
    """What a wait ended with: the database is at head.

    Attributes:
        version: The newest version that is applied, 0 if there is none.
        seconds: How long it took.
    """

    version: int
    seconds: float
