"""SQLite: threads that write small durable transactions, against each other.

Each contender is a process of its own, and each turn of it is a window of time on a
fresh copy of the same file. Throughput alone would hide what matters to whoever waits:
the worst wait and the fairness stand beside it.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

from mooring import core

from benchmarks import tasks
from benchmarks.measure import (
    COUNT,
    PER_SECOND,
    SECONDS,
    SHARE,
    Against,
    Group,
    group,
    in_threads,
    take_turns,
)
from benchmarks.peers import AIOSQLITE, APSW, PEEWEE, SQLALCHEMY
from benchmarks.peers import not_measured as peers_not_measured
from benchmarks.window import Sample, costs
from benchmarks.work import environment
from benchmarks.worker import Worker

EACH = "by hand: connection per thread"
ONE = "by hand: one connection, FIFO lock"
TRANSACTION = "transaction(), ungrouped"
RUN = "run(), ungrouped"
GROUPED_TRANSACTION = 'transaction(), group_commit="all"'
GROUPED_RUN = "run(), grouped"

_GROUPED = (GROUPED_RUN, GROUPED_TRANSACTION)
_OURS = (TRANSACTION, RUN, *_GROUPED)
_PEERS = (SQLALCHEMY, PEEWEE, AIOSQLITE, APSW)
CONTENDERS = (EACH, ONE, *_OURS, *_PEERS)

# The bars are those of the project's goals; a comparison without one is for context.
_AT_16 = (
    Against(GROUPED_RUN, RUN, 2.0),
    Against(GROUPED_TRANSACTION, TRANSACTION, 2.0),
)
_AT_16_SLOW = (
    Against(GROUPED_RUN, EACH, 7.5),
    Against(GROUPED_TRANSACTION, EACH, 7.5),
)
_WORST_WAIT, _FAIRNESS = 0.020, 0.95


class Setting(NamedTuple):
    """How many write, for how long, and on what.

    Attributes:
        key: Its part of the groups' keys.
        threads: How many write at the same time.
        seconds: The length of a window.
        flush_delay: Seconds that each flush takes longer.
        rounds: The part of the rounds that it gets.
        bars: The comparisons of throughput that have one.
        waits: Whether worst wait and fairness have a bar.
    """

    key: str
    threads: int
    seconds: float
    flush_delay: float = 0.0
    rounds: float = 1.0
    bars: tuple[Against, ...] = ()
    waits: bool = False


SETTINGS = (
    Setting("1", 1, 0.3, rounds=0.6),
    Setting("4", 4, 0.3, rounds=0.6),
    Setting("16", 16, 0.7, bars=_AT_16, waits=True),
    Setting("16-slow", 16, 0.7, flush_delay=0.001, rounds=0.6, bars=_AT_16_SLOW),
)


def run(folder: str, rounds: int) -> Iterator[Group]:
    """Yield throughput, worst wait, fairness and busy errors of each setting.

    Raises:
        SystemExit: A contender lost a transaction that it had acknowledged.
    """
    template = make_template(folder)
    absent = not_measured()
    env = environment(folder)
    for setting in SETTINGS:
        with ExitStack() as stack:
            cases = {
                name: _case(name, setting, folder, template, env, stack)
                for name in CONTENDERS
                if name not in absent
            }
            part = max(round(rounds * setting.rounds), 1)
            samples = take_turns(cases, part)
        yield from _groups(setting, samples, absent)


def make_template(folder: str) -> str:
    """Make a database with the schema and the parents, and return its path."""
    path = os.path.join(folder, "template.db")
    with core.open({"driver": "sqlite", "path": path}) as store:
        tasks.fill(store)
    return path


def not_measured() -> dict[str, str]:
    """Return why a contender cannot be measured here, by contender."""
    absent = peers_not_measured(*_PEERS)
    if not groups_commits():
        reason = "this mooring-sqlite has no option group_commit"
        absent |= dict.fromkeys(_GROUPED, reason)
    return absent


def groups_commits() -> bool:
    """Return whether the sqlite driver can put transactions into one commit."""
    info = core.default_registry().info("sqlite")
    return "group_commit" in core.option_fields(info.config_class)


def _case(
    name: str,
    setting: Setting,
    folder: str,
    template: str,
    env: Mapping[str, str],
    stack: ExitStack,
) -> Callable[[int], Sample]:
    delay = str(setting.flush_delay)
    worker = stack.enter_context(Worker("writers", name, delay, env=env))
    number = CONTENDERS.index(name)
    path = os.path.join(folder, f"{setting.key}-{number}.db")

    def window(round_: int) -> Sample:
        shutil.copyfile(template, path)
        # The first round only warms up.
        seconds = setting.seconds if round_ else 0.1
        found = worker.ask(path=path, threads=setting.threads, seconds=seconds)
        for suffix in ("", "-wal", "-shm", "-mooring.lock"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
        return Sample(*found)

    return window


def _groups(
    setting: Setting, samples: Mapping[str, Sequence[Sample]], absent: Mapping[str, str]
) -> Iterator[Group]:
    disk = f", +{setting.flush_delay * 1000:g} ms flush" if setting.flush_delay else ""
    what = f"sqlite, {in_threads(setting.threads)}, synchronous FULL{disk}"
    barred = {(one.case, one.against) for one in setting.bars}
    context = [
        Against(name, EACH)
        for name in CONTENDERS
        if name != EACH and (name, EACH) not in barred
    ]
    figures = {
        kind: {name: [s[place] for s in found] for name, found in samples.items()}
        for place, kind in enumerate(Sample._fields)
    }
    make = partial(group, not_measured=absent)
    key = f"writers-{setting.key}"
    yield make(
        f"{key}-throughput",
        f"{what}: transactions a second",
        figures["per_second"],
        [*setting.bars, *context],
        unit=PER_SECOND,
    )
    if setting.threads == 1:
        return
    figures["busy"] = {n: [sum(of)] * len(of) for n, of in figures["busy"].items()}
    if setting.bars:
        yield from costs(key, what, samples, absent)
    for kind, said, bar, unit in (
        ("worst", "worst wait for a transaction", _WORST_WAIT, SECONDS),
        ("fairness", "fairness, least served by most served thread", _FAIRNESS, SHARE),
        ("busy", "SQLITE_BUSY errors", 0, COUNT),
    ):
        yield make(
            f"{key}-{kind}",
            f"{what}: {said}",
            figures[kind],
            [Against(name, None, bar if setting.waits else None) for name in _OURS],
            unit=unit,
        )


# -- in the process of a contender --------------------------------------------


def serve(name: str, flush_delay: str) -> Callable[..., object]:
    """Return what measures one window of a contender; see `worker`."""
    from mooring_sqlite.testing import SlowDisk, install_shim

    from benchmarks import window, writers_peers

    make = contender(name)
    delay = float(flush_delay)
    if delay:  # of the SQLite that it has
        layer = writers_peers.Apsw.file_layer() if name == APSW else None
        install_shim(SlowDisk(delay), vfs=layer)

    def measure(path: str, threads: int, seconds: float) -> Sample:
        made = make(path, threads)
        try:
            sample, written = window.measure(made, threads, seconds)
        finally:
            made.close()
        left = tasks.left_in(path)
        if left != (sum(written), sum(map(bool, written))):
            raise SystemExit(f"{name} acknowledged {written}, and left {left}")
        return sample

    return measure


def contender(name: str) -> Callable[[str, int], Any]:
    """Return what makes a contender, given a path and a number of threads."""
    from benchmarks import writers_by_hand, writers_peers

    off = {"group_commit": "off"} if groups_commits() else {}

    def mooring(by: str, options: dict[str, Any]) -> Callable[[str, int], Any]:
        return lambda path, _: writers_by_hand.Mooring(path, by, options)

    return {
        EACH: writers_by_hand.ConnectionEach,
        ONE: writers_by_hand.OneConnection,
        TRANSACTION: mooring("transaction", off),
        RUN: mooring("run", off),
        GROUPED_TRANSACTION: mooring("transaction", {"group_commit": "all"}),
        GROUPED_RUN: mooring("run", {"group_commit": "closures"}),
        SQLALCHEMY: writers_peers.SqlAlchemy,
        PEEWEE: writers_peers.Peewee,
        AIOSQLITE: writers_peers.AioSqlite,
        APSW: writers_peers.Apsw,
    }[name]
