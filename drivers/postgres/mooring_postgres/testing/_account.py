"""The user that runs a server: PostgreSQL and PgBouncer refuse to be root."""

import os
import pwd
import subprocess
from typing import NamedTuple

from mooring_postgres.testing._errors import ServerError


class Account(NamedTuple):
    """A user without privileges that root can become."""

    uid: int
    gid: int

    def may_enter(self, folder: str) -> bool:
        """Return whether the user can reach *folder*, asked of the system itself.

        Raises:
            ServerError: Root is not allowed to become this user.
        """
        command = ["/bin/sh", "-c", 'cd -- "$0"', folder]
        try:
            done = subprocess.run(  # noqa: S603 - one fixed command
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                user=self.uid,
                group=self.gid,
                extra_groups=[],
            )
        except OSError as error:
            raise ServerError(
                f"root may not become user {self.uid} here: {error.strerror}",
                hint="PostgreSQL refuses to run as root; run the tests as an ordinary"
                " user",
            ) from error
        return done.returncode == 0


def server_account() -> Account | None:
    """Return who runs the servers; None: the user of this process."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        if found.pw_uid:
            return Account(found.pw_uid, found.pw_gid)
    return Account(65534, 65534)  # a system without names: the usual number of nobody
