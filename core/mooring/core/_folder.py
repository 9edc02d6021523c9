"""Folders of migration files, on disk or inside a zipped package."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Protocol


class File(Protocol):
    """One entry of a folder: the part of ``Traversable`` that is needed."""

    @property
    def name(self) -> str:
        """The last part of the entry's path."""
        ...

    def read_bytes(self) -> bytes:
        """Return the whole content."""
        ...


class Folder(Protocol):
    """A flat folder of files; every ``importlib.resources`` folder is one."""

    @property
    def name(self) -> str:
        """The last part of the folder's path."""
        ...

    def iterdir(self) -> Iterator[File]:
        """Yield the entries, in any order."""
        ...


class DiskFile:
    """A file in a directory."""

    __slots__ = ("_directory", "name")

    def __init__(self, directory: str, name: str) -> None:
        self._directory = directory
        self.name = name

    def __fspath__(self) -> str:
        return os.path.join(self._directory, self.name)

    def read_bytes(self) -> bytes:
        """Return the whole content; raises OSError."""
        # Joined here: a start at head makes one of these for each file, and opens none.
        with open(self, "rb") as file:
            return file.read()


class DiskFolder:
    """A directory as a `Folder`; nothing is read before it is iterated."""

    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    @property
    def name(self) -> str:
        """The last part of the directory's path."""
        return os.path.basename(os.path.abspath(self.path))

    def iterdir(self) -> Iterator[DiskFile]:
        """Yield the entries, in the file system's order; raises OSError."""
        path = self.path
        return iter([DiskFile(path, name) for name in os.listdir(path)])

    def __repr__(self) -> str:
        return f"DiskFolder({self.path!r})"


def package_folder(package: str, path: str = "migrations") -> Folder:
    """Return a folder that is shipped inside an importable package.

    Args:
        package: Name of a regular package; it is imported if it is not yet.
        path: Name of the folder inside it.

    Raises:
        ModuleNotFoundError: There is no such package.
        NotADirectoryError: The package has no such folder.
    """
    module = sys.modules.get(package) or import_module(package)
    if module.__file__ is not None:
        directory = os.path.join(os.path.dirname(module.__file__), path)
        if os.path.isdir(directory):
            return DiskFolder(directory)
    # Zipped wheels. Importing importlib.resources takes long for a start,
    # which the ordinary case above does not pay.
    from importlib.resources import files

    folder = files(package).joinpath(path)
    if not folder.is_dir():
        raise NotADirectoryError(f"package {package} has no folder {path!r}")
    return folder
