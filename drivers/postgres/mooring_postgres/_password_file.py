"""Passwords that stand in a file, as secret managers mount them."""

import os
import stat

from mooring.core import OpenError

# Far more than any password, and little enough to read by mistake.
_LONGEST = 65_536


def read_password(path: str) -> str:
    """Return the password in a file, without one line break at its end.

    The file is read each time, so that a password that was exchanged holds for the
    next connection.

    Raises:
        OpenError: It is missing, unreadable, empty, or open to others.
    """
    try:
        # Without waiting for a writer, if it is a named pipe.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as cause:
        raise OpenError(
            f"cannot read password_file {path} as {_user()}: {cause.strerror}",
            hint=f"correct the path, or let {_user()} read the file",
        ) from cause
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise OpenError(
                f"password_file {path} is not a regular file",
                hint="name a file that holds the password and nothing else",
            )
        _refuse_open_to_others(path, found)
        content = os.read(file, _LONGEST)
    finally:
        os.close(file)
    return _password(path, content)


def _password(path: str, content: bytes) -> str:
    problem = ""
    text = ""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    line = text.removesuffix("\n").removesuffix("\r")
    if not problem and not line:
        problem = "is empty"
    elif "\n" in line or "\r" in line or "\0" in line:
        problem = "holds more than one line, or a NUL"
    if problem:
        # Outside the except block: its context would hold what was read.
        raise OpenError(
            f"password_file {path} {problem}",
            hint="write the password into it, as one line and nothing else",
        )
    return line


def _refuse_open_to_others(path: str, found: os.stat_result) -> None:
    """Apply libpq's rule for private keys (PostgreSQL 32.19.1)."""
    mode = stat.S_IMODE(found.st_mode)
    by_root = found.st_uid == 0
    if mode & (0o037 if by_root else 0o077):
        allowed = "0640" if by_root else "0600"
        raise OpenError(
            f"password_file {path} has mode {mode:04o}: others may read or change it",
            hint=f"chmod {allowed} {path}; for a secret that Kubernetes mounts, set"
            " defaultMode: 0400, or 0440 with fsGroup",
        )


def _user() -> str:
    from pwd import getpwuid

    uid = os.geteuid()
    try:
        return f"user {getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"
