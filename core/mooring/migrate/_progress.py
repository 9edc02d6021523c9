"""What a run tells while it goes on."""

from typing import Literal

import attrs

from mooring.migrate._run import Step

Kind = Literal["start", "statement", "end", "retry", "warning"]


@attrs.frozen(kw_only=True)
class Event:
    """Progress of a run, given to the migrator's callback.

    Attributes:
        kind: ``start`` or ``end`` of one migration; ``statement``: one of its
            statements ran; ``retry``: it waited for a lock in
            vain, was rolled back and is run again from its start, after a pause;
            ``warning``: it is less safe than others.
        step: The migration; its duration is known at the end.
        message: What a ``retry`` or a ``warning`` is about; "" otherwise.
        statement: How many of its statements ran, 0 at the start.
        statements: How many it has in this direction.
        duration: Seconds that it took so far.
    """

    kind: Kind
    step: Step
    message: str = ""
    statement: int = 0
    statements: int = 0
    duration: float = 0.0


def log(message: str) -> None:
    """Give a retry or a warning to the log of ``mooring.migrate``: nobody listens."""
    from logging import getLogger

    getLogger("mooring.migrate").warning("%s", message)
