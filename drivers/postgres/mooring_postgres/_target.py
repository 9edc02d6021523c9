"""Where a configuration leads: its connection string and its parts, put together."""

import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

from mooring_postgres._dsn import parse

if TYPE_CHECKING:
    from mooring_postgres._config import PostgresConfig

DEFAULT_PORT = 5432

_LOOPBACK = re.compile(r"127(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}")


def target(config: "PostgresConfig", *, migration: bool = False) -> dict[str, str]:
    """Return libpq's keywords for where to connect and as whom, passwords included.

    What the connection string sets wins; the options fill what it leaves out. A
    connection string for migrations stands for itself, and nothing fills it.

    Raises:
        DsnError: The connection string cannot be read; none that was validated.
    """
    if migration and config.migration_conn_string:
        return _given(parse(config.migration_conn_string.reveal()))
    parts = {
        "host": config.host,
        "port": str(config.port),
        "user": config.user,
        "password": config.password.reveal() if config.password else "",
        "dbname": config.dbname or config.name,
        "target_session_attrs": config.target_session_attrs,
    }
    if not config.conn_string:
        return _given(parts)
    if parts["port"] == str(DEFAULT_PORT):
        # The same without it, but PGPORT and a service file may say another.
        del parts["port"]
    return _given(parts) | _given(parse(config.conn_string.reveal()))


def addresses(
    keywords: Mapping[str, str], environ: Mapping[str, str]
) -> list[str] | None:
    """Return where attempts to connect go; "" is the socket that libpq prefers.

    None: only a service file knows, which libpq reads before it looks at ``PGHOST``.
    """
    named = keywords.get("host") or keywords.get("hostaddr")
    if not named and (keywords.get("service") or environ.get("PGSERVICE")):
        return None
    hosts = (keywords.get("host") or environ.get("PGHOST", "")).split(",")
    numbers = (keywords.get("hostaddr") or environ.get("PGHOSTADDR", "")).split(",")
    # A number is where the connection goes; the name beside it is only compared.
    return [
        number or host for host, number in zip_longest(hosts, numbers, fillvalue="")
    ]


def is_local(address: str) -> bool:
    """Return whether it is a Unix socket or the loopback interface."""
    if address == "" or address[0] in "/@":
        return True
    return address.lower() in ("localhost", "::1") or bool(_LOOPBACK.fullmatch(address))


def place(keywords: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """Return host, port and database for messages, such as ``db:5432/app``."""
    dbname = keywords.get("dbname") or environ.get("PGDATABASE", "")
    ending = f"/{dbname}" if dbname else ""
    named = keywords.get("host") or keywords.get("hostaddr")
    if not named:
        service = keywords.get("service") or environ.get("PGSERVICE")
        if service:
            return f"service {service}{ending}"
        named = environ.get("PGHOST") or environ.get("PGHOSTADDR") or "socket"
    hosts = named.split(",")
    ports = (keywords.get("port") or environ.get("PGPORT", "")).split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    shown = [
        f"{f'[{host}]' if ':' in host else host}:{port or DEFAULT_PORT}"
        for host, port in zip_longest(hosts, ports, fillvalue="")
    ]
    return ",".join(shown) + ending


def _given(keywords: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in keywords.items() if value}
