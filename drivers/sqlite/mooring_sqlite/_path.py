"""Paths: what a configuration may name, and the file before SQLite opens it.

The file is looked at with ``stat`` only. Opening and closing it by hand would drop
the locks that SQLite holds on it in this process (sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import os
import re
import stat
from errno import EEXIST

from mooring.core import CorruptStoreError, OpenError

MEMORY = ":memory:"

# Parameters of a file: URI that mean something here, and the values that do.
_URI_PARAMETERS = {"mode": ("rw", "rwc"), "cache": ("private",)}

# What most file systems allow, less the longest name beside it: -mooring.lock.
_LONGEST_NAME = 255 - 13


class Location:
    """Where a database is.

    Attributes:
        path: Its absolute path without symbolic links, or ":memory:".
        must_exist: Refuse to create it.
    """

    __slots__ = ("must_exist", "path")

    def __init__(self, path: str, *, must_exist: bool = False) -> None:
        self.path = path
        self.must_exist = must_exist

    @property
    def in_memory(self) -> bool:
        """Whether it is a private in-memory database."""
        return self.path == MEMORY

    @property
    def uri(self) -> str:
        """The URI to give to SQLite: never creates, and takes every path literally.

        Builds with SQLITE_USE_URI read a bare path that begins with "file:" as a URI
        even if they were not asked to (sqlite.org/uri.html).
        """
        escaped = self.path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        return f"file:{escaped}?mode=rw"


def path_problem(path: str) -> str | None:
    """Return what is wrong with a configured path, or None; looks at no file."""
    if not path.strip():
        return 'sqlite driver requires path: a file, or ":memory:"'
    if "\0" in path or "\n" in path or "\r" in path:
        return "must not hold a NUL or a line break"
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return "holds a character that no file name can have"
    if path.startswith("file:"):
        return _uri_problem(path)
    if path.startswith("~"):
        return "'~' is not expanded; write the whole path, or './~' for such a name"
    if path.endswith("/") or os.path.basename(path) in (".", ".."):
        return "names a directory; add the name of the database file"
    return None


def unquoted(text: str) -> str:
    """Return *text* with its percent-escapes decoded.

    Raises:
        ValueError: One is not % and two hexadecimal digits, or they are not UTF-8.
    """
    from urllib.parse import unquote

    if re.search("%(?![0-9A-Fa-f]{2})", text):
        raise ValueError("a % without two hexadecimal digits")
    return unquote(text, errors="strict")


def locate(path: str, *, create: bool = True) -> Location:
    """Return where a valid configured path leads, seen from the current folder.

    Args:
        path: The path, or a file: URI, whose mode=rw forbids to create too.
        create: Whether the file may be made if it is not there.
    """
    must_exist = not create
    if path.startswith("file:"):
        path, parameters = _split_uri(path)
        must_exist = must_exist or ("mode", "rw") in parameters
    if path == MEMORY:
        return Location(MEMORY)
    return Location(os.path.realpath(path), must_exist=must_exist)


def file_identity(path: str) -> tuple[int, int] | None:
    """Return what tells one file from another at the same path, None if it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_on_disk(path: str) -> bool:
    """Return whether a file is on a disk of this machine, which spares further looks.

    Those have a major device number; network, memory, and little else have none.
    """
    return os.major(os.stat(path).st_dev) != 0


