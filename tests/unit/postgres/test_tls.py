"""When a connection is encrypted and checked, whoever says so."""

import re
from pathlib import Path
from typing import Any

import pytest
from mooring import core
from mooring_postgres import PostgresConfig, _tls
from mooring_postgres._params import connection_params
from mooring_postgres._tls import tls_hint, trusted_authorities


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(autouse=True)
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "authorities.pem"
    path.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    for name in ("PGSERVICE", "PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)
    return path


def tls(home: Path, environ: dict[str, str] | None = None, **options: Any) -> Any:
    params = connection_params(
        PostgresConfig(**options), environ={"HOME": str(home), **(environ or {})}
    )
    return params.get("sslmode"), params.get("sslrootcert")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost",
        "127.0.0.1",
        "127.255.0.9",
        "::1",
        "/var/run/postgresql",
        "localhost,::1",
    ],
)
def test_this_machine_is_believed(host: str, home: Path) -> None:
    assert tls(home, host=host) == ("prefer", None)


@pytest.mark.parametrize(
    "host",
    [
        "db.example.org",
        "10.0.0.1",
        "localhost,db",
        "localhost.example.org",
        "127.0.0.1.example.org",
        "127.0.0.256",
        "127.1",
        "128.0.0.1",
        "::2",
    ],
)
def test_every_other_must_prove_itself(host: str, home: Path, bundle: Path) -> None:
    assert tls(home, host=host) == ("verify-full", str(bundle))


@pytest.mark.parametrize(
    ("conn_string", "environ", "mode"),
    [
        ("postgres://", {}, "prefer"),
        ("postgres://", {"PGHOST": "db"}, "verify-full"),
        ("postgres://", {"PGHOST": "/run"}, "prefer"),
        ("postgres://localhost", {"PGHOST": "db"}, "prefer"),
        ("postgres://localhost", {"PGHOSTADDR": "10.0.0.1"}, "verify-full"),
        ("host=localhost hostaddr=10.0.0.1", {}, "verify-full"),
        ("host=db hostaddr=127.0.0.1", {}, "prefer"),
        ("host=db,db2 hostaddr=127.0.0.1,", {}, "verify-full"),
        ("host=@abstract", {}, "prefer"),
        ("postgres://a,localhost", {}, "verify-full"),
        ("postgres://%2Frun/db", {}, "prefer"),
        ("postgres://,db/", {}, "verify-full"),
        ("postgres://db", {"PGSERVICE": "s"}, "verify-full"),
    ],
)
def test_it_depends_on_where_the_connection_really_goes(
    conn_string: str, environ: dict[str, str], mode: str, home: Path
) -> None:
    assert tls(home, environ, conn_string=conn_string)[0] == mode


def test_the_configuration_wins_then_the_string_then_the_environment(
    home: Path,
) -> None:
    string = "postgres://db?sslmode=verify-ca&sslrootcert=s"
    environ = {"PGSSLMODE": "disable", "PGSSLROOTCERT": "e"}

    def found(**options: Any) -> Any:
        return tls(home, environ, **options)

    assert found(conn_string=string, sslmode="require", sslrootcert="c") == (
        "require",
        "c",
    )
    assert found(conn_string=string, ssl_mode="prefer") == ("prefer", "s")
    assert found(conn_string=string) == ("verify-ca", "s")
    assert found(conn_string="postgres://db") == ("disable", "e")


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_a_mode_that_was_chosen_is_left_as_it_is(mode: str, home: Path) -> None:
    assert tls(home, host="db", sslmode=mode) == (mode, None)


def test_a_chosen_verify_full_has_the_same_authorities(
    home: Path, bundle: Path
) -> None:
    assert tls(home, host="localhost", sslmode="verify-full") == (
        "verify-full",
        str(bundle),
    )


def test_whoever_names_an_authority_wants_the_check(home: Path) -> None:
    assert tls(home, host="localhost", sslrootcert="ca") == ("verify-full", "ca")
    assert tls(home, conn_string="postgres://[::1]?sslrootcert=ca") == (
        "verify-full",
        "ca",
    )


@pytest.mark.parametrize("environ", [{}, {"PGSSLROOTCERT": "system"}], ids=repr)
def test_system_means_the_authorities_of_this_machine(
    environ: dict[str, str], home: Path, bundle: Path
) -> None:
    root = "" if environ else "system"

    assert tls(home, environ, host="localhost", sslrootcert=root) == (
        "verify-full",
        str(bundle),
    )


def test_the_file_in_the_home_folder_is_left_to_libpq(home: Path) -> None:
    (home / ".postgresql").mkdir()
    (home / ".postgresql" / "root.crt").write_text("")

    assert tls(home, host="db") == ("verify-full", None)


def test_a_machine_that_trusts_nobody_says_what_to_set(
    home: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle.unlink()
    monkeypatch.setattr(_tls, "_BUNDLES", (str(bundle),))
    with pytest.raises(core.OpenError) as caught:
        tls(home, host="db.example.org", password="hunter2")  # noqa: S106 - a canary

    assert "db.example.org:5432" in caught.value.message
    assert "sslrootcert" in str(caught.value.hint)
    assert "hunter2" not in str(caught.value)


def test_the_usual_places_are_looked_at_too(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle / "missing"))
    monkeypatch.setattr(_tls, "_BUNDLES", ("/nowhere", str(bundle)))

    assert trusted_authorities() == str(bundle)


@pytest.mark.parametrize("migration", [False, True])
def test_migrations_follow_the_same_rule_for_their_own_server(
    migration: bool, home: Path
) -> None:
    config = PostgresConfig(
        host="localhost", migration_conn_string=core.Secret("postgres://db")
    )
    found = connection_params(config, migration=migration, environ={"HOME": str(home)})

    assert found["sslmode"] == ("verify-full" if migration else "prefer")


@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require", "prefer"])
def test_the_hint_names_what_to_change(mode: str) -> None:
    hint = tls_hint({"sslmode": mode, "sslrootcert": "/etc/ca.pem"})

    assert re.search("sslmode: (require|disable)", hint)
    assert ("/etc/ca.pem" in hint) is mode.startswith("verify")
