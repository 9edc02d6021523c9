"""Options that are new in each test: placeholders, and a look at what they make."""

import secrets
import tempfile
from collections.abc import Mapping
from typing import Any, Final

from mooring import core
from mooring.core import ConfigError
from mooring.migrate import Migrator

TMP: Final = "{tmp}"
UNIQUE: Final = "{unique}"

_HINT = (
    f"put {TMP}, a new folder, or {UNIQUE}, a new name, where the stores of two tests"
    f' differ: -o "path={TMP}/store", or -o "schema={UNIQUE}"'
)


def fill(options: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Return *options* for one test.

    Args:
        options: With ``{tmp}`` and ``{unique}`` in those that are strings.
        folder: A new, empty folder, for ``{tmp}``.
    """
    unique = f"mooring_{secrets.token_hex(6)}"
    return {
        key: value.replace(TMP, folder).replace(UNIQUE, unique)
        if isinstance(value, str)
        else value
        for key, value in options.items()
    }


def require_fresh(options: Mapping[str, Any]) -> None:
    """Fail unless every filling of *options* is a new, empty store.

    The contract writes into it, so this is asked before, and not of a test.

    Raises:
        ConfigError: Two tests would share a store, or the store is in use already.
        MooringError: It cannot be opened.
    """
    with tempfile.TemporaryDirectory(prefix="mooring-check-") as folder:
        first, second = (fill(options, tempfile.mkdtemp(dir=folder)) for _ in range(2))
        if not core.default_registry().info(str(options["driver"])).sql:
            # What is in such a store nobody can ask; only a new place is known as one.
            if first == second:
                raise _shared()
            core.open(first).close()
            return
        if _is_migrated(first):
            raise ConfigError(
                ["the store is in use: migrations were applied to it"],
                hint=f"the contract needs stores that are new and empty: {_HINT}",
            )
        core.open(first, migrate="apply").close()
        if _is_migrated(second):
            raise _shared()


def _shared() -> ConfigError:
    return ConfigError(["every test would get the same store"], hint=_HINT)


def _is_migrated(options: Mapping[str, Any]) -> bool:
    with core.open(options, migrate="skip") as store:
        return any(one.state != "pending" for one in Migrator(store).status())
