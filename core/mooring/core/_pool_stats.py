"""A pool's figures: imported where somebody asks for them."""

from typing import NamedTuple


class PoolStats(NamedTuple):
    """The pool's figures at one moment: connections, and threads that wait."""

    open: int
    idle: int
    lent: int
    waiting: int
    max_open: int
