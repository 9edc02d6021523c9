"""TLS as a program meets it: an authority of its own, a public one, none, a wrong name.

The proxy speaks TLS in the place of the server, which need not be built with it.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from mooring import core
from mooring_postgres import PostgresStore
from mooring_postgres.testing import DatabaseServer, Proxy

Open = Callable[..., PostgresStore]
Serve = Callable[..., Proxy]

NAME = "db.example.test"
# The loopback interface, in a spelling that no rule takes for this machine.
ELSEWHERE = f"host={NAME} hostaddr=127.1"
ENCRYPTED = "answered, encrypted"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away what this machine and its user say about TLS."""
    for variable in ("PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", str(other))


@pytest.fixture
def serve(postgres_server: DatabaseServer, authority: trustme.CA) -> Iterator[Serve]:
    """Start a proxy that proves to be NAME by a certificate of the authority."""
    with ExitStack() as stack:

        def run(name: str = NAME, **options: Any) -> Proxy:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(name, **options).configure_cert(context)
            return stack.enter_context(Proxy(postgres_server, tls=context))

        yield run


def at(proxy: Proxy, more: str = "") -> str:
    """Return a connection string for NAME; the options fill user and database."""
    return f"{ELSEWHERE} port={proxy.port} {more}"


def encryption(store: PostgresStore) -> str:
    return core.health_check(store, timeout=20).checks[0].detail


def test_an_authority_of_one_s_own_is_named_by_sslrootcert(
    open_postgres: Open, serve: Serve, tmp_path: Path
) -> None:
    store = open_postgres(conn_string=at(serve()), sslrootcert=str(tmp_path / "ca.pem"))

    assert encryption(store) == ENCRYPTED


@pytest.mark.parametrize("options", [{}, {"sslrootcert": "system"}], ids=["", "system"])
def test_a_public_authority_is_found_among_those_of_the_machine(
    open_postgres: Open,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, str],
) -> None:
    bundle = tmp_path / "bundle.pem"
    files = (tmp_path / "other.pem", tmp_path / "ca.pem")
    bundle.write_bytes(b"\n".join(file.read_bytes() for file in files))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    store = open_postgres(conn_string=at(serve()), **options)

    assert encryption(store) == ENCRYPTED


def test_a_server_without_tls_is_refused_and_the_ways_out_are_named(
    open_postgres: Open, proxy: Proxy
) -> None:
    with pytest.raises(core.OpenError, match="could not be secured by TLS") as caught:
        open_postgres(conn_string=at(proxy))

    assert "does not support SSL" in caught.value.message
    for way in ("sslrootcert", "sslmode: require", "disable"):
        assert way in (caught.value.hint or "")


def test_a_server_without_tls_may_be_used_where_the_network_is_trusted(
    open_postgres: Open, proxy: Proxy
) -> None:
    store = open_postgres(conn_string=at(proxy), sslmode="disable")

    assert encryption(store) == "answered, not encrypted"


def test_the_name_of_another_server_is_refused(
    open_postgres: Open, serve: Serve, tmp_path: Path
) -> None:
    other = serve("other.example.test")
    with pytest.raises(core.OpenError, match="could not be secured by TLS") as caught:
        open_postgres(conn_string=at(other), sslrootcert=str(tmp_path / "ca.pem"))

    assert NAME in caught.value.message
    assert "other.example.test" in caught.value.message


def test_an_authority_that_nobody_trusts_is_refused(
    open_postgres: Open, serve: Serve, tmp_path: Path
) -> None:
    with pytest.raises(core.OpenError, match="could not be secured by TLS") as caught:
        open_postgres(conn_string=at(serve()))

    assert "certificate verify failed" in caught.value.message
    assert f"(now {tmp_path / 'other.pem'})" in (caught.value.hint or "")


def test_a_certificate_past_its_time_is_refused(
    open_postgres: Open, serve: Serve, tmp_path: Path
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    old = serve(not_before=yesterday - timedelta(days=1), not_after=yesterday)
    with pytest.raises(core.OpenError, match="certificate verify failed"):
        open_postgres(conn_string=at(old), sslrootcert=str(tmp_path / "ca.pem"))


def test_require_encrypts_and_checks_nothing(open_postgres: Open, serve: Serve) -> None:
    other = serve("other.example.test")
    store = open_postgres(conn_string=at(other), sslmode="require")

    assert encryption(store) == ENCRYPTED


def test_on_this_machine_tls_is_used_where_the_server_has_it(
    open_postgres: Open, serve: Serve, proxy: Proxy
) -> None:
    with_tls = open_postgres(host="127.0.0.1", port=serve().port)
    without = open_postgres(host="127.0.0.1", port=proxy.port)

    assert encryption(with_tls) == ENCRYPTED
    assert encryption(without) == "answered, not encrypted"


@pytest.mark.parametrize(
    ("environment", "string", "option", "refused"),
    [
        ("disable", "", "", False),
        ("verify-full", "sslmode=disable", "", False),
        ("verify-full", "sslmode=verify-full", "disable", False),
        ("disable", "sslmode=require", "", True),
        ("disable", "sslmode=disable", "require", True),
        ("require", "", "", True),
    ],
)
def test_the_option_wins_over_the_connection_string_and_that_over_pgsslmode(
    open_postgres: Open,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    string: str,
    option: str,
    refused: bool,
) -> None:
    options = {"conn_string": at(proxy, string), "sslmode": option}
    # Not longer: the fixtures connect to the server too.
    with monkeypatch.context() as patch:
        patch.setenv("PGSSLMODE", environment)
        if refused:
            with pytest.raises(core.OpenError, match="could not be secured by TLS"):
                open_postgres(**options)
        else:
            store = open_postgres(**options)
            assert encryption(store) == "answered, not encrypted"


def test_a_connection_lost_inside_tls_is_replaced(
    open_postgres: Open, serve: Serve, tmp_path: Path
) -> None:
    proxy = serve()
    store = open_postgres(
        conn_string=at(proxy), sslrootcert=str(tmp_path / "ca.pem"), max_open_conns=1
    )
    for how in ("fin", "rst"):
        proxy.cut(how)
        assert store.execute("SELECT 1").scalar() == 1
