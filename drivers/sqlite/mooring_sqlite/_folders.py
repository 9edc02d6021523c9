"""Folders for a new database, which last as long as it does."""

import os


def make_folder(path: str) -> None:
    """Make a folder, and those above it that are missing, for this user alone.

    Raises:
        OSError: It cannot be made.
    """
    if not os.path.isdir(path):
        make_folder(os.path.dirname(path))
        try:
            os.mkdir(path, 0o700)
            os.chmod(path, 0o700)  # whatever the umask
            _sync_folder(os.path.dirname(path))
        except FileExistsError:
            if not os.path.isdir(path):
                raise


def _sync_folder(path: str) -> None:
    """Make the names in a folder permanent, where its file system can.

    SQLite does so with the folder of the database, and no other: what is committed
    would be lost with a folder that a power cut takes away.
    """
    try:
        folder = os.open(path, os.O_RDONLY)
    except OSError:
        return  # it may be one that is written to, but not read
    try:
        os.fsync(folder)
    except OSError:
        pass  # SQLite goes on, too
    finally:
        os.close(folder)
