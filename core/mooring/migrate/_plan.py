"""What a run would do, read from its files: no lock is taken, nothing is written."""

from collections.abc import Iterable

import attrs

from mooring.core import Unfinished
from mooring.migrate._files import Batch, Direction, ReadFile
from mooring.migrate._listing import Listing
from mooring.migrate._losses import Loss


@attrs.frozen(kw_only=True)
class PlannedStep:
    """One migration that a run would apply or undo.

    Attributes:
        version: Its version.
        name: Its file name.
        direction: ``up`` or ``down``.
        transaction: Whether it runs in a transaction.
        statements: What would run, as the file has it: a variable of ENVSUB is shown
            by its name, since its value may be a secret. For a file in Python one
            comment, which names its function.
        losses: The tables and columns that its way back drops or empties; what Python
            does cannot be told.
        python: Whether it is a file in Python.
    """

    version: int
    name: str
    direction: Direction
    transaction: bool
    statements: tuple[str, ...]
    losses: tuple[Loss, ...] = ()
    python: bool = False


@attrs.frozen(kw_only=True)
class Plan(Listing[PlannedStep]):
    """What a run would do; also the sequence of its steps.

    Attributes:
        steps: The migrations, in order; empty if there is nothing to do.
        database: The newest version that is applied now, 0 if none is.
        unfinished: The file that was begun without a transaction and did not end: a run
            is refused unless it is told how to go on in it. None if there is none.
    """

    steps: tuple[PlannedStep, ...]
    database: int
    unfinished: Unfinished | None = None

    @property
    def parts(self) -> tuple[PlannedStep, ...]:
        """The steps."""
        return self.steps

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions, in order."""
        return tuple(step.version for step in self.steps)


def plan_of(
    batch: Batch,
    direction: Direction,
    database: int,
    losses: Iterable[tuple[Loss, ...]] = (),
    *,
    unfinished: Unfinished | None = None,
) -> Plan:
    """Return the plan of a batch; *losses* has an item for each of its files."""
    lost = list(losses) or [()] * len(batch)
    return Plan(
        steps=tuple(
            _planned(file, direction, one)
            for file, one in zip(batch, lost, strict=True)
        ),
        database=database,
        unfinished=unfinished,
    )


def _planned(
    file: ReadFile, direction: Direction, losses: tuple[Loss, ...]
) -> PlannedStep:
    migration = file.migration
    return PlannedStep(
        version=migration.version,
        name=migration.name,
        direction=direction,
        transaction=migration.transaction,
        statements=file.planned(direction),
        losses=losses,
        python=migration.python,
    )
