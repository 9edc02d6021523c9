"""What cannot be opened says why and what to do, soon, and leaves nothing behind."""

import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing
from time import sleep
from traceback import format_exception, walk_tb
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import DatabaseServer, PostgresServer, Proxy
from psycopg import sql

Open = Callable[..., PostgresStore]
Spawn = Callable[..., "Future[Any]"]
Within = Callable[[float], AbstractContextManager[None]]

CANARY = "hunter2-canary"


@pytest.fixture
def role(
    postgres_server: DatabaseServer, postgres_config: dict[str, Any]
) -> Iterator[str]:
    """A role that may log in, with the canary as its password."""
    name = postgres_config["schema"] + "_role"
    command = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
    with postgres_server.connect() as connection:
        connection.execute(command.format(sql.Identifier(name), CANARY))
    yield name
    with postgres_server.connect() as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def alter(postgres_server: DatabaseServer, role: str) -> Callable[[str], None]:
    """Change the role by what follows its name in ALTER ROLE."""

    def run(change: str) -> None:
        with postgres_server.connect() as connection:
            connection.execute(f'ALTER ROLE "{role}" {change}'.encode())

    return run


def shown(error: BaseException) -> str:
    """Return all that a program could print of an error, and of those below it."""
    found = format_exception(error)
    below: BaseException | None = error
    while below is not None:
        found += [str(below), repr(below), repr(vars(below))]
        below = below.__cause__ or below.__context__
    return "\n".join(found)


REFUSED = [
    ({"port": 1}, "no server listens there", "start it"),
    ({"host": "no-such-host.invalid"}, "the name of the host", "correct host"),
    ({"password": f"not {CANARY}"}, "refused the user or the password", "password"),
    ({"user": "no-such-role"}, "refused the user or the password", "set user"),
    ({"dbname": "no-such-db"}, "no database 'no-such-db'", "createdb"),
    # A password that is a word of the server's message hides no more than itself.
    (
        {"dbname": "no-such-db", "password": "exist", "alter": "PASSWORD 'exist'"},
        "no database 'no-such-db'",
        "createdb",
    ),
    ({"target_session_attrs": "standby"}, "no server is of the kind", "correct"),
    ({"alter": "CONNECTION LIMIT 0"}, "no connection left", "max_connections"),
    ({"alter": "NOLOGIN"}, "may not log in", "LOGIN"),
]


@pytest.mark.parametrize(("wrong", "message", "hint"), REFUSED, ids=lambda v: str(v))
def test_each_cause_has_its_own_message_and_hint_and_no_secret(
    open_postgres: Open,
    role: str,
    alter: Callable[[str], None],
    within: Within,
    caplog: pytest.LogCaptureFixture,
    wrong: dict[str, Any],
    message: str,
    hint: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "psycopg")
    options = {"user": role, "password": CANARY, **wrong}
    change = options.pop("alter", None)
    if change:
        alter(change)
    with within(5), pytest.raises(core.OpenError) as caught:
        open_postgres(**options)

    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert CANARY not in shown(caught.value) + caplog.text
    assert "connection attempt" in caplog.text or "no-such-host" in caplog.text


def test_a_role_that_is_not_there_is_named(
    open_postgres: Open, own_server: PostgresServer
) -> None:
    # On its socket the server asks for no password.
    at = {**own_server.params(user="nobody"), "host": own_server.socket_folder}
    with pytest.raises(core.OpenError, match="no role 'nobody'") as caught:
        open_postgres(**at)

    assert "createuser" in (caught.value.hint or "")


def test_a_database_that_the_role_may_not_use_says_what_to_grant(
    open_postgres: Open, postgres_server: DatabaseServer, role: str
) -> None:
    name = postgres_server.create_database()
    try:
        with postgres_server.connect() as connection:
            revoke = sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC")
            connection.execute(revoke.format(sql.Identifier(name)))
        with pytest.raises(core.OpenError, match="may not use") as caught:
            open_postgres(user=role, password=CANARY, dbname=name)
    finally:
        postgres_server.drop_database(name)

    assert "GRANT CONNECT" in (caught.value.hint or "")


@pytest.mark.parametrize("fault", ["swallowed", "not accepted"])
def test_a_server_that_does_not_answer_is_given_up(
    open_postgres: Open, proxy: Proxy, within: Within, fault: str
) -> None:
    proxy.swallow()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = proxy.port if fault == "swallowed" else listener.getsockname()[1]
        with (
            within(0.5),
            pytest.raises(core.OpenError, match="did not answer in time") as caught,
        ):
            open_postgres(host=proxy.host, port=port, connect_timeout=0.5)

    assert "connect_timeout" in caught.value.message
    assert "network" in (caught.value.hint or "")


def test_a_host_that_does_not_answer_leaves_time_for_the_next(
    open_postgres: Open, postgres_config: dict[str, Any], proxy: Proxy, within: Within
) -> None:
    proxy.swallow()
    hosts = f"{proxy.host},{postgres_config['host']}"
    ports = f"{proxy.port},{postgres_config['port']}"
    with within(2):
        store = open_postgres(host=hosts, port=ports, connect_timeout=1)

    assert store.execute("SELECT 1").scalar() == 1