def prepare_file(location: Location) -> bool:
    """Make the file, with its folders, if it is not there; return whether it was made.

    A new file has mode 0600, so that ``-wal`` and ``-shm`` inherit it, a new folder
    0700. An existing file is left as it is.

    Raises:
        OpenError: It is no file, may not be read and written, or cannot be made.
        CorruptStoreError: It is one byte long.
    """
    path = location.path
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if location.must_exist:
            raise OpenError(
                f"{path} does not exist",
                hint="correct the path; `mooring migrate up` makes a new database, as"
                " does opening it without create=False and mode=rw",
            ) from None
        return _create(path)
    except OSError as cause:
        raise _cannot("look at", path, cause) from cause
    if stat.S_ISDIR(found.st_mode):
        raise OpenError(
            f"{path} is a directory", hint="add the name of the database file"
        )
    if not stat.S_ISREG(found.st_mode):
        raise OpenError(
            f"{path} is not a regular file", hint="name a file, or a path for a new one"
        )
    if found.st_size == 1:
        # SQLite takes a single byte for an empty file, and would write over it.
        raise CorruptStoreError(
            f"{path} is not a database; it was not changed",
            hint="remove the file, or name another path",
        )
    _require_access(path, found)
    return False


def _create(path: str) -> bool:
    if len(os.fsencode(os.path.basename(path))) > _LONGEST_NAME:
        raise OpenError(
            f"the file name of {path} is longer than {_LONGEST_NAME} bytes",
            hint="shorten it: the names of the files beside it are longer",
        )
    try:
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            from mooring_sqlite._folders import make_folder

            make_folder(folder)
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            os.fchmod(file, 0o600)  # whatever the umask
        finally:
            os.close(file)
    except OSError as cause:
        if cause.errno == EEXIST and os.path.isfile(path):
            return False  # somebody else was faster
        raise _cannot("create", path, cause) from cause
    return True


def _require_access(path: str, found: os.stat_result) -> None:
    """Refuse what would fail later: WAL needs its folder writable even to read."""
    folder = os.path.dirname(path)
    for place, need, kind in (
        (path, os.R_OK | os.W_OK, "file"),
        (folder, os.W_OK | os.X_OK, "folder"),
    ):
        if not os.access(place, need):
            mode = found if kind == "file" else os.stat(folder)
            raise OpenError(
                f"{kind} {place} is not writable for {_user()}: owner"
                f" {user_name(mode.st_uid)}, mode {stat.S_IMODE(mode.st_mode):04o}",
                hint=f"let {_user()} read and write the file and its folder",
            )


def _cannot(what: str, path: str, cause: OSError) -> OpenError:
    place = cause.filename or path
    return OpenError(
        f"cannot {what} {path}: {cause.strerror} ({place})",
        hint=f"correct the path, or what {_user()} may do there",
    )


def _user() -> str:
    return f"user {user_name(os.geteuid())}"


def user_name(uid: int) -> str:
    """Return the name of a user, or the number of one that has none."""
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _uri_problem(uri: str) -> str | None:
    try:
        path, parameters = _split_uri(uri)
    except ValueError:
        return "the file: URI has broken percent-escapes; write %25 for %"
    authority = uri.removeprefix("file:").partition("?")[0].partition("#")[0]
    if authority.startswith("//"):
        host = authority[2:].partition("/")[0]
        if host not in ("", "localhost"):
            return (
                f"the file: URI names the host {host!r}; a path has no '//' before it"
            )
    for key, value in parameters:
        allowed = _URI_PARAMETERS.get(key)
        if allowed is None:
            return (
                f"the file: URI has the parameter {key!r}; allowed are"
                f" {' and '.join(_URI_PARAMETERS)}, everything else has an option"
            )
        if value not in allowed:
            return (
                f"the file: URI has {key}={value!r}; allowed is {' or '.join(allowed)}"
            )
    if path.startswith("file:"):
        return "the file: URI holds another one"
    return path_problem(path)


def _split_uri(uri: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the path, percent-escapes decoded, and the parameters of a file: URI."""
    from urllib.parse import parse_qsl

    rest = uri.removeprefix("file:").partition("#")[0]
    path, _, query = rest.partition("?")
    if path.startswith("//"):
        authority, slash, tail = path[2:].partition("/")
        # Another one is refused before, as SQLite does.
        path = slash + tail if authority in ("", "localhost") else path
    return unquoted(path), parse_qsl(query, keep_blank_values=True)
