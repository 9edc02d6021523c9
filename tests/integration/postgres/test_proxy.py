"""Each fault of the proxy, as a client of PostgreSQL meets it.

The connections are closed, and not used by ``with`` themselves: at its end, one that
could not send would try to commit, fail again, and stay open.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
import trustme
from mooring_postgres.testing import DatabaseServer, PostgresServer, Proxy, ServerError
from psycopg import sql

Spawn = Callable[..., "Future[Any]"]

# psycopg asks before the refusal is there, and may take it for the end of a connection.
NOBODY_LISTENS = "refused|closed the connection"
# Longer than a machine under load takes for what does not hang.
PATIENCE = 20.0


@pytest.fixture
def table(postgres_server: DatabaseServer) -> Iterator[str]:
    """The name of a table of one integer column."""
    name = "proxied"
    with closing(postgres_server.connect()) as connection:
        connection.execute("CREATE TABLE proxied (id integer)")
    yield name
    with closing(postgres_server.connect()) as connection:
        connection.execute("DROP TABLE proxied")


@pytest.fixture
def tls_proxy(
    postgres_server: DatabaseServer, authority: trustme.CA
) -> Iterator[Proxy]:
    """A proxy that speaks TLS, with a certificate for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with Proxy(postgres_server, tls=context) as proxy:
        yield proxy


