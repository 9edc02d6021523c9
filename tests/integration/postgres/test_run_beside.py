"""``python -m mooring_postgres.testing``: a command beside a server of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

RUNNER = (sys.executable, "-W", "error", "-m", "mooring_postgres.testing")
ENVIRONMENT = """
import os
for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE"):
    print(os.environ.get(name))
"""
# Prints the process id of the postmaster that it is connected to.
POSTMASTER = """
import psycopg
with psycopg.connect() as connection:
    (path,) = connection.execute("SHOW data_directory").fetchone()
print(path, open(path + "/postmaster.pid").readline().strip())
"""


class Ran(NamedTuple):
    """What a run of the runner did."""

    code: int
    out: str
    err: str


@pytest.fixture
def beside() -> Callable[..., Ran]:
    """Return a function that runs a command beside a new server."""

    def run(*command: str, **env: str) -> Ran:
        done = subprocess.run(
            [*RUNNER, *command],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


Beside = Callable[..., Ran]


def test_target_leads_to_an_empty_database_and_holds_no_password(
    beside: Beside,
) -> None:
    code = "import sys, os; print(sys.argv[1], os.environ['PGPASSWORD'])"
    done = beside(sys.executable, "-c", code, "<{target}>")
    target, password = done.out.split()

    assert done.code == 0, done.err
    assert target.startswith("<postgresql://postgres@127.0.0.1:")
    assert target.endswith("/app>")
    assert len(password) > 20
    assert password not in target + done.err
    assert "the server is gone" in done.err


def test_variables_of_another_server_are_not_seen(beside: Beside) -> None:
    # libpq would refuse the connection for each of them.
    others = {"PGHOST": "db.invalid", "PGSSLMODE": "verify-full", "PGOPTIONS": "-c x"}
    done = beside(sys.executable, "-c", ENVIRONMENT, PGPASSWORD="hunter2", **others)
    host, port, user, password, dbname, mode = done.out.split()

    assert (host, user, dbname, mode) == ("127.0.0.1", "postgres", "app", "None")
    assert port.isdigit()
    assert password != "hunter2"  # noqa: S105 - compared with what must not be there


def test_demo_of_the_command_runs_on_it(beside: Beside) -> None:
    demo = ("-m", "mooring.cli", "demo", "{target}", "--seconds", "0.1")
    done = beside(sys.executable, *demo)

    assert done.code == 0, done.out + done.err
    assert "PostgreSQL 18" in done.out
    # That it works as a superuser is advice, and no failure.
    assert "checks, all ok, 1 warning." in done.out


def test_server_is_gone_when_the_command_has_ended(beside: Beside) -> None:
    done = beside(sys.executable, "-c", POSTMASTER)
    folder, pid = done.out.split()

    assert done.code == 0, done.err
    assert not Path(folder).exists()
    assert not Path("/proc", pid).exists()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -KILL $$"], 137),
        (["no-such-command"], 127),
        ([os.devnull], 126),
    ],
    ids=["its own", "killed", "missing", "no program"],
)
def test_exit_code_is_that_of_the_command(
    beside: Beside, command: list[str], code: int
) -> None:
    done = beside(*command)

    assert done.code == code
    assert ("error: cannot run" in done.err) is (code in (126, 127))


def test_without_a_command_it_says_how_to_use_it(beside: Beside) -> None:
    nothing, asked = beside(), beside("--help")

    assert (nothing.code, nothing.out) == (2, "")
    assert (asked.code, asked.err) == (0, "")
    assert nothing.err == asked.out
    assert asked.out.startswith("usage: python -m mooring_postgres.testing COMMAND")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_is_answered_by_the_command(number: signal.Signals) -> None:
    code = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print(os.getpid(), flush=True)
    while True:
        signal.pause()
except KeyboardInterrupt:
    sys.exit(42)
"""
    runner = subprocess.Popen(
        [*RUNNER, sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with runner:
        try:
            assert runner.stdout
            int(runner.stdout.readline())
            if number == signal.SIGINT:
                os.killpg(runner.pid, number)  # as a terminal does
            else:
                runner.send_signal(number)
            ended = runner.wait(60)
        finally:
            runner.kill()

    assert ended == (42 if number == signal.SIGINT else 128 + signal.SIGTERM)
