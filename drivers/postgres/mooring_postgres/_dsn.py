"""Connection strings, read before libpq sees them.

Both forms of libpq are known (PostgreSQL 32.1.1). What libpq reads otherwise than it
was meant is refused: an "@" in a password sends half of the password to the DNS. No
text of this module holds a piece of what it read, since any piece can be one of a
password: libpq's own texts show them.
"""

import re

# PostgreSQL 18, 32.1.2. "replication" is left out: it makes another kind of session.
_NAMES = (
    "application_name channel_binding client_encoding connect_timeout dbname"
    " fallback_application_name gssdelegation gssencmode gsslib host hostaddr"
    " keepalives keepalives_count keepalives_idle keepalives_interval krbsrvname"
    " load_balance_hosts max_protocol_version min_protocol_version oauth_client_id"
    " oauth_client_secret oauth_issuer oauth_scope options passfile password port"
    " require_auth requirepeer scram_client_key scram_server_key service"
    " ssl_max_protocol_version ssl_min_protocol_version sslcert sslcertmode"
    " sslcompression sslcrl sslcrldir sslkey sslkeylogfile sslmode sslnegotiation"
    " sslpassword sslrootcert sslsni target_session_attrs tcp_user_timeout user"
)
KEYWORDS = frozenset(_NAMES.split())

# Those that no message may show.
SECRET_KEYWORDS = (
    "password",
    "sslpassword",
    "oauth_client_secret",
    "scram_client_key",
    "scram_server_key",
)

TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION_ATTRS = (
    "any",
    "read-write",
    "read-only",
    "primary",
    "standby",
    "prefer-standby",
)

_CHOICES = {"sslmode": TLS_MODES, "target_session_attrs": SESSION_ATTRS}

_NUMBERS = (
    "connect_timeout",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
)

# What other clients call a thing, and where it is here.
_ELSEWHERE = {
    "channel": "use channel_binding",
    "connection_limit": "use the option max_open_conns",
    "currentSchema": "use the option schema",
    "database": "use dbname",
    "lock_timeout": "use the option lock_timeout",
    "pgbouncer": 'use the option pooler: "transaction"',
    "pool_timeout": "use the option pool_timeout",
    "prepareThreshold": "use the option prepare_threshold",
    "replication": "a replication connection runs no SQL of an application",
    "requiressl": "use sslmode=require",
    "schema": "use the option schema",
    "search_path": "use the option schema",
    "sslaccept": "use sslmode",
    "ssl": "use sslmode",
    "statement_timeout": "use the option statement_timeout",
    "username": "use user",
}

_URL = (
    "not a valid URL (value hidden): {rule}. A '/', '@', ':' or '#' in the password"
    " must be percent-encoded; or set password instead"
)
_PAIRS = (
    "not a valid connection string (value hidden): {rule}. Put a value with spaces in"
    " single quotes, with \\' and \\\\ for those signs; or set password instead"
)

_SPACE = " \t\n\v\f\r"
_NAME = re.compile(r"\s*([^\s=]*)\s*=\s*", re.ASCII)
_VALUE = re.compile(
    r"(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?!')(?P<plain>(?:[^\s\\]|\\.)*+)(?!\\))\s*",
    re.ASCII | re.DOTALL,
)
_NETLOC = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<host>[^:\[\]]*))(?::(?P<port>.*))?")
_PORTS = re.compile(r"(?:0*[1-9][0-9]{0,4})?(?:,(?:0*[1-9][0-9]{0,4})?)*")


class DsnError(Exception):
    """The connection string cannot be used; its text is the rule, and no value."""


def parse(text: str) -> dict[str, str]:
    """Return the keywords of libpq that a connection string sets.

    Args:
        text: A URL, ``postgresql://...`` or ``postgres://...``, or ``key=value`` pairs.

    Raises:
        DsnError: It is neither, or libpq would not read it as it was meant.
    """
    text = text.lstrip(_SPACE)  # behind the last one may be a backslash
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() in ("postgresql", "postgres"):
        found = _from_url(rest.rstrip(_SPACE))
    else:
        _refuse_foreign(text)
        found = _from_pairs(text)
    _check_values(found)
    return found


def are_ports(text: str) -> bool:
    """Return whether *text* is a port, or several between commas, each may be empty."""
    if not _PORTS.fullmatch(text):
        return False
    return all(int(port) <= 65535 for port in text.split(",") if port)