def count(server: DatabaseServer, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    with closing(server.connect()) as connection:
        (number,) = connection.execute(query).fetchone() or (-1,)
    return int(number)


def ask(connection: "psycopg.Connection[Any]") -> object:
    return connection.execute("SELECT 1").fetchone()


def hangs(spawn: Spawn, work: Callable[[], object]) -> "Future[Any]":
    """Assert that *work* is not done soon."""
    future = spawn(work)
    with pytest.raises(TimeoutError):
        future.result(0.5)
    return future


# -- forward ------------------------------------------------------------------


def test_forwards_what_is_larger_than_its_buffer(proxy: Proxy) -> None:
    text = "é" * 3_000_000
    with closing(proxy.server.connect()) as connection:
        row = connection.execute("SELECT %s || ''", [text]).fetchone()

    assert row == (text,)
    assert proxy.cuts == 0


def test_forwards_to_a_server_that_was_restarted() -> None:
    with PostgresServer() as server, Proxy(server) as proxy:
        proxy.server.connect().close()
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            proxy.server.connect()
        server.start()
        with closing(proxy.server.connect()) as connection:
            assert ask(connection) == (1,)


def test_forwards_to_the_unix_socket() -> None:
    with PostgresServer() as server:
        server_by_socket = DatabaseServer(
            host=server.socket_folder, port=server.port, user="postgres", password=""
        )
        with (
            Proxy(server_by_socket) as proxy,
            closing(proxy.server.connect()) as connection,
        ):
            assert ask(connection) == (1,)


def test_end_of_a_client_reaches_the_server(proxy: Proxy) -> None:
    connection = proxy.server.connect()
    pid = connection.info.backend_pid
    assert proxy.connections == 1
    connection.close()
    query = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
    deadline = monotonic() + PATIENCE
    with closing(proxy.server.connect()) as other:
        while other.execute(query, [pid]).fetchone() != (0,):
            assert monotonic() < deadline


# -- cut ----------------------------------------------------------------------


def test_cut_ends_open_connections_and_no_new_one(proxy: Proxy) -> None:
    with (
        closing(proxy.server.connect()) as first,
        closing(proxy.server.connect()) as second,
    ):
        proxy.cut()
        for connection in (first, second):
            with pytest.raises(psycopg.OperationalError, match="server closed"):
                ask(connection)

    assert proxy.cuts == 2
    with closing(proxy.server.connect()) as third:
        assert ask(third) == (1,)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_cut_is_an_end_or_a_reset_as_it_was_told(proxy: Proxy, how: Any) -> None:
    with (
        closing(proxy.server.connect()) as connection,
        socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as peer,
    ):
        peer.settimeout(PATIENCE)
        proxy.cut(how)
        try:
            got = "fin" if peer.recv(1) == b"" else "data"
        except ConnectionResetError:
            got = "rst"

    assert got == how


def test_refuse_refuses_new_connections_and_keeps_open_ones(proxy: Proxy) -> None:
    with closing(proxy.server.connect()) as connection:
        proxy.refuse()
        with pytest.raises(psycopg.OperationalError, match=NOBODY_LISTENS):
            proxy.server.connect()
        assert ask(connection) == (1,)
    proxy.forward()
    with closing(proxy.server.connect()) as connection:
        assert ask(connection) == (1,)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_cut_before_answer_of_commit_loses_the_answer_and_not_the_row(
    proxy: Proxy, postgres_server: DatabaseServer, table: str, how: Any
) -> None:
    connection = proxy.server.connect()
    connection.autocommit = False
    connection.execute("INSERT INTO proxied VALUES (1)")
    proxy.cut_before_answer(b"COMMIT", how)
    with closing(connection), pytest.raises(psycopg.OperationalError):
        connection.commit()

    assert proxy.cuts == 1
    assert count(postgres_server, table) == 1


def test_cut_before_answer_of_a_single_write_is_for_one_connection_once(
    proxy: Proxy, postgres_server: DatabaseServer, table: str
) -> None:
    proxy.cut_before_answer(b"INSERT INTO proxied")
    with (
        closing(proxy.server.connect()) as first,
        closing(proxy.server.connect()) as second,
    ):
        assert ask(first) == (1,)
        with pytest.raises(psycopg.OperationalError):
            second.execute("INSERT INTO proxied VALUES (%s)", [1])
        first.execute("INSERT INTO proxied VALUES (%s)", [2])

    assert proxy.cuts == 1
    assert count(postgres_server, table) == 2


def test_cut_before_answer_finds_what_is_sent_in_pieces(
    proxy: Proxy, postgres_server: DatabaseServer, table: str
) -> None:
    # Larger than what the proxy reads at once, with the marker behind all of it.
    statement = f"INSERT INTO proxied SELECT 1 -- {'x' * 300_000} marker"
    proxy.cut_before_answer(b"marker")
    with (
        closing(proxy.server.connect()) as connection,
        pytest.raises(psycopg.OperationalError),
    ):
        connection.execute(statement.encode())

    assert count(postgres_server, table) == 1


def test_cut_after_so_many_bytes_of_a_result_cuts_in_the_middle(proxy: Proxy) -> None:
    with closing(proxy.server.connect()) as connection:
        proxy.cut_after(10_000)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT repeat('x', 100000)")

    assert proxy.cuts == 1


def test_cut_after_so_many_bytes_of_a_statement_keeps_it_from_the_server(
    proxy: Proxy, postgres_server: DatabaseServer, table: str
) -> None:
    with closing(proxy.server.connect()) as connection:
        proxy.cut_after(10, to="server", how="rst")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("INSERT INTO proxied VALUES (1)")

    assert proxy.cuts == 1
    assert count(postgres_server, table) == 0


# -- hang ---------------------------------------------------------------------


def test_swallow_lets_a_query_hang_until_the_connection_is_cut(
    proxy: Proxy, spawn: Spawn
) -> None:
    with closing(proxy.server.connect()) as connection:
        proxy.swallow()
        query = hangs(spawn, lambda: ask(connection))
        proxy.cut()
        with pytest.raises(psycopg.OperationalError):
            query.result(PATIENCE)


def test_swallow_lets_a_connect_hang_as_long_as_its_client_waits(proxy: Proxy) -> None:
    proxy.swallow()
    began = monotonic()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        proxy.server.connect(connect_timeout=2)
    assert monotonic() - began > 1.5


def test_swallow_to_the_client_only_lets_the_server_work(
    proxy: Proxy, postgres_server: DatabaseServer, table: str, spawn: Spawn
) -> None:
    with closing(proxy.server.connect()) as connection:
        proxy.swallow(to="client")
        insert = "INSERT INTO proxied VALUES (1)"
        query = hangs(spawn, lambda: connection.execute(insert))
        assert count(postgres_server, table) == 1
        proxy.cut("rst")
        with pytest.raises(psycopg.OperationalError):
            query.result(PATIENCE)


def test_swallow_to_the_server_only_keeps_the_work_from_it(
    proxy: Proxy, postgres_server: DatabaseServer, table: str, spawn: Spawn
) -> None:
    with closing(proxy.server.connect()) as connection:
        proxy.swallow(to="server")
        insert = "INSERT INTO proxied VALUES (1)"
        query = hangs(spawn, lambda: connection.execute(insert))
        assert count(postgres_server, table) == 0
        proxy.cut()
        with pytest.raises(psycopg.OperationalError):
            query.result(PATIENCE)


def test_connection_that_lost_bytes_stays_silent_and_others_work_again(
    proxy: Proxy, spawn: Spawn
) -> None:
    with (
        closing(proxy.server.connect()) as lost,
        closing(proxy.server.connect()) as other,
    ):
        proxy.swallow()
        query = hangs(spawn, lambda: ask(lost))
        proxy.forward()
        assert ask(other) == (1,)
        assert not query.done()
        proxy.cut()
        with pytest.raises(psycopg.OperationalError):
            query.result(PATIENCE)


def test_delay_holds_back_each_way_until_it_is_taken_back(proxy: Proxy) -> None:
    with closing(proxy.server.connect()) as connection:
        proxy.delay(0.2)
        began = monotonic()
        assert ask(connection) == (1,)
        assert monotonic() - began >= 0.4
        proxy.delay(1000)  # longer than the test may take
        proxy.forward()
        assert ask(connection) == (1,)


# -- TLS ----------------------------------------------------------------------


def test_tls_is_spoken_to_the_client_and_not_to_the_server(
    tls_proxy: Proxy, tmp_path: Path
) -> None:
    with tls_proxy.server.connect(
        host="localhost", sslmode="verify-full", sslrootcert=str(tmp_path / "ca.pem")
    ) as connection:
        assert connection.pgconn.ssl_in_use
        seen = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert connection.execute(seen).fetchone() == (False,)
        text = "x" * 1_000_000
        assert connection.execute("SELECT %s || ''", [text]).fetchone() == (text,)


def test_tls_with_an_unknown_authority_is_refused_by_the_client(
    tls_proxy: Proxy, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        tls_proxy.server.connect(
            host="localhost",
            sslmode="verify-full",
            sslrootcert=str(tmp_path / "other.pem"),
        )


def test_tls_with_another_name_is_refused_by_the_client(
    tls_proxy: Proxy, tmp_path: Path
) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        tls_proxy.server.connect(
            sslmode="verify-full", sslrootcert=str(tmp_path / "ca.pem")
        )


def test_tls_proxy_takes_a_client_that_asks_for_none(tls_proxy: Proxy) -> None:
    with closing(tls_proxy.server.connect(sslmode="disable")) as connection:
        assert not connection.pgconn.ssl_in_use
        assert ask(connection) == (1,)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_faults_work_inside_tls(
    tls_proxy: Proxy, postgres_server: DatabaseServer, table: str, how: Any
) -> None:
    with closing(tls_proxy.server.connect(sslmode="require")) as connection:
        tls_proxy.cut_before_answer(b"INSERT INTO proxied", how)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("INSERT INTO proxied VALUES (1)")

    assert tls_proxy.cuts == 1
    assert count(postgres_server, table) == 1


def test_swallow_lets_a_tls_handshake_hang(tls_proxy: Proxy) -> None:
    tls_proxy.swallow()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        tls_proxy.server.connect(connect_timeout=2, sslmode="require")


def test_server_without_tls_answers_for_itself_through_a_plain_proxy(
    proxy: Proxy,
) -> None:
    with closing(proxy.server.connect(sslmode="prefer")) as connection:
        assert not connection.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError, match="server does not support SSL"):
        proxy.server.connect(sslmode="require")


# -- the end ------------------------------------------------------------------


def test_close_resets_connections_and_leaves_no_thread_and_no_listener(
    postgres_server: DatabaseServer, spawn: Spawn
) -> None:
    with Proxy(postgres_server) as proxy:
        idle = proxy.server.connect()
        hung = proxy.server.connect()
        proxy.swallow()
        query = hangs(spawn, lambda: ask(hung))
        assert "proxy" in {thread.name for thread in threading.enumerate()}

    assert "proxy" not in {thread.name for thread in threading.enumerate()}
    assert proxy.connections == 0
    with closing(hung), pytest.raises(psycopg.OperationalError):
        query.result(PATIENCE)
    with closing(idle), pytest.raises(psycopg.OperationalError):
        ask(idle)
    with pytest.raises(psycopg.OperationalError, match=NOBODY_LISTENS):
        proxy.server.connect()


def test_closed_proxy_says_so(postgres_server: DatabaseServer) -> None:
    with Proxy(postgres_server) as proxy:
        pass
    proxy.close()
    with pytest.raises(ServerError, match="the proxy is closed"):
        proxy.cut()


def test_round_trips_are_counted(proxy: Proxy) -> None:
    with proxy.server.connect() as connection:
        before = proxy.round_trips
        connection.execute("SELECT 1")
        with connection.transaction(), connection.pipeline():
            connection.execute("SELECT 2")
            connection.execute("SELECT 3")
        done = proxy.round_trips

    assert before >= 1
    # The one, BEGIN, both together, COMMIT.
    assert done == before + 4
