"""Connection strings: what is accepted, libpq reads the same."""

import string
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mooring_postgres._dsn import (
    KEYWORDS,
    SECRET_KEYWORDS,
    SESSION_ATTRS,
    TLS_MODES,
    DsnError,
    parse,
)
from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=12,
)
NAME = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
PORT = st.integers(1, 65535).map(str)
VALUES = {
    "sslmode": st.sampled_from(TLS_MODES),
    "target_session_attrs": st.sampled_from(SESSION_ATTRS),
    "connect_timeout": st.integers(-1, 1000).map(str),
    "application_name": TEXT,
    "options": TEXT,
    "user": TEXT,
    "password": TEXT,
    "dbname": TEXT,
    "host": TEXT,
    "port": PORT,
}
PAIRS = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(
        lambda key: st.tuples(st.just(key), VALUES[key])
    ),
    max_size=5,
)


def encoded(text: str) -> str:
    return quote(text, safe="")


@st.composite
def urls(draw: st.DrawFn) -> str:
    """Draw a URL in which everything that needs it is percent-encoded."""
    url = draw(st.sampled_from(["postgresql://", "postgres://"]))
    if draw(st.booleans()):
        url += encoded(draw(TEXT))
        url += draw(st.just("") | TEXT.map(lambda text: ":" + encoded(text))) + "@"
    hosts = NAME | NAME.map(lambda name: f"[::{name}]") | TEXT.map(encoded)
    place = st.tuples(hosts, st.just("") | PORT.map(lambda port: ":" + port))
    url += ",".join("".join(drawn) for drawn in draw(st.lists(place, max_size=3)))
    url += draw(st.just("") | TEXT.map(lambda text: "/" + encoded(text)))
    pairs = draw(PAIRS)
    if pairs:
        url += "?" + "&".join(f"{key}={encoded(value)}" for key, value in pairs)
    return url


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def escaped(text: str) -> str:
    return "".join(f"\\{sign}" if sign in " \t\n\r\f\v'\\" else sign for sign in text)


@st.composite
def conninfos(draw: st.DrawFn) -> str:
    """Draw key=value pairs, quoted or escaped, with white space around."""
    space = st.sampled_from(["", " ", "\n", "\t "])
    text = ""
    for key, value in draw(PAIRS):
        form = draw(st.sampled_from([quoted, escaped]))
        text += f"{draw(space)} {key}{draw(space)}={draw(space)}{form(value)}"
    return text + draw(space)


@given(urls() | conninfos())
@example("postgresql://")
@example("postgres://u@h/db?ssl=true")
@example("postgres://%2Fvar%2Frun:5433/db")
@example("postgres://u:p:q#r?s@h,[::1]:5/a/b?")
@example("host='a'port=5 user=''")
@example("password=a\\ b\\\\c'd")
@example("")
def test_a_valid_string_is_read_as_libpq_reads_it(text: str) -> None:
    assert parse(text) == conninfo_to_dict(text)


SIGNS = st.sampled_from(":@/?#[]%=&,. \\'")
WORDS = st.sampled_from(["host", "port", "user", "password", "sslmode=require", "12"])
PIECES = SIGNS | WORDS | st.sampled_from(["::1", "%41", "%C3%A9", "%00", "\u00e9"])


@given(st.sampled_from(["", "postgres://", "host=h "]), st.lists(PIECES, max_size=9))
def test_whatever_is_accepted_is_read_as_libpq_reads_it(
    start: str, pieces: list[str]
) -> None:
    text = start + "".join(pieces)
    # A space around it, which comes from copying, is not part of a name.
    assume(not text.endswith(" "))
    try:
        found = parse(text)
    except DsnError:
        return

    assert found == conninfo_to_dict(text)


