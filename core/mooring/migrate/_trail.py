"""How far a file without a transaction is: noted as it goes, and gone on from."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from mooring.core import MigrationSession, MigrationUnit, Unfinished
from mooring.core.errors import MigrationError, MigrationUnfinishedError, StoreError
from mooring.migrate._files import Direction, ReadFile
from mooring.migrate._migration import Statement, digest

if TYPE_CHECKING:
    from mooring.migrate._migrator import Resume


class Trail:
    """The statements of one file, each run alone, and how many of them stay.

    What ran is noted before each statement, so that another process can go on behind
    it. Inside a transaction of the file's own nothing is noted: that may yet be undone.

    Attributes:
        statements: The SQL statements, told apart as the engine does.
        ran: How many of them ran and stay, from the first on.
    """

    def __init__(
        self, unit: MigrationUnit, file: ReadFile, direction: Direction
    ) -> None:
        self._unit = unit
        self._file = file
        self._direction: Direction = direction
        python = file.migration.python
        pieces = [
            (piece, offset, sql)
            for piece in file.statements(direction)
            for offset, sql in (_whole if python else _split)(unit, piece.sql)
        ]
        self._places = [(piece, offset) for piece, offset, _ in pieces]
        self.statements = tuple(
            Statement(sql, piece.line + piece.sql.count("\n", 0, offset))
            for piece, offset, sql in pieces
        )
        self.ran = 0

    @property
    def _version(self) -> int:
        return self._file.migration.version

    def resume(self, unfinished: Unfinished, how: "Resume | None") -> None:
        """Go on from where another run ended.

        Raises:
            MigrationUnfinishedError: It is not said how.
            MigrationError: What ran is not what the file now begins with.
        """
        if how is None:
            self.refuse(unfinished)
        if self._digest(unfinished.done) != unfinished.ran:
            raise MigrationError(
                f"{self._file.migration.name} begins with other statements than the"
                f" {unfinished.done} that ran already; nothing was changed",
                hint="put those back as they were, and change what comes behind them;"
                " or let the file begin anew: `mooring migrate repair` forgets them",
            )
        self.ran = unfinished.done + (how == "after")
        # What the other run of it did is not undone by this one.
        self._file.stays = self._file.migration.python

    def refuse(self, unfinished: Unfinished) -> NoReturn:
        """Raise MigrationUnfinishedError, with the statement that is next."""
        shown = ""
        if self._file.migration.python:
            raise _unfinished_python(unfinished, self._file.migration.name)
        if unfinished.done < len(self.statements):
            statement = self.statements[unfinished.done]
            first = self._file.as_written(statement).strip().partition("\n")[0]
            shown = f"\n  {self._file.migration.name}:{statement.line}: {first}"
        raise unfinished_error(unfinished, self._file.migration.name, shown)

    def begin(self, number: int) -> None:
        """Note that the statement *number* begins, and those before it stay."""
        self._note(number - 1, running=True)

    def end(self) -> None:
        """Note that all statements ran."""
        self._note(len(self.statements), running=False)

    def place(self, number: int, error: Exception) -> Statement:
        """Return the piece that the statement is of, and move the error's offset."""
        piece, offset = self._places[number - 1]
        if isinstance(error, StoreError) and error.offset is not None:
            error.offset += offset
        return piece

    def go_on(self, stay: int) -> str:
        """Say how to go on once what failed is corrected, behind *stay* statements."""
        verb = self._direction
        ways = f'`mooring migrate {verb} --resume`, or {verb}(resume="again")'
        if self._file.migration.python:
            return f"then run it again, from its start: {ways}"
        return f"then go on with statement {stay + 1}: {ways}"

    def settle(self, session: MigrationSession) -> None:
        """Note, behind the unit, that the statement that ran has failed.

        Where nothing stays the file is forgotten: it begins anew. Where a part of that
        statement stays, or this cannot be noted, it stays as it was: begun, and nobody
        knows if it ended.
        """
        if self._file.stays:
            return
        with suppress(StoreError), session.unit(transaction=True) as unit:
            if self.ran:
                unit.note(self._version, self._state(self.ran, running=False))
            elif self._direction == "up":
                unit.unrecord(self._version)  # it is not applied
            else:
                unit.note(self._version, None)

    def _note(self, done: int, *, running: bool) -> None:
        try:
            if not self._unit.note(self._version, self._state(done, running=running)):
                return
        except StoreError:
            # The file may have given its rights away. What was noted before is too
            # little, never too much.
            pass
        self.ran = done

    def _state(self, done: int, *, running: bool) -> Unfinished:
        return Unfinished(
            self._version, self._direction, done, running, self._digest(done)
        )

    def _digest(self, done: int) -> str:
        """Fingerprint the first statements, as the file has them."""
        texts = [self._as_written(one) for one in self.statements[:done]]
        return digest("\n".join(texts).encode()) if len(texts) == done else ""

    def _as_written(self, statement: Statement) -> str:
        """Return the statement's own text, without others that share its lines.

        Where ENVSUB put something in, the lines: a value may be another next time.
        """
        lines = self._file.as_written(statement)
        return statement.sql if statement.sql in lines else lines


def _split(unit: MigrationUnit, sql: str) -> Sequence[tuple[int, str]]:
    """Tell statements apart; what cannot be is one, and refused when it is executed."""
    if "\0" in sql:
        return _whole(unit, sql)
    try:
        return list(unit.split(sql))
    except StoreError:
        return _whole(unit, sql)


def _whole(_: MigrationUnit, text: str) -> Sequence[tuple[int, str]]:
    return [(0, text)]


def unfinished_error(
    unfinished: Unfinished, name: str, shown: str = ""
) -> MigrationUnfinishedError:
    """Return the error for a file that did not end, with what to decide."""
    done, verb = unfinished.done, unfinished.direction
    ran = {0: "none of its statements", 1: "its first statement"}.get(
        done, f"its statements 1 to {done}"
    )
    message = f"{name} did not end, going {verb}: {ran} ran and stay"
    if unfinished.running:
        message += (
            f"; statement {done + 1} was begun, and nobody knows if it ended:{shown}"
        )
        hint = (
            f"look if it did; if not, `mooring migrate {verb} --resume` runs it again;"
            f" if it did, `mooring migrate {verb} --resume-after` goes on behind it"
        )
    else:
        message += f"; statement {done + 1} is next:{shown}" if shown else ""
        hint = f"correct the file, and go on: `mooring migrate {verb} --resume`"
    return _error(unfinished, name, message, hint)


def _unfinished_python(unfinished: Unfinished, name: str) -> MigrationUnfinishedError:
    """Return the error for a file in Python: only its author knows how far it is."""
    verb = unfinished.direction
    return _error(
        unfinished,
        name,
        f"{name} did not end, going {verb}: what {verb}() did until then stays",
        f"look how far it came; `mooring migrate {verb} --resume` runs {verb}() again,"
        f" from its start; `mooring migrate {verb} --resume-after` takes it for done",
    )


def _error(
    unfinished: Unfinished, name: str, message: str, hint: str
) -> MigrationUnfinishedError:
    verb = unfinished.direction
    return MigrationUnfinishedError(
        message,
        file=name,
        version=unfinished.version,
        direction=verb,
        done=unfinished.done,
        running=unfinished.running,
        hint=f"{hint}; an application calls {verb}(resume=...). To begin the file anew:"
        " `mooring migrate repair`",
    )
