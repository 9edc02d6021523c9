"""The graph of which transaction must have come before which, and its cycles."""

from collections import deque
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple


class Edge(NamedTuple):
    """One transaction comes before another.

    Attributes:
        before: The first one.
        after: The other.
        kind: The first wrote a version and the other the next one (``ww``), or read it
            (``wr``); or the first read a version and the other wrote the next (``rw``).
        key: Of what.
    """

    before: int
    after: int
    kind: Literal["ww", "wr", "rw"]
    key: str


Cycle = Sequence[Edge]


class Graph:
    """Dependencies between transactions, by number; of *nodes* only."""

    def __init__(self, nodes: Collection[int]) -> None:
        self._nodes = nodes
        self._edges: dict[tuple[int, int, str], Edge] = {}

    def _add(self, edge: Edge) -> None:
        known = edge.before in self._nodes and edge.after in self._nodes
        if known and edge.before != edge.after:
            self._edges.setdefault(edge[:3], edge)

    def add_writers(self, key: str, writers: Sequence[int]) -> None:
        """Add who wrote the versions of a key, in their order."""
        for one, other in pairwise(writers):
            self._add(Edge(one, other, "ww", key))

    def add_read(self, key: str, txn: int, rank: int, writers: Sequence[int]) -> None:
        """Add that *txn* read the version of that rank; -1 is the beginning."""
        if rank >= 0:
            self._add(Edge(writers[rank], txn, "wr", key))
        # Its own next versions say nothing: look behind them.
        behind = [writer for writer in writers[rank + 1 :] if writer != txn]
        if behind:
            self._add(Edge(txn, behind[0], "rw", key))

    def cycle(self, kinds: Collection[str]) -> Cycle | None:
        """Return a short cycle of edges of these kinds, None if there is none."""
        edges = _trimmed([e for e in self._edges.values() if e.kind in kinds])
        cycles = (_closed(edge, edges) for edge in edges)
        return min(filter(None, cycles), key=len, default=None)

    def cycle_with_one(self, kind: str, others: Collection[str]) -> Cycle | None:
        """Return a short cycle of one edge of *kind* and else *others*, or None."""
        wanted = [e for e in self._edges.values() if e.kind == kind or e.kind in others]
        edges = _trimmed(wanted)
        rest = [edge for edge in edges if edge.kind in others]
        cycles = (_closed(edge, rest) for edge in edges if edge.kind == kind)
        return min(filter(None, cycles), key=len, default=None)


def _trimmed(edges: list[Edge]) -> list[Edge]:
    """Drop, until there is none, the edges that no cycle can go through."""
    while True:
        starts = {edge.before for edge in edges}
        ends = {edge.after for edge in edges}
        kept = [e for e in edges if e.before in ends and e.after in starts]
        if len(kept) == len(edges):
            return kept
        edges = kept


def _closed(first: Edge, edges: Sequence[Edge]) -> Cycle | None:
    """Return *first* with the shortest way back over *edges*, None if there is none."""
    leaving: dict[int, list[Edge]] = {}
    for edge in edges:
        leaving.setdefault(edge.before, []).append(edge)
    came: dict[int, Edge] = {}
    waiting = deque([first.after])
    while waiting:
        at = waiting.popleft()
        if at == first.before:
            path = [first]
            back = []
            while at != first.after:
                back.append(came[at])
                at = came[at].before
            return path + back[::-1]
        for edge in leaving.get(at, ()):
            if edge.after not in came and edge.after != first.after:
                came[edge.after] = edge
                waiting.append(edge.after)
    return None
