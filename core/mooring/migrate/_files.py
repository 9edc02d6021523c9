"""Reading migration files, and telling if an applied one was changed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mooring.core import AppliedRow, File
from mooring.core.errors import (
    MigrationChangedError,
    MigrationParseError,
    StoreError,
)
from mooring.migrate._migration import Migration, Statement, digest
from mooring.migrate._parse import parse

if TYPE_CHECKING:
    from mooring.core import MigrationSession, MigrationUnit
    from mooring.core.errors import MigrationFailedError

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
    """A migration with what is needed to run it, to record it and to quote it.

    Attributes:
        migration: What it says.
        digest: SHA-256 in hex of what it is.
        text: The file as it is written.
        stays: A part of a statement that failed stays: of the function in Python, which
            stands for one, where it runs without a transaction.
    """

    __slots__ = ("digest", "migration", "stays", "text")
    # What it raises that is told as its failure.
    fails_with: type[Exception] = StoreError

    def __init__(self, migration: Migration, data: bytes) -> None:
        self.migration = migration
        self.digest = digest(data)
        self.text = data.decode("utf-8", "replace")
        self.stays = False

    @property
    def lines(self) -> Sequence[str]:
        """The text, told apart as the parser does: only a line feed ends a line."""
        return [line.removesuffix("\r") for line in self.text.split("\n")]

    def statements(self, direction: Direction) -> Sequence[Statement]:
        """Return those of one direction."""
        return self.migration.up if direction == "up" else self.migration.down

    def prepare(
        self, store: Any, session: MigrationSession, direction: Direction
    ) -> None:
        """Do what can be done before the first file of a run."""

    def execute(
        self,
        unit: MigrationUnit,
        statement: Statement,
        direction: Direction,  # noqa: ARG002 - a statement is of one direction
    ) -> None:
        """Run one of its statements; raises `fails_with`."""
        unit.execute(statement.sql)

    def failed(
        self,
        cause: Any,
        statement: Statement,
        state: str,
        direction: Direction,  # noqa: ARG002 - as above
    ) -> MigrationFailedError:
        """Return the error of a statement, with what state it left."""
        from mooring.migrate._failure import failed

        return failed(self, statement, cause, state)

    def shows_value(self, cause: Any, statement: Statement) -> bool:
        """Return whether the error quotes what ENVSUB put in."""
        from mooring.migrate._failure import shows_value

        return shows_value(self, statement, cause)

    def planned(self, direction: Direction) -> tuple[str, ...]:
        """Return them as a plan shows them: no value that ENVSUB put in."""
        return tuple(map(self.as_written, self.statements(direction)))

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
    found: list[ReadFile] = []
    for version in versions:
        file = files[version]
        data = content(file)
        migration = parse(data, name=file.name)
        if migration.python:
            from mooring.migrate._python_file import PythonFile

            found.append(PythonFile(migration, data, file))
        else:
            found.append(ReadFile(migration, data))
    return Batch(found)
