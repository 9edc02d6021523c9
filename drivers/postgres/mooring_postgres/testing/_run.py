"""Running a command beside a server that is there for it alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

from mooring.core import MooringError

from mooring_postgres.testing._server import PostgresServer

_DATABASE: Final = "app"
_TARGET: Final = "{target}"
_USAGE: Final = f"""\
usage: python -m mooring_postgres.testing COMMAND [ARGUMENT]...

Start a PostgreSQL server with an empty database, run COMMAND, and throw the server
away with all that is in it. The exit code is that of COMMAND.

{_TARGET} in an argument becomes the URL of the database, without the password: that is
in PGPASSWORD, where libpq finds it. PGHOST, PGPORT, PGUSER and PGDATABASE lead there
too, and COMMAND sees no other variable of libpq.

  python -m mooring_postgres.testing mooring demo {_TARGET}
  python -m mooring_postgres.testing bash
"""
# As a shell says it (POSIX, "Shell Command Language", section 2.8.2).
_NOT_FOUND: Final = 127
_NOT_EXECUTABLE: Final = 126
_BY_SIGNAL: Final = 128


def main(command: Sequence[str]) -> int:
    """Run *command* beside a new server, and return its exit code."""
    if not command or command[0] in ("-h", "--help"):
        print(_USAGE, end="", file=sys.stdout if command else sys.stderr)
        return 0 if command else 2
    # They are about another server, and would be about ours as well.
    for name in _libpq_variables():
        os.environ.pop(name, None)
    try:
        # Durable: what is shown or measured on it is what others would see.
        with PostgresServer(durable=True) as server:
            code = _run_beside(server, command)
    except MooringError as error:
        _tell(f"error: {error}")
        return 1
    except KeyboardInterrupt:  # while the server starts
        return _BY_SIGNAL + signal.SIGINT
    _tell(
        "the server is gone, and all that was in it; for one that stays as long as you"
        f" look around: {sys.orig_argv[0]} -m mooring_postgres.testing bash"
    )
    return code


def _run_beside(server: PostgresServer, command: Sequence[str]) -> int:
    server.create_database(_DATABASE)
    # Naming the user leaves the password out.
    url = server.url(_DATABASE, user=server.user)
    words = [word.replace(_TARGET, url) for word in command]
    # Before there is a child, so that no signal comes between.
    with _signals_to_child() as children:
        try:
            child = subprocess.Popen(words, env=_environment(server))  # noqa: S603 - it was asked for
        except OSError as error:
            _tell(f"error: cannot run {command[0]}: {error.strerror}")
            missing = isinstance(error, FileNotFoundError)
            return _NOT_FOUND if missing else _NOT_EXECUTABLE
        children.append(child)
        code = child.wait()
    return code if code >= 0 else _BY_SIGNAL - code


def _libpq_variables() -> Iterator[str]:
    """Yield the names of the environment variables that libpq reads options from."""
    from psycopg.pq import Conninfo

    for option in Conninfo.get_defaults():
        if option.envvar:
            yield option.envvar.decode()


def _environment(server: PostgresServer) -> dict[str, str]:
    """Return the environment of a command, which leads to *server*."""
    return {
        **os.environ,
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": server.user,
        "PGPASSWORD": server.password,
        "PGDATABASE": _DATABASE,
    }


@contextmanager
def _signals_to_child() -> "Iterator[list[subprocess.Popen[bytes]]]":
    """Let the child, once it is in the list, answer what is to end this process.

    A terminal sends Ctrl-C to both, and the server is needed until the command ends.
    """
    children: list[subprocess.Popen[bytes]] = []

    def forward(number: int, _: FrameType | None) -> None:
        if not children:
            sys.exit(_BY_SIGNAL + number)
        if number != signal.SIGINT:
            children[0].send_signal(number)

    before = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # What is ignored, as below nohup, stays so for the child as well.
        if signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, forward)
    try:
        yield children
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - for people
