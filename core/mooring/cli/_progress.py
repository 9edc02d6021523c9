"""Drawing how far a run of migrations is, on a terminal."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

if TYPE_CHECKING:
    from mooring.migrate import Event


class Drawing:
    """A line on stderr for the migration that runs; it goes when the run is over.

    It is the callback of a migrator.
    """

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("statements"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None

    def __call__(self, event: "Event") -> None:
        """Draw what happened."""
        if event.kind == "start":
            # Only now: before, the command may have to ask.
            self._progress.start()
            self._forget()  # one that failed and is run again
            verb = "applying" if event.step.direction == "up" else "undoing"
            self._task = self._progress.add_task(
                f"{verb} {event.step.name}", total=event.statements
            )
        elif self._task is not None:
            self._progress.update(self._task, completed=event.statement)
            if event.kind == "end":
                self._forget()

    def _forget(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None

    def __enter__(self) -> Self:
        """Be ready."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()