def test_the_keywords_are_those_of_libpq() -> None:
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    hidden = {
        option.keyword.decode()
        for option in pq.Conninfo.get_defaults()
        if option.dispchar == b"*"
    }

    # An older libpq knows fewer.
    assert known - {"replication"} <= KEYWORDS
    assert hidden <= set(SECRET_KEYWORDS) <= KEYWORDS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" postgres://h/db\t", {"host": "h", "dbname": "db"}),
        ("POSTGRESQL://h", {"host": "h"}),
        ("postgres://u:p%40x@h", {"user": "u", "password": "p@x", "host": "h"}),
        ("postgres:///db?host=/run", {"dbname": "db", "host": "/run"}),
        ("postgres://[::1]:5", {"host": "::1", "port": "5"}),
        ("postgres://a:1,b/", {"host": "a,b", "port": "1,"}),
    ],
)
def test_strings_that_users_write(text: str, found: dict[str, str]) -> None:
    assert parse(text) == found


REFUSED = {
    # libpq would look up the rest of the password in the DNS.
    "postgres://u:hun@ter2@h/db": "an '@' stands where there can be none",
    "postgres://u:hun/ter2@h/db": "an '@' stands where there can be none",
    "postgres://u:12/hun?ter2@h/db": "an '@' stands where there can be none",
    "postgres://h?user=hun@ter2": "an '@' stands after the '?'",
    "postgres://u:hunter2/db": "a port that is no number",
    "postgres://h:hunter2": "a port that is no number",
    "postgres://h:70000": "a port that is no number",
    "postgres://u:hunter2@[::1/db": "around an IPv6 address",
    "postgres://u:hunter2@[]/db": "around an IPv6 address",
    "postgres://u:hunter2@[::1]x/db": "around an IPv6 address",
    "postgres://u:hun%zzter2@h": "write %25",
    "postgres://u:hunter2%": "write %25",
    "postgres://u:hunter2%00@h": "write %25",
    "postgres://u:hunter2%ff@h": "not UTF-8",
    "postgres://u:hun ter2@h": "white space",
    "postgres://u:p@h/db?hunter2": "key=value pairs",
    "postgres://u:p@h/db?password=hun=ter2": "key=value pairs",
    "postgres://u:p@h/db?password=hun&ter2=": "a parameter that libpq does not know",
    "postgres://u:p@h/db?pasword=hunter2": "did you mean 'password'?",
    "postgres://u:p@h/db?sslmode=hunter2": "a sslmode that is unknown",
    "postgres://u:p@h/db?connect_timeout=hunter2": "no whole number",
    "postgres//u:hunter2@h/db": "must begin with postgresql://",
    "postgres:hunter2": "must begin with postgresql://",
    "mysql://u:hunter2@h": "must begin with postgresql://",
    "jdbc:postgresql://h/db?password=hunter2": "a URL of JDBC",
    "postgresql+psycopg://u:hunter2@h": "of SQLAlchemy",
    "postgres://u:hunter2@h/db?schema=app": "use the option schema",
    "postgres://u:hunter2@h/db?pgbouncer=true": 'pooler: "transaction"',
    "postgres://u:hunter2@h/db?ssl=false": "use sslmode",
    "hunter2": "no '=' behind it",
    "password=hun ter2": "no '=' behind it",
    "password='hunter2": "a quote or a backslash ends nowhere",
    "password= 'hunter2 user=u": "a quote or a backslash ends nowhere",
    "password=hunter2\\": "a quote or a backslash ends nowhere",
    "password=hun ter2=x": "a parameter that libpq does not know",
    "port=hunter2": "a port that is no number",
    "replication=true password=hunter2": "a replication connection",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_says_the_rule_and_no_piece_of_the_string(text: str) -> None:
    with pytest.raises(DsnError) as caught:
        parse(text)

    assert REFUSED[text] in str(caught.value)
    assert "hun" not in str(caught.value)
    assert "ter2" not in str(caught.value)
    assert caught.value.__context__ is None


def test_what_libpq_says_about_them_shows_pieces() -> None:
    """The reason for reading the string first."""
    shown = []
    for text in REFUSED:
        try:
            conninfo_to_dict(text)
        except (ProgrammingError, UnicodeDecodeError) as error:
            shown += [text] if "hun" in str(error) or "ter2" in str(error) else []

    assert len(shown) > 5
