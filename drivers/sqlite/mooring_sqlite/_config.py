"""The driver's configuration."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import attrs
from mooring.core import ConfigError, StoreConfig, option

from mooring_sqlite._path import path_problem, unquoted

if TYPE_CHECKING:
    from mooring.core import Problem

MIB = 1024 * 1024
# Twice what SQLite lets the log grow to before it moves it into the file.
_SMALLEST_LIMIT = 8 * MIB


@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)  # as StoreConfig
class SqliteConfig(StoreConfig):
    """Where the database is, and how its connections behave."""

    driver: str = attrs.field(default="sqlite", init=False)
    path: str = option(
        "",
        'Path of the database file, made if it does not exist; ":memory:" is a private'
        " database that ends with the store.",
    )
    busy_timeout: float = option(
        5.0,
        "How long to wait for the lock to write: for other threads, then for other"
        " processes.",
        unit="seconds",
        ge=0,
        # A million seconds; the engine takes milliseconds in 31 bits.
        le=1_000_000,
    )
    synchronous: str = option(
        "full",
        "What a power cut can cost: full loses nothing that was committed, normal the"
        " last commits, off the database.",
        choices=("full", "normal", "off"),
    )
    read_deadline: float = option(
        300.0,
        "How long a read() block may stay open; 0 = no limit. One that is older gets an"
        " error at its next statement, and no longer keeps the log from being emptied.",
        unit="seconds",
        ge=0,
    )
    wal_limit: int = option(
        256 * MIB,
        "Size of the write-ahead log above which a warning names who keeps it from"
        " being emptied; 0 = none, else at least 8 MiB.",
        unit="bytes",
        ge=0,
    )
    group_commit: str = option(
        "closures",
        "Which transactions share one COMMIT, and so one flush of the disk, when they"
        " wait for each other: off is none, closures those of store.run and single"
        " statements, all also the blocks of store.transaction.",
        choices=("off", "closures", "all"),
    )
    network_file_system: bool = option(
        False,
        "Whether the file may be on a network file system. Only where one machine alone"
        " ever opens it: else WAL mode damages it.",
    )

    def problems(self) -> "Iterable[Problem]":
        """Yield what is wrong with the path, and between options."""
        yield from super().problems()
        problem = path_problem(self.path)
        if problem is not None:
            from mooring.core import Problem

            yield Problem("path", problem)
        if 0 < self.wal_limit < _SMALLEST_LIMIT:
            from mooring.core import Problem

            yield Problem(
                "wal_limit",
                f"must be 0 or at least {_SMALLEST_LIMIT} (8 MiB), not"
                f" {self.wal_limit}: the log of every store comes to 4 MiB",
            )

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, object]:
        """Return the options of ``sqlite:PATH``, percent-escapes decoded.

        ``sqlite:app.db`` is relative, ``sqlite:/var/lib/app.db`` absolute, and
        ``sqlite::memory:`` private to the store.
        """
        _, _, rest = url.partition(":")
        if rest.startswith("//"):
            # "sqlite:///app.db" is a relative path to some programs, to others not.
            raise ConfigError(
                ["'sqlite://' is ambiguous: it has no host to name"],
                hint="write sqlite:app.db for a relative path, sqlite:/var/lib/app.db"
                " for an absolute one",
            )
        path, question, _ = rest.partition("?")
        if question or "#" in path:
            raise ConfigError(
                ["a sqlite URL takes no options after '?' or '#'"],
                hint="write %3F and %23 for those characters in a path; give options in"
                ' a mapping: {"driver": "sqlite", "path": ...}',
            )
        try:
            return {"path": unquoted(path)}
        except ValueError:
            from mooring.core import Problem

            problem = Problem("path", "has broken percent-escapes; write %25 for %")
        # Outside the except block: a text that is refused is in no context.
        raise ConfigError([problem])
