"""Disks that are slow, fail, or remember, under the SQLite of this process.

For authors of applications and of benchmarks. They stand between SQLite and the real
files, in C's terms as a VFS shim, and need no compiler: `install_shim` puts one under
every file that is opened afterwards.
"""

from mooring_sqlite.testing._disk import Disk, File
from mooring_sqlite.testing._errors import ShimError
from mooring_sqlite.testing._failing_disk import DiskFault, FailingDisk
from mooring_sqlite.testing._library import shim_problem
from mooring_sqlite.testing._power_cut import Remains
from mooring_sqlite.testing._recording import Recording
from mooring_sqlite.testing._recording_disk import RecordingDisk
from mooring_sqlite.testing._shim import install_shim
from mooring_sqlite.testing._slow_disk import SlowDisk

__all__ = [
    "Disk",
    "DiskFault",
    "FailingDisk",
    "File",
    "Recording",
    "RecordingDisk",
    "Remains",
    "ShimError",
    "SlowDisk",
    "install_shim",
    "shim_problem",
]
