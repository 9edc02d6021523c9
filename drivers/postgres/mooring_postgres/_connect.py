"""Opening a connection: its settings are made at the start, and read back."""

import os
from collections.abc import Mapping
from copy import copy
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import psycopg
from mooring.core import OpenError

from mooring_postgres._adapt import adapters
from mooring_postgres._connection import LEAST, BoundedConnection
from mooring_postgres._params import connection_params, described, session_settings
from mooring_postgres._refusals import open_error, shows_secret
from mooring_postgres._target import addresses, target

if TYPE_CHECKING:
    from mooring_postgres._config import PostgresConfig

# The server's own statement_timeout comes first; this is for one that does not answer.
MARGIN: Final = 0.5
# Seconds for what a migration asks itself, where statements have no limit.
_OWN_LIMIT: Final = 30.0
# Settings in milliseconds: the server gives them with the unit that fits best.
_TIMEOUTS: Final = frozenset(
    {"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"}
)


def connect(
    config: "PostgresConfig", *, timeout: float, migration: bool = False
) -> BoundedConnection:
    """Return a connection on which every setting was made and verified.

    Args:
        config: The store's configuration.
        timeout: Seconds that it may take, > 0.
        migration: It is to migrate: made of ``migration_conn_string`` if that is set,
            and without limits of the server's own for statements.

    Raises:
        OpenError: It cannot be opened, or a setting does not hold; nothing is left.
    """
    pooled = config.pooler == "transaction" and not migration
    params = connection_params(config, migration=migration)
    threshold = None if pooled else config.prepare_threshold or None
    hosts = addresses(target(config, migration=migration), os.environ)
    until = monotonic() + timeout
    try:
        connection = BoundedConnection.open(
            timeout,
            hosts=len(hosts or [""]),
            prepare_threshold=threshold,
            context=_Context(adapters()),
            **params,
        )
        try:
            left = max(until - monotonic(), LEAST)
            connection.limit = min(config.ping_timeout, left)
            _verify(connection, session_settings(config, migration=migration))
        except BaseException:
            connection.close()
            raise
    except psycopg.Error as cause:
        failure = open_error(cause, described(config, migration=migration), params)
        # A copy, since psycopg's error keeps the connection, which shows all of params.
        failure.__cause__ = None if shows_secret(cause, params) else copy(cause)
        params.clear()  # the traceback keeps this frame, which some reporters show
    else:
        limit = config.statement_timeout
        if migration:  # of what is not from a file: a BEGIN, a look at the versions
            limit = max(limit or _OWN_LIMIT, config.ping_timeout)
        connection.limit = limit + (0 if pooled else MARGIN) if limit else None
        connection.cancels = pooled
        return connection
    # Outside the except block: what shows a secret must not be its context.
    raise failure


class _Context:
    """What psycopg takes adapters from (psycopg.abc.AdaptContext)."""

    connection = None

    def __init__(self, adapters: Any) -> None:
        self.adapters = adapters


def _verify(connection: BoundedConnection, expected: Mapping[str, str]) -> None:
    """Read back what was set: a pooler may have left it out.

    Raises:
        OpenError: A setting does not hold.
        psycopg.Error: The server did not answer.
    """
    # The server said it when the session began; our translator relies on it.
    if connection.pgconn.parameter_status(b"standard_conforming_strings") == b"off":
        raise OpenError(
            "standard_conforming_strings is off: a backslash in a string would escape,"
            " and hide where the string ends",
            hint="leave it on, and write strings with escapes as E'...'",
        )
    if not expected:
        connection.execute("")
        return
    asked = ", ".join(_reading(name) for name in expected)
    found = connection.execute(f"SELECT {asked}".encode()).fetchone() or ()
    for (name, wanted), value in zip(expected.items(), found, strict=True):
        if value != wanted:
            raise OpenError(
                f"{name} is {value!r} on a new connection, not {wanted!r}",
                hint="is there a pooler in front of the server? Set"
                ' pooler="transaction", or name the server itself',
            )


def _reading(name: str) -> str:
    found = f"current_setting('{name}')"
    if name in _TIMEOUTS:
        return f"CAST(EXTRACT(EPOCH FROM {found}::interval) * 1000 AS bigint)::text"
    return found
