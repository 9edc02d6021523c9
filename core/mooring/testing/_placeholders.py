"""Databases for tests of a driver that offers none: options, filled anew each time."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from mooring import core
from mooring.testing._fresh import TMP, UNIQUE, fill
from mooring.testing._scratch import Options


class PlaceholderDatabases:
    """Empty databases where options with placeholders lead.

    Args:
        driver: The name of the driver, for messages.
        options: With ``{tmp}`` or ``{unique}`` where the databases of two tests
            differ.
        folder: For the new folders that ``{tmp}`` stands for.

    Raises:
        ConfigError: There is no placeholder in the options.
    """

    def __init__(self, driver: str, options: Options, folder: str) -> None:
        texts = [text for text in options.values() if isinstance(text, str)]
        if not any(mark in text for text in texts for mark in (TMP, UNIQUE)):
            raise core.ConfigError(
                [f"driver {driver!r} offers no databases for tests"],
                hint="let the fixture mooring_options return options that lead to a new"
                f" one in each test, with {TMP} for a new folder or {UNIQUE} for a new"
                f' name: {{"path": "{TMP}/app.db"}}',
            )
        self._options = options
        self._folder = folder

    @contextmanager
    def empty(self) -> Iterator[Options]:
        """Fill the options; what lies in ``{tmp}`` is removed afterwards."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            yield fill(self._options, folder)
