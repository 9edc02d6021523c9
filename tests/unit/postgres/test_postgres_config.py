"""What a configuration may say, and that no message shows a secret of it."""

import json
import subprocess
import traceback
from collections.abc import Callable
from typing import Any

import attrs
import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring import core
from mooring_postgres import PostgresConfig

CANARIES = ["hunter2", "hun/ter2", "hun@ter2", "hun:ter2", "hun#ter2", "hun?ter2"]
CANARIES += ["hun ter2", "hun%ter2", "hun'ter2", "hun\\ter2", "hun=ter2", "hun&ter2"]
canaries = pytest.mark.parametrize("canary", CANARIES)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGSERVICE", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLKEY", "PGSSLCERT"):
        monkeypatch.delenv(name, raising=False)


def refused(**options: object) -> dict[str, str]:
    with pytest.raises(core.ConfigError) as caught:
        core.configure({"driver": "postgres", **options})
    return {problem.key: problem.message for problem in caught.value.problems}


@given(data=st.data())
def test_both_ways_to_an_instance_make_the_same_of_it(
    data: st.DataObject,
    assert_doors_agree: Callable[[type[core.StoreConfig], st.DataObject], None],
) -> None:
    assert_doors_agree(PostgresConfig, data)


# -- what is accepted ---------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"host": "/var/run/postgresql"},
        {"host": "::1"},
        {"host": "a,b", "port": "5432,5433"},
        {"host": "a,b,c", "port": 5433},
        {"host": "db", "sslmode": "", "target_session_attrs": ""},
        {"host": "db", "sslmode": "require", "ssl_mode": "require"},
        {"host": "db", "dbname": "app", "name": "app"},
        {"conn_string": "postgres://"},
        {"conn_string": "postgres://a,b", "port": "5433,5434"},
        {"conn_string": "postgres://db", "migration_conn_string": "host=db"},
        {"conn_string": "service=app", "sslmode": "verify-full"},
        {"conn_string": "service=app host=db"},
        {"conn_string": "host=db sslkey=k", "sslcert": "c"},
        {"host": "db", "pooler": "transaction", "prepare_threshold": 0},
        {"host": "db", "pooler": "transaction", "idle_in_transaction_timeout": 0},
        {"host": "db", "schema": "a" * 63, "password": "pass word"},
        {"host": "db", "application_name": "w\u00f6rker 1"},
    ],
    ids=repr,
)
def test_good_configurations(options: dict[str, Any]) -> None:
    config = core.configure({"driver": "postgres", **options})

    assert config == PostgresConfig(**options)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_url_is_a_connection_string(scheme: str) -> None:
    url = f"{scheme}://u:hunter2@db/app"
    config = core.configure(url)

    assert config == PostgresConfig(conn_string=core.Secret(url))
    assert "hunter2" not in repr(config)


def test_a_good_configuration_needs_neither_the_client_library_nor_a_converter(
    start: Callable[..., "subprocess.Popen[str]"],
) -> None:
    child = start(
        """
        import sys
        from mooring import core
        from mooring_postgres._params import connection_params
        config = core.configure(
            {"driver": "postgres", "host": "localhost", "port": "5433", "password": "p"}
        )
        connection_params(config)
        connection_params(core.configure("postgres://u:p%40@localhost/app"))
        heavy = {"psycopg", "cattrs", "ssl", "urllib.parse", "difflib"}
        print(sorted(heavy & sys.modules.keys()))
        """
    )
    out, err = child.communicate(timeout=60)

    assert (out, err) == ("[]\n", "")


