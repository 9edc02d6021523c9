"""From a configuration to what a connection is made with."""

import os
from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING

from mooring_postgres._dsn import SECRET_KEYWORDS
from mooring_postgres._options import as_options
from mooring_postgres._password_file import read_password
from mooring_postgres._target import place, target
from mooring_postgres._tls import tls_keywords

if TYPE_CHECKING:
    from mooring_postgres._config import PostgresConfig

# The largest number of milliseconds that a setting of the server can be.
_LONGEST = 2_147_483_647

# A peer that vanished is noticed within a minute, also while nothing is sent; the
# system's defaults are hours. libpq ignores them on a Unix socket.
_KEEPALIVE: dict[str, str | int] = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


def connection_params(
    config: "PostgresConfig",
    *,
    migration: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, str | int]:
    """Return libpq's keywords for one new connection, the password in plain text.

    What it leaves out is libpq's to find: user and database from the environment, the
    password in ``PGPASSWORD`` or the file ``~/.pgpass``.

    Args:
        config: The configuration.
        migration: For migrations: where migration_conn_string leads, if it is set, and
            without a limit on how long a statement runs.
        environ: The environment of the process.

    Raises:
        OpenError: The password's file cannot be used, or nothing can check a server's
            certificate.
    """
    found = target(config, migration=migration)
    params: dict[str, str | int] = {
        **_KEEPALIVE,
        "application_name": config.application_name,
        **found,
        **tls_keywords(config, found, environ),
        "client_encoding": "UTF8",
        # libpq takes whole seconds, and 1 for 2.
        "connect_timeout": max(2, ceil(connect_timeout(config, migration=migration))),
    }
    replaced = migration and config.migration_conn_string
    if config.password_file and "password" not in found and not replaced:
        params["password"] = read_password(config.password_file)
    settings = as_options(session_settings(config, migration=migration))
    if settings:
        before = found.get("options") or environ.get("PGOPTIONS", "")
        # The last of two equal settings holds.
        params["options"] = f"{before} {settings}".lstrip()
    return params


def session_settings(
    config: "PostgresConfig", *, migration: bool = False
) -> dict[str, str]:
    """Return the settings of a new session, as ``pg_settings.setting`` shows them.

    Times are in milliseconds. There are none behind a transaction pooler: it lends one
    session to many, and refuses them.

    Args:
        config: The configuration.
        migration: For migrations, which go past the pooler and have bounds of their
            own.
    """
    if config.pooler == "transaction" and not migration:
        return {}
    idle = config.idle_in_transaction_timeout
    settings = {
        "statement_timeout": milliseconds(0 if migration else config.statement_timeout),
        # Of a migration, for what locks whole tables; see `PostgresUnit`.
        "lock_timeout": milliseconds(config.lock_timeout),
        "idle_in_transaction_session_timeout": milliseconds(idle),
        "TimeZone": "UTC",
    }
    if config.schema:
        settings["search_path"] = config.schema
    return settings


def connect_timeout(config: "PostgresConfig", *, migration: bool = False) -> float:
    """Return the seconds that one attempt to connect may take.

    A connection string that sets connect_timeout wins; its 0 and below, which means
    without end to libpq, is taken for not set.
    """
    given = int(target(config, migration=migration).get("connect_timeout", 0))
    return given if given > 0 else config.connect_timeout


def described(
    config: "PostgresConfig",
    *,
    migration: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """Return where the configuration leads, for messages: ``db.example.org:5432/app``.

    Neither a user nor a secret is in it.
    """
    return place(target(config, migration=migration), environ)


def secret_values(params: Mapping[str, str | int]) -> list[str]:
    """Return the values of `connection_params` that no message may show."""
    return [str(params[key]) for key in SECRET_KEYWORDS if params.get(key)]


def milliseconds(seconds: float) -> str:
    """Return seconds as the server's settings count them."""
    # Rounded up: 0 would be no limit.
    return str(min(ceil(seconds * 1000), _LONGEST))
