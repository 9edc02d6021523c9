"""Files that begin or end a transaction themselves, on engines that let them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mooring.migrate._migration import Statement

if TYPE_CHECKING:
    from mooring.core import LetsFilesCommit


class Place(NamedTuple):
    """Where a file begins or ends its transaction itself.

    Attributes:
        statement: The piece that does.
        offset: The place in its text.
    """

    statement: Statement
    offset: int

    @property
    def word(self) -> str:
        """The command's first word, in capitals."""
        return self.statement.sql[self.offset :].split(None, 1)[0].rstrip(";").upper()

    @property
    def line(self) -> int:
        """1-based line of the file."""
        return self.statement.line + self.statement.sql.count("\n", 0, self.offset)


def own_transaction(
    session: "LetsFilesCommit", statements: Sequence[Statement]
) -> Place | None:
    """Return the first place where a file does so, None if it does not."""
    for statement in statements:
        offset = session.commits_in(statement.sql)
        if offset is not None:
            return Place(statement, offset)
    return None


def warning(name: str, place: Place) -> str:
    """Say what is not atomic any more."""
    return (
        f"{name}:{place.line}: {place.word} in a file that runs in one transaction:"
        " what is before its COMMIT stays if a later statement fails, and each"
        " statement behind that stands alone, the version's row too; put"
        " `-- +goose NO TRANSACTION` into the file if that is meant"
    )
