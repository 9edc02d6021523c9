"""A disk that takes its time to make writes permanent."""

from time import sleep

from mooring_sqlite.testing._disk import Disk, File, Go


class SlowDisk(Disk):
    """A disk whose syncs take longer; other threads run meanwhile.

    A fast disk hides what a sync costs on others: some 0.3 to 1 ms where an NVMe drive
    has no protection against power loss, 1 to 4 ms over a network.

    Attributes:
        delay: Seconds added to each sync, >= 0; may be changed at any time.
        syncs: How many there were.
    """

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.syncs = 0

    def sync(self, file: File, go: Go) -> int:  # noqa: ARG002 - each is as slow
        """Sync, and wait."""
        self.syncs += 1
        code = go()
        sleep(self.delay)
        return code
