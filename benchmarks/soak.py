"""``python -m benchmarks.soak --minutes N``: mixed load; flat lines are the result.

Two programs (`soak_load`) run side by side, each on a database of its own. One runs for
the whole time, with backups while it writes and with snapshots that stay open for too
long: its memory, descriptors, threads and files are sampled. The other is killed in the
middle of its work, again and again, and what it was told is kept is looked for.
"""

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from random import Random, SystemRandom
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

from benchmarks.acknowledged import Acknowledged, last_numbers, problems
from benchmarks.lines import lines
from benchmarks.report import machine
from benchmarks.samples import MEBIBYTE, Sample, Verdict, sample, verdicts

_RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_WRITERS, _READERS = 6, 4
_WAL_LIMIT = 64 * MEBIBYTE
_READ_DEADLINE = 2.0
# Longest life of the program that is killed, in seconds.
_LIFE = 15.0
_MOST_SAMPLES = 600


class Program:
    """A program under load, with its database and what it was told.

    Args:
        folder: Where its files are; empty at first.
        random: Makes the seeds of its lives.
        whole: Whether it also holds snapshots and makes backups.
    """

    def __init__(self, folder: str, random: Random, *, whole: bool) -> None:
        self.path = os.path.join(folder, "app.db")
        self._told = os.path.join(folder, "acknowledged")
        self.acknowledged = Acknowledged(self._told, _WRITERS)
        self._random = random
        self._whole = whole
        self._begin = [0] * _WRITERS
        self.start()

    def start(self) -> None:
        """Start it, and wait until it runs."""
        options = {
            "store": {
                "path": self.path,
                "wal_limit": _WAL_LIMIT,
                "read_deadline": _READ_DEADLINE,
                "busy_timeout": 60,
            },
            "acknowledged": self._told,
            "begin": self._begin,
            "readers": _READERS,
            "whole": self._whole,
            "seed": self._random.randrange(2**32),
        }
        command = [sys.executable, "-m", "benchmarks.soak_load", json.dumps(options)]
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None  # noqa: S101 - a pipe, as asked for
        if self.process.stdout.readline() != "running\n":
            raise RuntimeError("the program under load did not start")

    def kill(self) -> None:
        """End it in the middle of its work."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def stop(self) -> dict[str, Any]:
        """End it as it is meant to; return what it did."""
        output, _ = self.process.communicate("", timeout=300)
        done: dict[str, Any] = json.loads(output)
        return done

    def problems(self) -> list[str]:
        """Return what is wrong with its database, which nobody else uses now."""
        told = self.acknowledged.numbers()
        with closing(sqlite3.connect(self.path)) as connection:
            found = problems(connection, told, told)
            # The next life goes on behind what is there.
            self._begin = last_numbers(connection, _WRITERS)
        for writer, number in enumerate(self._begin):
            self.acknowledged.note(writer, number)
        return found


def run(seconds: float, seed: int, folder: str) -> dict[str, Any]:
    """Run for *seconds* and return all that was seen.

    Args:
        seconds: How long, > 0.
        seed: Of all that is random; what the threads do to each other still differs.
        folder: Where the databases are; empty.
    """
    random = Random(seed)  # noqa: S311 - to be repeated
    folders = [os.path.join(folder, name) for name in ("whole", "killed")]
    for made in folders:
        os.mkdir(made)
    whole = Program(folders[0], random, whole=True)
    killed = Program(folders[1], random, whole=False)
    samples: list[Sample] = []
    errors: list[str] = []
    kills = 0
    began = monotonic()
    life_ends = began + _life(random, seconds)
    try:
        while (at := monotonic() - began) < seconds:
            samples.append(sample(whole.process.pid, whole.path, at))
            if monotonic() >= life_ends:
                killed.kill()
                kills += 1
                errors += [f"after kill {kills}: {one}" for one in killed.problems()]
                killed.start()
                life_ends = monotonic() + _life(random, seconds)
            sleep(seconds / _MOST_SAMPLES)
        done = whole.stop()
        killed.kill()
    finally:
        for program in (whole, killed):
            program.process.kill()
            program.process.wait()
    kills += 1
    errors += [f"after kill {kills}: {one}" for one in killed.problems()]
    errors += [f"at the end: {one}" for one in whole.problems()]
    if os.path.exists(f"{whole.path}-wal"):
        errors.append("at the end: the log is still there")
    largest = max(one.wal for one in samples)
    if largest > _WAL_LIMIT / MEBIBYTE and not done["warnings"]:
        errors.append(f"the log had {largest:.0f} MiB, and nobody was warned")
    return {
        "seed": seed,
        "seconds": seconds,
        "machine": machine(),
        "kills": kills,
        "told": sum(whole.acknowledged.numbers()),
        "told and killed": sum(killed.acknowledged.numbers()),
        **done,
        "errors": errors + done["errors"],
        "verdicts": [one._asdict() for one in verdicts(samples)],
        "samples": [one._asdict() for one in samples],
    }


def _life(random: Random, seconds: float) -> float:
    return min(_LIFE, seconds / 3) * (0.2 + 0.8 * random.random())


def in_words(found: dict[str, Any]) -> str:
    """Return a run's figures as text."""
    counts = ", ".join(f"{count} {name}" for name, count in found["counts"].items())
    said = [
        f"seed {found['seed']}, {found['seconds']:.0f} s: {counts}",
        (
            f"killed {found['kills']} times; {found['told and killed']} commits were"
            " told before that"
        ),
        *(
            f"  {one['title']:<22} {'flat' if one['flat'] else 'NOT FLAT':<8}"
            f" rose {one['rise']:+7.2f} of {one['allowed']:5.2f} allowed; median"
            f" {one['median']:7.1f}, largest {one['largest']:7.1f}"
            for one in found["verdicts"]
        ),
        *(f"  warning: {one}" for one in found["warnings"][:10]),
        *(f"  ERROR: {one}" for one in found["errors"][:20]),
    ]
    return "\n".join(said) + "\n"


def passed(found: dict[str, Any]) -> bool:
    """Return whether nothing was lost, nothing failed, and all lines are flat."""
    return not found["errors"] and all(one["flat"] for one in found["verdicts"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; return 1 if something was lost or grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None, help="of a run to repeat")
    parser.add_argument("--json", default=os.path.join(_RESULTS, "soak.json"))
    parser.add_argument(
        "--folder", help="where the files are made; by default a temporary folder"
    )
    options = parser.parse_args(arguments)
    seed = SystemRandom().randrange(2**32) if options.seed is None else options.seed
    sys.stdout.write(f"--seed {seed}\n")
    sys.stdout.flush()
    with TemporaryDirectory(prefix="mooring-soak-", dir=options.folder) as folder:
        found = run(60 * options.minutes, seed, folder)
    os.makedirs(os.path.dirname(os.path.abspath(options.json)), exist_ok=True)
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
        file.write("\n")
    plot = f"{os.path.splitext(options.json)[0]}.svg"
    title = f"{options.minutes:g} minutes of mixed load on one store"
    samples = [Sample(**one) for one in found["samples"]]
    said = [Verdict(**one) for one in found["verdicts"]]
    with open(plot, "w", encoding="utf-8") as file:
        file.write(lines(title, samples, said))
    sys.stdout.write(in_words(found))
    return 0 if passed(found) else 1


if __name__ == "__main__":
    sys.exit(main())