def _from_url(rest: str) -> dict[str, str]:
    """Read what follows the scheme, as libpq's conninfo_uri_parse_options does."""
    if re.search(r"[\0-\x20\x7f]", rest):
        raise DsnError(_URL.format(rule="it holds white space; write %20"))
    before, at, after = rest.partition("@")
    if at and "/" not in before:
        user, _, password = before.partition(":")
        if "?" in user:
            raise DsnError(_URL.format(rule="an '@' stands after the '?'"))
        rest = after
    else:
        user = password = ""
    if "@" in rest:
        raise DsnError(_URL.format(rule="an '@' stands where there can be none"))
    place, question, query = rest.partition("?")
    netloc, _, dbname = place.partition("/")
    hosts, ports = _netlocs(netloc)
    texts = {"user": user, "password": password, "host": hosts, "port": ports}
    texts["dbname"] = dbname
    found = {key: _decoded(text) for key, text in texts.items() if text}
    if question:
        found |= _from_query(query)
    return found


def _netlocs(netloc: str) -> tuple[str, str]:
    """Return the hosts and the ports, with the commas between them."""
    hosts, ports = [], []
    for part in netloc.split(","):
        match = _NETLOC.fullmatch(part)
        if match is None:
            raise DsnError(_URL.format(rule="'[' and ']' go around an IPv6 address"))
        hosts.append(match["ipv6"] or match["host"])
        ports.append(match["port"] or "")
    return ",".join(hosts), ",".join(ports)


def _from_query(query: str) -> dict[str, str]:
    found = {}
    for pair in query.removesuffix("&").split("&") if query else ():
        key, equals, value = pair.partition("=")
        if not equals or "=" in value:
            raise DsnError(
                _URL.format(rule="after '?' stand key=value pairs, with '&' between")
            )
        key, value = _decoded(key), _decoded(value)
        if (key, value) == ("ssl", "true"):
            key, value = "sslmode", "require"  # as JDBC writes it
        found[_known(key)] = value
    return found


def _from_pairs(text: str) -> dict[str, str]:
    """Read the other form, as libpq's conninfo_parse does."""
    found = {}
    position = 0
    while position < len(text):
        name = _NAME.match(text, position)
        if name is None:
            raise DsnError(_PAIRS.format(rule="a name has no '=' behind it"))
        value = _VALUE.match(text, name.end())
        if value is None:
            raise DsnError(_PAIRS.format(rule="a quote or a backslash ends nowhere"))
        content = value["plain"] if value["quoted"] is None else value["quoted"]
        found[_known(name[1])] = re.sub(r"\\(.)", r"\1", content, flags=re.DOTALL)
        position = value.end()
    return found


def _check_values(found: dict[str, str]) -> None:
    """Refuse what libpq refuses later, with a text that shows the value."""
    if not are_ports(found.get("port", "")):
        raise DsnError(
            "has a port that is no number from 1 to 65535 (value hidden); a '/' or ':'"
            " in a password must be percent-encoded"
        )
    for keyword, allowed in _CHOICES.items():
        if found.get(keyword) and found[keyword] not in allowed:
            raise DsnError(
                f"has a {keyword} that is unknown (value hidden); it is one of"
                f" {', '.join(allowed)}"
            )
    for keyword in _NUMBERS:
        if not re.fullmatch("(-?[0-9]{1,9})?", found.get(keyword, "")):
            raise DsnError(f"has a {keyword} that is no whole number (value hidden)")


def _known(key: str) -> str:
    if key in KEYWORDS:
        return key
    if key in _ELSEWHERE:
        raise DsnError(f"has {key!r}, which libpq does not know; {_ELSEWHERE[key]}")
    from difflib import get_close_matches

    near = get_close_matches(key.lower(), sorted(KEYWORDS), n=1, cutoff=0.7)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise DsnError(
        "has a parameter that libpq does not know (hidden, as it can be a piece of a"
        f" password){guess}"
    )


def _refuse_foreign(text: str) -> None:
    """Say what is wrong with the URLs of other clients."""
    lowered = text.lower()
    if lowered.startswith("jdbc:"):
        raise DsnError("is a URL of JDBC (value hidden); begin it with postgresql://")
    if re.match(r"postgres(ql)?\+[a-z0-9_]+:", lowered):
        raise DsnError("is of SQLAlchemy (value hidden); begin it with postgresql://")
    if re.match(r"postgres(ql)?(:|//)|[a-z][a-z0-9+.-]*://", lowered):
        raise DsnError(_URL.format(rule="it must begin with postgresql://"))


def _decoded(text: str) -> str:
    """Return *text* with its percent-escapes decoded, as UTF-8."""
    if "%" not in text:
        return text
    if re.search("%(?![0-9A-Fa-f]{2})|%00", text):
        raise DsnError(_URL.format(rule="a '%' begins no percent-escape; write %25"))
    raw = re.sub(
        b"%(..)", lambda match: bytes.fromhex(match[1].decode()), text.encode()
    )
    try:
        return raw.decode()
    except UnicodeDecodeError:
        pass  # outside the block: its context would hold the text
    raise DsnError(_URL.format(rule="its percent-escapes are not UTF-8"))
