"""Why a connection could not be opened, and what to do about it.

libpq tells no SQLSTATE before a session has begun, only texts: those of its own are
English, the server's are in the server's language. What is not recognised is told as
it is.
"""

import re
from collections.abc import Mapping
from typing import Final

import psycopg
from mooring.core import OpenError, UnavailableError
from psycopg.errors import ConnectionTimeout

from mooring_postgres._connection import DeadlineError
from mooring_postgres._params import secret_values
from mooring_postgres._tls import tls_hint

_TLS: Final = "TLS"  # its hint depends on how it was tried
# Whether it can be otherwise later, what the text holds, what that means, and what to
# do; the first that fits.
_KNOWN: Final[tuple[tuple[type[OpenError], str, str, str], ...]] = (
    (
        OpenError,
        r"password authentication failed|no password supplied|authentication failed",
        "the server refused the user or the password",
        "set user, and password, password_file or PGPASSWORD, as the server knows them",
    ),
    (
        OpenError,
        r"database \"(?P<name>[^\"]*)\" does not exist",
        "there is no database {name!r} on the server",
        "make it (createdb), or correct dbname",
    ),
    (
        OpenError,
        r"role \"(?P<name>[^\"]*)\" does not exist",
        "there is no role {name!r} on the server",
        "make it (createuser), or correct user",
    ),
    (
        OpenError,
        r"role \"(?P<name>[^\"]*)\" is not permitted to log in",
        "the role {name!r} may not log in",
        "let it (ALTER ROLE ... LOGIN), or set user to another one",
    ),
    (
        OpenError,
        r"permission denied for database \"(?P<name>[^\"]*)\"",
        "the role may not use the database {name!r}",
        "let it (GRANT CONNECT ON DATABASE), or set user to another one",
    ),
    (
        OpenError,
        r"no pg_hba.conf entry|pg_hba.conf rejects",
        "the server does not let this user in from here",
        "add a line for it to pg_hba.conf; one for hostssl needs sslmode: require",
    ),
    (
        UnavailableError,
        r"invalid response to SSL|closed the connection unexpectedly|reset by peer",
        "the connection broke while it was made",
        "is it a PostgreSQL server? If it stops or starts now, try again",
    ),
    (
        OpenError,
        r"SSL|certificate|TLS",
        "the connection could not be secured by TLS",
        _TLS,
    ),
    (
        UnavailableError,
        r"too many clients|connection slots are reserved|too many connections",
        "the server has no connection left",
        "lower max_open_conns of the programs that share it, or raise max_connections",
    ),
    (
        UnavailableError,
        r"starting up|shutting down|in recovery mode|not yet accepting",
        "the server is not ready",
        "wait and try again",
    ),
    (
        OpenError,
        r"unsupported startup parameter",
        "a pooler in front of the server takes no settings",
        'set pooler="transaction", or name the server itself',
    ),
    (
        UnavailableError,
        r"session is (not )?read-only|hot standby|primary server|standby",
        "no server is of the kind that target_session_attrs asks for",
        "name the server that is, or correct target_session_attrs",
    ),
    (
        UnavailableError,
        r"resolve host|translate host name|Name or service not known",
        "the name of the host is not known",
        "correct host, or look at the name service",
    ),
    (
        UnavailableError,
        r"Connection refused|No such file or directory",
        "no server listens there",
        "start it, or correct host and port",
    ),
)


def open_error(
    cause: psycopg.Error, target: str, params: Mapping[str, str | int]
) -> OpenError:
    """Return the error for a connection that could not be opened.

    Args:
        cause: What psycopg raised.
        target: Where it should have led.
        params: The keywords that it was tried with, secrets included: none is told.
    """
    if isinstance(cause, ConnectionTimeout | DeadlineError):
        return UnavailableError(
            f"{target} did not answer in time (connect_timeout)",
            hint="is it the right host, and does the network let it through? Otherwise"
            " raise connect_timeout",
        )
    text = str(cause)
    told = _masked(_told(text), params)
    for kind, pattern, meaning, hint in _KNOWN:
        found = re.search(pattern, text)
        if found:
            means = _masked(meaning.format(**found.groupdict()), params)
            tried = {key: str(value) for key, value in params.items()}
            return kind(
                f"{target}: {means}: {told}",
                hint=tls_hint(tried) if hint is _TLS else hint,
            )
    return OpenError(f"{target} cannot be opened: {told}", hint="look at its log")


def shows_secret(cause: psycopg.Error, params: Mapping[str, str | int]) -> bool:
    """Return whether the text of *cause* holds a secret of *params*."""
    return _masked(str(cause), params) != str(cause)


def _masked(text: str, params: Mapping[str, str | int]) -> str:
    for secret in secret_values(params):
        text = text.replace(secret, "***")
    return text


def _told(text: str) -> str:
    """Return the reasons in one line, without what they repeat.

    One line for each address that was tried: the first says it all, where all failed
    alike.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reasons = [re.sub(r"^.*failed: +(FATAL|ERROR): +", "", line) for line in lines]
    reasons = [re.sub(r"^connection failed: ", "", reason) for reason in reasons]
    return reasons[0] if reasons else "no reason was given"
