"""All that a disk was asked, and power cuts at moments of it."""

from collections.abc import Iterator
from random import Random

import attrs

from mooring_sqlite.testing._disk_events import Event, Noted
from mooring_sqlite.testing._power_cut import DiskState, Remains


@attrs.frozen(kw_only=True)
class Recording:
    """What a `RecordingDisk` was asked.

    Attributes:
        before: The files that were there before, by path.
        events: What happened, in order.
    """

    before: dict[str, bytes]
    events: tuple[Event, ...]

    def power_cuts(self, count: int, random: Random) -> Iterator[Remains]:
        """Yield what *count* power cuts leave, each of a moment of its own, in order.

        Half of the moments are right after something was noted: what is lost then,
        somebody relies on.

        Args:
            count: How many, >= 0.
            random: Decides on the moments, and on each write that was not synced.
        """
        state = DiskState(self.before)
        done = 0
        for moment in self._moments(count, random):
            for number in range(done, moment):
                state.apply(number, self.events[number])
            done = moment
            yield state.cut(random)

    def _moments(self, count: int, random: Random) -> list[int]:
        """Return numbers of events, the power being cut before each, in order."""
        notes = [n + 1 for n, event in enumerate(self.events) if type(event) is Noted]
        return sorted(
            random.choice(notes)
            if notes and number % 2
            else random.randint(0, len(self.events))
            for number in range(count)
        )
