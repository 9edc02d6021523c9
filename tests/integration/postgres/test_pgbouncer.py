"""PgBouncer in front of the server, and what happens where it is not installed."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from mooring_postgres.testing import (
    DatabaseServer,
    PgBouncer,
    PostgresServer,
    Proxy,
    ServerError,
)

ROOT = Path(__file__).parents[3]


def watchdogs() -> set[int]:
    found = set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
    return found


@pytest.mark.needs_pgbouncer
def test_connections_are_shared_by_transaction(pgbouncer: PgBouncer) -> None:
    with pgbouncer.connect() as first, pgbouncer.connect() as second:
        pids = {
            connection.execute("SELECT pg_backend_pid()").fetchone()
            for connection in (first, second)
        }

    assert len(pids) == 1


@pytest.mark.needs_pgbouncer
def test_settings_win_over_those_for_tests(postgres_server: DatabaseServer) -> None:
    with (
        PgBouncer(postgres_server, settings={"pool_mode": "session"}) as pgbouncer,
        pgbouncer.connect() as first,
        pgbouncer.connect() as second,
    ):
        pids = {
            connection.execute("SELECT pg_backend_pid()").fetchone()
            for connection in (first, second)
        }

    assert len(pids) == 2


@pytest.mark.needs_pgbouncer
def test_wrong_password_is_refused(pgbouncer: PgBouncer) -> None:
    with pytest.raises(psycopg.OperationalError, match="failed"):
        pgbouncer.connect(password="wrong")  # noqa: S106 - it is the wrong one


@pytest.mark.needs_pgbouncer
def test_pooler_by_the_socket_of_a_server_and_proxy_before_it() -> None:
    with PostgresServer() as server:
        by_socket = DatabaseServer(
            host=server.socket_folder,
            port=server.port,
            user=server.user,
            password=server.password,
        )
        with PgBouncer(by_socket) as pgbouncer, Proxy(pgbouncer) as proxy:
            name = server.create_database()
            with proxy.server.connect(name) as connection:
                row = connection.execute("SELECT current_database()").fetchone()

    assert row == (name,)


@pytest.mark.needs_pgbouncer
def test_pooler_leaves_no_process_and_no_file(postgres_server: DatabaseServer) -> None:
    before = watchdogs()
    with PgBouncer(postgres_server) as pgbouncer:
        started = [psutil.Process(pid) for pid in watchdogs() - before]
        (program,) = (p for p in started if p.name() == "pgbouncer")
        folder = Path(program.cwd())
        assert program.uids().real != 0
        assert pgbouncer.password not in " ".join(program.cmdline())

    assert watchdogs() == before
    assert not folder.exists()


@pytest.mark.needs_pgbouncer
def test_start_that_fails_says_what_the_program_wrote(
    postgres_server: DatabaseServer,
) -> None:
    wrong = PgBouncer(postgres_server, settings={"pool_mode": "nonsense"})
    with pytest.raises(
        ServerError, match=r"did not start; it wrote:\n(.*\n)*.*nonsense"
    ):
        wrong.__enter__()


def test_missing_program_says_what_to_install(
    postgres_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOORING_TEST_PGBOUNCER", "/nowhere/pgbouncer")
    with pytest.raises(ServerError, match="install the package pgbouncer"):
        PgBouncer(postgres_server)


def test_where_it_is_missing_the_last_lines_name_the_tests_that_were_not_run() -> None:
    options = ("-q", "-p", "no:cacheprovider", "-k", "shared or missing_program")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, __file__],
        cwd=ROOT,
        env={**os.environ, "MOORING_TEST_PGBOUNCER": "/nowhere/pgbouncer"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    *_, reason, name, summary = done.stdout.splitlines()

    assert done.returncode == 0, done.stdout
    assert "tests that need pgbouncer; install the system's package" in reason
    assert name.startswith("NOT RUN tests/integration/postgres/test_pgbouncer.py::")
    assert "1 passed" in summary
    assert "skipped" not in done.stdout
