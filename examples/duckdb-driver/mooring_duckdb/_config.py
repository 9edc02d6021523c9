"""The driver's configuration."""

import os
import re
from collections.abc import Iterable

import attrs
from mooring.core import ConfigError, Problem, StoreConfig, option

MEMORY = ":memory:"


@attrs.frozen(kw_only=True)
class DuckdbConfig(StoreConfig):
    """Where the database is, and how much of the machine it may take.

    All stores of one file in a process share the engine, so their ``memory_limit`` and
    ``threads`` must be the same.
    """

    driver: str = attrs.field(default="duckdb", init=False)
    path: str = option(
        "",
        'Path of the database file, made if it does not exist; ":memory:" is a private'
        " database that ends with the store.",
    )
    memory_limit: str = option(
        "", "Most memory that the engine takes, such as `2GB`; 80 % of it if not set."
    )
    threads: int = option(
        0,
        "Threads that work on a statement; 0 = one a processor.",
        unit="threads",
        ge=0,
    )

    def problems(self) -> Iterable[Problem]:
        """Yield what is wrong in an option's text."""
        yield from super().problems()
        problem = _path_problem(self.path)
        if problem is not None:
            yield Problem("path", problem)
        if not re.fullmatch(r"(\d+(\.\d+)? ?[KMGT]i?B)?", self.memory_limit):
            yield Problem("memory_limit", "must be a number with a unit, such as 512MB")

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, object]:
        """Return the options of ``duckdb:PATH``, percent-escapes decoded."""
        from urllib.parse import unquote

        rest = url.partition(":")[2]
        if rest.startswith("//"):
            problem = "'duckdb://' names a host; write duckdb:app.db or duckdb:/app.db"
        elif "?" in rest or "#" in rest:
            problem = "a duckdb URL takes no options; write %3F and %23 in a path"
        elif re.search("%(?![0-9A-Fa-f]{2})", rest):
            problem = "a duckdb URL has broken percent-escapes; write %25 for %"
        else:
            return {"path": unquote(rest)}
        raise ConfigError([problem])


def _path_problem(path: str) -> str | None:
    """Return what is wrong with a configured path, or None; looks at no file."""
    if not path.strip():
        return 'duckdb driver requires path: a file, or ":memory:"'
    if "\0" in path or "\n" in path or "\r" in path:
        return "must not hold a NUL or a line break"
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return "holds a character that no file name can have"
    if path.startswith("~"):
        return "'~' is not expanded; write the whole path, or './~' for such a name"
    if path.endswith("/") or os.path.basename(path) in (".", ".."):
        return "names a directory; add the name of the database file"
    return None
