"""Reading migration files, and telling if an applied one was changed since."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from mooring.core import AppliedRow, File
from mooring.core.errors import MigrationChangedError, MigrationParseError
from mooring.migrate._migration import Migration, Statement, digest
from mooring.migrate._parse import parse

Direction = Literal["up", "down"]


def refuse_changed(
    files: Mapping[int, File], applied: Mapping[int, AppliedRow]
) -> None:
    """Raise MigrationChangedError if an applied file is not what was applied."""
    for version, row in applied.items():
        if row.digest is None or version not in files:
            continue
        found = digest(content(files[version]))
        if found != row.digest:
            raise MigrationChangedError(
                f"version {version}, {files[version].name}, was changed after it was"
                f" applied:\n  recorded {row.digest}\n  found    {found}",
                version=version,
                recorded=row.digest,
                found=found,
                hint="restore the file as it was, and put the change into a new one;"
                " or accept the change: `mooring migrate repair`",
            )


def content(file: File) -> bytes:
    """Return a file's bytes; raises MigrationParseError if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as cause:
        raise MigrationParseError(
            f"cannot be read: {cause.strerror}", file=file.name, line=None
        ) from cause


class ReadFile:
    """A migration with what is needed to record it and to quote it."""

    __slots__ = ("digest", "migration", "text")

    def __init__(self, migration: Migration, data: bytes) -> None:
        self.migration = migration
        self.digest = digest(data)
        self.text = data.decode("utf-8", "replace")

    @property
    def lines(self) -> Sequence[str]:
        """The text, told apart as the parser does: only a line feed ends a line."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    def statements(self, direction: Direction) -> Sequence[Statement]:
        """Return those of one direction."""
        return self.migration.up if direction == "up" else self.migration.down

    def last_statement(self, direction: Direction) -> Statement:
        """Return the last one, or one that is empty if there is none."""
        statements = self.statements(direction)
        return statements[-1] if statements else Statement(sql="", line=1)

    def as_written(self, statement: Statement) -> str:
        """Return the lines of the file that hold the statement, unexpanded."""
        height = statement.sql.count("\n") + 1
        first = statement.line - 1
        return "\n".join(self.lines[first : first + height])


class Batch(tuple[ReadFile, ...]):
    """The files of one run, in its order."""

    __slots__ = ()


def read_files(files: Mapping[int, File], versions: Iterable[int]) -> Batch:
    """Read and parse all files of a run, before any of it is applied.

    Raises:
        MigrationParseError: One cannot be read.
    """
    found = []
    for version in versions:
        file = files[version]
        data = content(file)
        found.append(ReadFile(parse(data, name=file.name), data))
    return Batch(found)