# -- what is refused ----------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({}, "host", "postgres requires host or conn_string"),
        ({"host": "a,"}, "host", "names an empty host"),
        ({"host": " "}, "host", "names an empty host"),
        ({"host": "db example"}, "host", "must not hold spaces"),
        ({"host": "[::1]"}, "host", "without '[' and ']'"),
        ({"host": "db:5432"}, "host", "holds a port"),
        ({"host": "u@db"}, "host", "conn_string"),
        ({"host": "postgres://db"}, "host", "give it as conn_string"),
        ({"host": "db", "dbname": "password=x"}, "dbname", "give it as conn_string"),
        ({"host": "db", "port": "5432,5433"}, "port", "has 2 ports for 1 hosts"),
        ({"host": "a,b", "port": "5432,"}, "port", "between 1 and 65535"),
        ({"host": "a", "port": "\u0665"}, "port", "between 1 and 65535"),
        ({"conn_string": "postgres://a:1,b:2,c/?port=1,2"}, "conn_string", "2 ports"),
        ({"host": "a", "name": "x", "dbname": "y"}, "name", "the same as dbname"),
        (
            {"host": "a", "sslmode": "require", "ssl_mode": "disable"},
            "ssl_mode",
            "the same as sslmode",
        ),
        ({"host": "a", "sslmode": "on"}, "sslmode", "must be disable, allow, prefer"),
        ({"host": "a", "sslcert": "c"}, "sslcert", "needs sslkey too"),
        ({"host": "a", "sslkey": "k"}, "sslkey", "needs sslcert too"),
        ({"host": "a", "sslrootcert": "~/r"}, "sslrootcert", "'~' is not expanded"),
        (
            {"host": "a", "sslrootcert": "system", "sslmode": "require"},
            "sslmode",
            "must be verify-full",
        ),
        (
            {"host": "a", "password": "hunter2", "password_file": "f"},
            "password_file",
            "together with password",
        ),
        ({"host": "a", "schema": "App"}, "schema", "small letters"),
        ({"host": "a", "schema": "a" * 64}, "schema", "up to 63"),
        ({"host": "a", "schema": "pg_temp"}, "schema", "the server's own"),
        ({"host": "a", "schema": "information_schema"}, "schema", "the server's own"),
        ({"host": "a", "schema": 'a"; DROP'}, "schema", "small letters"),
        ({"host": "a", "application_name": "a\tb"}, "application_name", "control"),
        ({"host": "a", "user": "a\0b"}, "user", "a NUL or a line break"),
        ({"host": "a", "password": "a\n"}, "password", "a NUL or a line break"),
        ({"host": "a", "password": "\ud800"}, "password", "none in Unicode"),
        ({"host": "a", "lock_timeout": 1e7}, "lock_timeout", "between 0 and 2147483"),
        ({"host": "a", "prepare_threshold": -1}, "prepare_threshold", ">= 0"),
        ({"host": "a", "pooler": "session"}, "pooler", "none or transaction"),
        (
            {"host": "a", "target_session_attrs": "primry"},
            "target_session_attrs",
            "did you mean 'primary'?",
        ),
        (
            {"conn_string": "host=a options='-c statement_timeout=5'"},
            "conn_string",
            "use the option statement_timeout instead",
        ),
        (
            {"conn_string": "host=a options='--timezone=CET'"},
            "conn_string",
            "always UTC",
        ),
        ({"host": "a", "migration_conn_string": "x"}, "migration_conn_string", "'='"),
    ],
    ids=repr,
)
def test_bad_configurations(options: dict[str, Any], key: str, message: str) -> None:
    problems = refused(**options)

    assert list(problems) == [key]
    assert message in problems[key]


def test_a_string_may_set_what_no_option_sets() -> None:
    string = "host=a options='-c search_path=x -c jit=off'"
    problems = refused(conn_string=string, schema="app")

    assert problems == {
        "conn_string": "its options set search_path; use the option schema instead"
    }
    assert PostgresConfig(conn_string=core.Secret(string)).schema == ""


def test_what_a_transaction_pooler_cannot_do_says_who_can() -> None:
    problems = refused(
        host="db",
        pooler="transaction",
        schema="app",
        lock_timeout=1,
        idle_in_transaction_timeout=5,
        prepare_threshold=1,
    )

    assert list(problems) == [
        "schema",
        "lock_timeout",
        "idle_in_transaction_timeout",
        "prepare_threshold",
    ]
    for key, setting in [
        ("schema", "search_path"),
        ("lock_timeout", "lock_timeout"),
        ("idle_in_transaction_timeout", "idle_in_transaction_session_timeout"),
    ]:
        assert f"ALTER ROLE ... SET {setting}" in problems[key]


def test_all_problems_come_at_once_in_the_order_of_the_fields() -> None:
    problems = refused(
        pooler="both",
        schema="App",
        sslmode="requre",
        name="b",
        dbname="a",
        port=0,
        conn_string="hunter2",
        max_open_conns=0,
    )

    assert list(problems) == [
        "max_open_conns",
        "conn_string",
        "port",
        "name",
        "sslmode",
        "schema",
        "pooler",
    ]