def test_all_hosts_together_take_no_longer_than_connect_timeout(
    open_postgres: Open, proxy: Proxy, within: Within
) -> None:
    proxy.swallow()
    hosts, ports = ",".join([proxy.host] * 4), ",".join([str(proxy.port)] * 4)
    with within(0.5), pytest.raises(core.OpenError, match="did not answer in time"):
        open_postgres(host=hosts, port=ports, connect_timeout=0.5)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_connection_that_breaks_while_it_is_made_says_so(
    open_postgres: Open, proxy: Proxy, how: Any
) -> None:
    # The first query of a connection, which reads its settings back.
    proxy.cut_before_answer(b"current_setting('statement_timeout')", how)
    with pytest.raises(core.OpenError, match="broke while it was made") as caught:
        open_postgres(host=proxy.host, port=proxy.port)

    assert proxy.cuts == 1
    assert "PostgreSQL server" in (caught.value.hint or "")


def test_a_host_that_refuses_after_a_while_is_told_as_one_that_refuses(
    open_postgres: Open, spawn: Spawn
) -> None:
    def leave(listener: socket.socket) -> None:
        sleep(0.3)
        listener.close()

    with (
        closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as listener,
        closing(socket.create_connection(listener.getsockname())),
    ):
        # Its queue is full. The kernel knocks once more after a second: nobody listens.
        future = spawn(leave, listener)
        with pytest.raises(core.UnavailableError, match="no server listens") as caught:
            open_postgres(host="127.0.0.1", port=listener.getsockname()[1])
        future.result(20)

    assert "correct host and port" in (caught.value.hint or "")


def test_what_is_no_postgresql_says_so(open_postgres: Open, spawn: Spawn) -> None:
    def answer(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(100)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        future = spawn(answer, listener)
        with pytest.raises(core.OpenError, match="received invalid response") as caught:
            open_postgres(host="127.0.0.1", port=listener.getsockname()[1])
        future.result(20)

    assert "PostgreSQL server" in (caught.value.hint or "")


def test_what_failed_to_open_leaves_nothing_behind(
    open_postgres: Open,
    proxy: Proxy,
    descriptors: Callable[[], int],
    no_session_stays: Callable[[], None],
) -> None:
    def failures(count: int) -> list[core.OpenError]:
        found = []
        for number in range(count):
            wrong = {"password": "x"} if number % 2 else {"dbname": "no-such-db"}
            with pytest.raises(core.OpenError) as caught:
                open_postgres(**wrong)
            found.append(caught.value)
        proxy.swallow()
        with pytest.raises(core.OpenError) as caught:
            open_postgres(host=proxy.host, port=proxy.port, connect_timeout=0.3)
        proxy.forward()
        return [*found, caught.value]

    failures(2)  # what is opened once for the process
    proxy.cut("rst")
    threads, files = threading.active_count(), descriptors()
    kept = failures(10)
    proxy.cut("rst")

    assert threading.active_count() == threads
    assert descriptors() <= files + 1  # the proxy's own end may take a moment
    assert len(kept) == 11
    no_session_stays()


def test_a_store_that_cannot_make_its_schema_is_closed(
    open_postgres: Open,
    role: str,
    no_session_stays: Callable[[], None],
) -> None:
    with pytest.raises(core.OpenError, match="schema 'other' cannot be made") as caught:
        open_postgres(user=role, password=CANARY, schema="other")

    assert "grant USAGE" in (caught.value.hint or "")
    assert CANARY not in shown(caught.value)
    no_session_stays()


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        ("sys.modules['psycopg'] = None", "import of psycopg halted"),
        ("os.environ['PSYCOPG_IMPL'] = 'c'", "psycopg 'c' implementation"),
    ],
    ids=["no psycopg", "no libpq"],
)
def test_psycopg_that_cannot_be_imported_says_what_to_install(
    prepare: str, why: str
) -> None:
    code = (
        f"import os, sys\n{prepare}\nfrom mooring import core\n"
        "try:\n    core.open('postgresql://u:hunter2@localhost/d')\n"
        "except core.OpenError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert "psycopg cannot be used" in done.stdout
    assert why in done.stdout
    assert "pip install 'psycopg[binary]'" in done.stdout
    assert "hunter2" not in done.stdout


def test_strings_with_backslashes_of_old_are_refused(
    open_postgres: Open, postgres_server: Any
) -> None:
    url = f"{postgres_server.url()}?options=-c%20standard_conforming_strings%3Doff"
    with pytest.raises(core.OpenError, match="standard_conforming_strings") as caught:
        open_postgres(conn_string=url)

    assert "E'...'" in str(caught.value.hint)


def test_no_variable_that_a_traceback_keeps_shows_the_password(
    open_postgres: Open,
) -> None:
    with pytest.raises(core.OpenError) as caught:
        open_postgres(user="nobody", password=core.Secret(CANARY))
    # Reporters of errors show them, and pytest --showlocals does.
    shown = {
        frame.f_globals["__name__"]: repr(frame.f_locals)
        for frame, _ in walk_tb(caught.value.__traceback__)
    }
    del shown[__name__]

    assert "mooring_postgres._connect" in shown
    assert [name for name, text in shown.items() if CANARY in text] == []
