"""What concurrent clients did and saw, and the anomalies in it; needs no store.

Every value is written once, so that a read tells which transaction it saw; a list that
is only appended to tells the order of the others too. The idea is that of Elle
(Kingsbury and Alvaro, VLDB 2020), the names are those of Adya's "Weak Consistency"
(MIT, 1999): G0 to G2.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import attrs

from mooring.testing.history._dependencies import Cycle, Graph

Version = int | None
Outcome = Literal["committed", "aborted", "unknown"]
Isolation = Literal["default", "snapshot", "serializable"]


class Op(NamedTuple):
    """One thing that a transaction did.

    Attributes:
        kind: ``append`` to a list, read a ``list``; ``write`` a register, or read a
            ``register``.
        key: Which list or register.
        value: What was written; the values of a list that was read, in order; the value
            of a register, None at its beginning.
    """

    kind: Literal["append", "list", "write", "register"]
    key: str
    value: Any

    @property
    def writes(self) -> bool:
        """Whether it is not a read."""
        return self.kind in ("append", "write")


@attrs.frozen(kw_only=True)
class Txn:
    """A transaction as its client saw it; one that is run again is several.

    Attributes:
        client: Who ran it.
        isolation: What it was promised; ``snapshot`` only reads.
        outcome: How it ended. ``unknown`` may have been committed.
        ops: What it did, in order.
        invoked: When it was begun, and
        completed: when its end was known, on one monotonic clock for all clients.
    """

    client: str
    isolation: Isolation
    outcome: Outcome
    ops: tuple[Op, ...]
    invoked: int
    completed: int

    def __str__(self) -> str:
        ops = " ".join(f"{op.kind}({op.key}, {op.value})" for op in self.ops)
        return f"<{self.client} {self.isolation} {self.outcome}: {ops}>"


class Anomaly(NamedTuple):
    """Something that the isolation levels do not allow.

    Attributes:
        name: Its name: ``G1a``, ``lost update``, ...
        detail: Who saw what.
    """

    name: str
    detail: str


class Read(NamedTuple):
    """What a transaction saw of others at one read: its own writes are taken off."""

    txn: int
    key: str
    values: tuple[int, ...]  # of a register, its value alone
    last: Version


def anomalies(history: Sequence[Txn]) -> list[Anomaly]:
    """Return what is wrong in a history, in the order of the checks.

    Args:
        history: Every transaction of every client, in any order. That updates were lost
            shows only if somebody reads after all others have ended.

    Raises:
        ValueError: Two transactions wrote the same value to the same key.
    """
    return list(_Checker(history).anomalies())


def dump(history: Iterable[Txn]) -> str:
    """Return a history as one line of JSON."""
    return json.dumps([attrs.astuple(txn) for txn in history])


def load(text: str) -> list[Txn]:
    """Return the history that `dump` wrote."""
    names = [field.name for field in attrs.fields(Txn)]
    found = []
    for row in json.loads(text):
        given = dict(zip(names, row, strict=True))
        given["ops"] = tuple(
            Op(kind, key, tuple(value) if isinstance(value, list) else value)
            for kind, key, value in given["ops"]
        )
        found.append(Txn(**given))
    return found


class _Checker:
    """One pass over a history; the attributes are what all checks look at."""

    def __init__(self, history: Sequence[Txn]) -> None:
        self.history = history
        self.registers = {
            op.key
            for txn in history
            for op in txn.ops
            if op.kind in ("write", "register")
        }
        self.writer: dict[tuple[str, int], int] = {}
        # The values that each transaction wrote to each key, in order.
        self.wrote: list[dict[str, list[int]]] = []
        for number, txn in enumerate(history):
            mine: dict[str, list[int]] = {}
            for op in txn.ops:
                if op.writes:
                    if (op.key, op.value) in self.writer:
                        raise ValueError(f"{op.key}: {op.value} is written twice")
                    self.writer[op.key, op.value] = number
                    mine.setdefault(op.key, []).append(op.value)
            self.wrote.append(mine)
        self.reads: list[Read] = []
        self.found: list[Anomaly] = []
        for number in range(len(history)):
            self.reads += self._reads_of(number)
        seen = {
            self.writer[read.key, value]
            for read in self.reads
            for value in read.values
            if (read.key, value) in self.writer
        }
        self.happened = {
            number
            for number, txn in enumerate(history)
            if txn.outcome == "committed"
            or (txn.outcome == "unknown" and number in seen)
        }
        self.order: dict[str, list[int]] = {}

    def anomalies(self) -> Iterator[Anomaly]:
        """Yield what is wrong; what a check needs is made by those before it."""
        yield from self.found
        yield from self._dirty()
        yield from self._orders()
        yield from self._lost_and_stale()
        yield from self._torn()
        yield from self._cycles()

    def _tell(self, name: str, *txns: int, about: str) -> Anomaly:
        who = "; ".join(str(self.history[txn]) for txn in txns)
        return Anomaly(name, f"{about}: {who}")

    def _reads_of(self, number: int) -> Iterator[Read]:
        """Yield what a transaction saw of others; its own writes must be there."""
        own: dict[str, list[int]] = {}
        for op in self.history[number].ops:
            mine = own.get(op.key, [])
            if op.writes:
                own.setdefault(op.key, []).append(op.value)
            elif op.kind == "register":
                if mine and op.value != mine[-1]:
                    self._note_internal(number, op)
                elif not mine:
                    seen = () if op.value is None else (op.value,)
                    yield Read(number, op.key, seen, op.value)
            else:
                values = op.value
                others = values[: len(values) - len(mine)]
                if values[len(others) :] != tuple(mine) or set(mine) & {*others}:
                    self._note_internal(number, op)
                    others = tuple(v for v in values if v not in mine)
                if len({*values}) < len(values):
                    about = f"a value stands twice in {op.key}"
                    self.found.append(self._tell("duplicate", number, about=about))
                yield Read(number, op.key, others, others[-1] if others else None)

    def _note_internal(self, number: int, op: Op) -> None:
        about = f"its own writes to {op.key} are not what it reads"
        self.found.append(self._tell("internal", number, about=about))

    def _dirty(self) -> Iterator[Anomaly]:
        """Find reads of what was never written, not committed, or overwritten."""
        for read in self.reads:
            for value in read.values:
                writer = self.writer.get((read.key, value))
                about = f"{value} in {read.key}"
                if writer is None:
                    yield self._tell("garbage read", read.txn, about=about)
                    continue
                all_of_it = self.wrote[writer][read.key]
                if self.history[writer].outcome == "aborted":
                    yield self._tell("G1a", read.txn, writer, about=about)
                elif not self._whole(read, all_of_it):
                    yield self._tell("G1b", read.txn, writer, about=about)

    def _whole(self, read: Read, written: Sequence[int]) -> bool:
        """Return whether a read saw all that a writer wrote to the key, or the last."""
        if read.key in self.registers:
            return read.last == written[-1]
        return {*written} <= {*read.values}

    def _orders(self) -> Iterator[Anomaly]:
        """Find the order of the versions of each key, and who disagrees with it."""
        longest: dict[str, Read] = {}
        for read in self.reads:
            known = longest.get(read.key)
            if known is None or len(read.values) > len(known.values):
                longest[read.key] = read
        for read in self.reads:
            best = longest[read.key]
            if read.key in self.registers:
                continue
            if best.values[: len(read.values)] != read.values:
                about = f"two orders of {read.key}"
                yield self._tell("incompatible order", read.txn, best.txn, about=about)
        for key, read in longest.items():
            if key not in self.registers:
                self.order[key] = list(read.values)
        yield from self._register_orders()

    def _register_orders(self) -> Iterator[Anomaly]:
        """Order the versions of registers: who read one and wrote made the next."""
        for key in sorted(self.registers):
            after: dict[Version, list[int]] = {}
            for read in self.reads:
                if read.key == key and read.txn in self.happened:
                    made = self.wrote[read.txn].get(key)
                    if made and read.txn not in after.setdefault(read.last, []):
                        after[read.last].append(read.txn)
            version: Version
            for version, txns in after.items():
                strict = [t for t in txns if self._isolation(t) == "serializable"]
                if len(strict) > 1:
                    about = f"both read {version} in {key} and wrote"
                    yield self._tell("lost update", *strict[:2], about=about)
            order: list[int] = []
            version = None
            while len(after.get(version, [])) == 1 and version not in order[:-1]:
                (txn,) = after[version]
                version = self.wrote[txn][key][-1]
                order.append(version)
            self.order[key] = order

    def _isolation(self, txn: int) -> Isolation:
        return self.history[txn].isolation

    def _lost_and_stale(self) -> Iterator[Anomaly]:
        """Find what had been committed before somebody began, and was not seen."""
        seen = {(read.key, value) for read in self.reads for value in read.values}
        told: set[tuple[str, int]] = set()
        by_key: dict[str, list[tuple[int, int]]] = {}
        for (key, value), writer in self.writer.items():
            if self.history[writer].outcome == "committed":
                by_key.setdefault(key, []).append((writer, value))
        for read in self.reads:
            begun = self.history[read.txn].invoked
            for writer, value in by_key.get(read.key, ()):
                if self.history[writer].completed >= begun or writer == read.txn:
                    continue
                if value in read.values or not self._missed(read, writer, value):
                    continue
                about = f"{value} is not in {read.key}"
                if (read.key, value) in seen or read.key in self.registers:
                    yield self._tell("stale read", read.txn, writer, about=about)
                elif (read.key, value) not in told:
                    told.add((read.key, value))
                    yield self._tell("lost update", read.txn, writer, about=about)

    def _missed(self, read: Read, writer: int, value: int) -> bool:
        """Return whether a read should have seen *value*, or a later one."""
        if read.key not in self.registers:
            return True
        if value != self.wrote[writer][read.key][-1]:
            return False
        if read.last is None:
            return True
        older = self.writer.get((read.key, read.last))
        if older is None:
            return False
        return self.history[older].completed < self.history[writer].invoked

    def _torn(self) -> Iterator[Anomaly]:
        """Find snapshots that moved, or that hold half of a transaction."""
        views: dict[int, dict[str, Read]] = {}
        for read in self.reads:
            if self._isolation(read.txn) == "default":
                continue
            view = views.setdefault(read.txn, {})
            first = view.setdefault(read.key, read)
            if (first.values, first.last) != (read.values, read.last):
                about = f"{read.key} changed between two reads"
                yield self._tell("non-repeatable read", read.txn, about=about)
        ranks = self._ranks()
        for number, view in views.items():
            for writer in self.happened - {number}:
                wrote = self.wrote[writer]
                both = sorted(wrote.keys() & view.keys())
                for one, other in combinations(both, 2):
                    saw = [
                        self._saw(view[k], wrote[k][-1], ranks) for k in (one, other)
                    ]
                    if sorted(saw, key=str) == [False, True]:
                        about = f"only one of {one} and {other} was seen"
                        yield self._tell("half read", number, writer, about=about)

    def _saw(
        self, read: Read, value: int, ranks: Mapping[str, Mapping[Version, int]]
    ) -> bool | None:
        """Return whether a read saw *value* or a later version; None: unknown."""
        of_key = ranks.get(read.key, {})
        if read.last not in of_key or value not in of_key:
            return None
        return of_key[read.last] >= of_key[value]

    def _ranks(self) -> dict[str, dict[Version, int]]:
        return {
            key: {None: -1, **{value: rank for rank, value in enumerate(order)}}
            for key, order in self.order.items()
        }

    def _cycles(self) -> Iterator[Anomaly]:
        """Find transactions that each must have come before the other."""
        strict = {n for n in self.happened if self._isolation(n) == "serializable"}
        everything = self._graph(self.happened)
        for name, kinds in (("G0", "ww"), ("G1c", "ww wr")):
            cycle = everything.cycle(kinds.split())
            if cycle:
                yield self._tell_cycle(name, cycle)
                return
        serial = self._graph(strict)
        cycle = serial.cycle_with_one("rw", ["ww", "wr"])
        if cycle:
            yield self._tell_cycle("G-single", cycle)
            return
        cycle = serial.cycle(["ww", "wr", "rw"])
        if cycle:
            yield self._tell_cycle("G2-item", cycle)

    def _tell_cycle(self, name: str, cycle: Cycle) -> Anomaly:
        path = ", ".join(f"{edge.kind} on {edge.key}" for edge in cycle)
        return self._tell(name, *(edge.before for edge in cycle), about=path)

    def _graph(self, nodes: set[int]) -> Graph:
        """Return who must come before whom, as far as it follows without others.

        Where versions of others stand between, nothing follows: a serializable
        transaction is so only beside those that are (PostgreSQL 13.2.3).
        """
        graph = Graph(nodes)
        ranks = self._ranks()
        for key, order in self.order.items():
            writers = [self.writer.get((key, value), -1) for value in order]
            graph.add_writers(key, writers)
            for read in self.reads:
                if read.key == key and read.last in ranks[key]:
                    graph.add_read(key, read.txn, ranks[key][read.last], writers)
        return graph
