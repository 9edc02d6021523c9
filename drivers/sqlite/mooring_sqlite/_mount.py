"""What kind of file system a file is on.

WAL mode needs memory that all processes share, which a network file system cannot give
(sqlite.org/wal.html, "all processes must be on the same host").
"""

import os
from typing import Final

from mooring.core import OpenError

# Mounts as Linux lists them (proc(5), /proc/pid/mountinfo); other systems have no such
# file, and nothing is known of theirs.
MOUNTS: Final = "/proc/self/mountinfo"

_NETWORK: Final = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs", "gfs2", "glusterfs"),
        *("gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "pvfs2"),
        *("smb2", "smb3", "smbfs", "virtiofs"),
    }
)
# File systems in user space say behind "fuse." what they are.
_NETWORK_FUSE: Final = (
    *("ceph", "curlftpfs", "davfs", "gcsfuse", "gluster", "goofys", "juicefs", "mfs"),
    *("nfs", "rclone", "s3", "smb", "ssh", "wdfs"),
)


def file_system(device: int, mounts: str = MOUNTS) -> str | None:
    """Return the type of the file system with a device number, None if not known.

    Args:
        device: ``st_dev`` of a file on it.
        mounts: Where the mounts are listed.
    """
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(mounts, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                before, _, after = line.partition(" - ")
                if before.split()[2:3] == [wanted]:
                    return after.split()[0]
    except (OSError, IndexError):
        pass
    return None


def is_network(kind: str | None) -> bool:
    """Return whether a type of file system is one that other machines share."""
    if kind is None:
        return False
    if kind.startswith("fuse."):
        return kind.removeprefix("fuse.").startswith(_NETWORK_FUSE)
    return kind in _NETWORK


def refuse_network(path: str) -> None:
    """Raise OpenError if a file is on a network file system."""
    kind = file_system(os.stat(path).st_dev, MOUNTS)
    if is_network(kind):
        raise OpenError(
            f"{path} is on a network file system ({kind}), where WAL mode would damage"
            " the database: it needs memory that all machines share",
            hint="use a disk of this machine, or a database server; if one machine"
            " alone ever opens it, set network_file_system",
        )
