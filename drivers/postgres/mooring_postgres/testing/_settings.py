"""The configuration file of a server for tests (PostgreSQL, chapter 19)."""

from collections.abc import Mapping
from typing import Final

_SMALL: Final[Mapping[str, object]] = {
    "max_connections": 200,
    "shared_buffers": "16MB",
    "max_wal_size": "256MB",
    # In the server's folder, and gone with it, also if it is killed.
    "dynamic_shared_memory_type": "mmap",
    # What a standby needs.
    "wal_level": "replica",
    "max_wal_senders": 10,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# What is lost when the machine stops is thrown away anyhow.
_NOT_DURABLE: Final[Mapping[str, object]] = {"fsync": "off", "full_page_writes": "off"}


def configuration(settings: Mapping[str, object], *, durable: bool) -> str:
    """Return lines of postgresql.conf; *settings* win over those for tests."""
    chosen = {**_SMALL, **({} if durable else _NOT_DURABLE), **settings}
    return "".join(f"{name} = {_quoted(value)}\n" for name, value in chosen.items())


def _quoted(value: object) -> str:
    text = str(value).replace("\\", "\\\\").replace("'", "''")
    return f"'{text}'"
