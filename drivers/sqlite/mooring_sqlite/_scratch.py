"""Databases for the tests of applications; `mooring.testing` finds them by name."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

Options = Mapping[str, Any]


class SqliteDatabases:
    """Database files, each in a folder of its own.

    Args:
        folder: Where those are made.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @contextmanager
    def empty(self) -> Iterator[Options]:
        """Lead to a file that is not there yet; its folder is removed afterwards."""
        with TemporaryDirectory(dir=self._folder) as folder:
            yield {"path": os.path.join(folder, "app.db")}

    @contextmanager
    def copy(self, template: Options) -> Iterator[Options]:
        """Copy the file, which is all there is: its WAL went with the last connection.

        See "How To Corrupt An SQLite Database File", section 1.2, on one that is open.
        """
        with self.empty() as options:
            shutil.copy(template["path"], options["path"])
            yield options


@contextmanager
def scratch_databases(folder: str) -> Iterator[SqliteDatabases]:
    """Serve a run of tests with databases in *folder*."""
    yield SqliteDatabases(folder)