@pytest.mark.parametrize(
    "options", [{"conn_string": "service=app"}, {"conn_string": "dbname=app"}], ids=repr
)
def test_a_service_file_that_says_where_makes_sslmode_required(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSERVICE", "other")
    problems = refused(**options)
    monkeypatch.setenv("PGSSLMODE", "require")

    assert list(problems) == ["sslmode"]
    assert PostgresConfig(**options).sslmode == ""


# -- secrets ------------------------------------------------------------------


def shown(error: BaseException) -> str:
    """Return all that can be seen of an error, hidden contexts included."""
    texts = traceback.format_exception(error)
    waiting: list[BaseException | None] = [error]
    while waiting:
        found = waiting.pop()
        if found is not None:
            texts += [str(found), repr(found), repr(found.args), repr(vars(found))]
            waiting += [found.__cause__, found.__context__]
            waiting += getattr(found, "exceptions", ())
    return "\n".join(texts)


def assert_hidden(canary: str, *texts: str) -> None:
    pieces = (canary[:3], canary[-4:])

    assert [text for text in texts if any(piece in text for piece in pieces)] == []


@canaries
def test_a_good_configuration_shows_no_secret(canary: str) -> None:
    config = PostgresConfig(
        host="db",
        password=core.Secret(canary),
        migration_conn_string=core.Secret("host=db password=x" + canary[-4:]),
    )

    assert_hidden(
        canary,
        repr(config),
        str(config),
        f"{config} {config.password} {[config]}",
        repr(attrs.asdict(config)),
        repr(cattrs.unstructure(config)),
        json.dumps(attrs.asdict(config), default=str),
    )


STRINGS = [
    "postgres://u:{}@[::1/db",
    "postgres://u:{}@h:port/db",
    "postgres://u:{}@h@g/db",
    "postgres://u:{}%zz@h/db",
    "postgres//u:{}@h/db",
    "postgres://u:{}/db@x",
    "postgres://h/db?pasword={}",
    "postgres://h/db?{}=x",
    "postgres://h/db?sslmode={}",
    "postgres://u@h:{}/db",
    "password='{} x",
    "password={} x",
    "{}",
    "sslmode={}x",
    "mysql://u:{}@h",
]


@canaries
@pytest.mark.parametrize("template", STRINGS)
@pytest.mark.parametrize("key", ["conn_string", "migration_conn_string"])
def test_a_malformed_connection_string_shows_no_piece(
    canary: str, template: str, key: str
) -> None:
    text = template.format(canary)
    with pytest.raises(core.MooringError) as mapped:
        core.configure({"driver": "postgres", "host": "h", key: text, "port": 0})
    with pytest.raises(core.MooringError) as direct:
        PostgresConfig(host="h", **{key: core.Secret(text)})  # type: ignore[arg-type]  # one of the two

    assert_hidden(canary, shown(mapped.value), shown(direct.value))


@canaries
@pytest.mark.parametrize("template", [text for text in STRINGS if "//u:" in text])
def test_a_malformed_url_shows_no_piece(canary: str, template: str) -> None:
    with pytest.raises(core.MooringError) as caught:
        core.open(template.format(canary))

    assert_hidden(canary, shown(caught.value))


@canaries
@pytest.mark.parametrize("key", ["conn_string", "password", "migration_conn_string"])
def test_a_secret_of_another_type_shows_nothing(canary: str, key: str) -> None:
    texts = []
    for value in ([canary], {canary: canary}, canary.encode(), (canary,), {canary}):
        with pytest.raises(core.ConfigError) as caught:
            core.configure({"driver": "postgres", "host": "h", key: value, "x": 1})
        texts.append(shown(caught.value))

    assert_hidden(canary, *texts)


@canaries
def test_a_secret_beside_other_problems_shows_nothing(canary: str) -> None:
    texts = []
    for more in ({"port": "x"}, {"sslmode": "x"}, {"pasword": canary}, {"schema": "X"}):
        options: dict[str, object] = {"host": "h", "password": canary, **more}
        with pytest.raises(core.ConfigError) as caught:
            core.configure({"driver": "postgres", **options})
        texts.append(shown(caught.value))

    assert_hidden(canary, *texts)


@canaries
@pytest.mark.parametrize("key", ["host", "dbname", "name", "user"])
def test_a_connection_string_in_another_option_shows_nothing(
    canary: str, key: str
) -> None:
    for text in (f"postgres://u:{canary}@h", f"host=h password={canary}"):
        with pytest.raises(core.ConfigError) as caught:
            core.configure({"driver": "postgres", "host": "h", key: text})

        assert_hidden(canary, shown(caught.value))
