"""Interleaved rounds, and the ratios of their medians."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

# Given the number of the round, returns the seconds of one repetition.
Case = Callable[[int], float]


class Ratio(NamedTuple):
    """How one case compares with another.

    Attributes:
        case: The case.
        against: What it is compared with.
        ratio: The ratio of the medians.
        per_round: The median of the ratios of each round: the two should agree.
        bar: The most that *ratio* should be, None where there is no bar.
        met: Whether it is within the bar; None where there is none.
    """

    case: str
    against: str
    ratio: float
    per_round: float
    bar: float | None
    met: bool | None


class Group(NamedTuple):
    """Cases that were measured together.

    Attributes:
        name: What they do.
        rounds: How many times each was measured.
        medians: Seconds of one repetition of each case.
        ratios: The comparisons.
    """

    name: str
    rounds: int
    medians: dict[str, float]
    ratios: list[Ratio]


class Against(NamedTuple):
    """A comparison to make; see `Ratio`."""

    case: str
    against: str
    bar: float | None = None


def measure(
    name: str, cases: Mapping[str, Case], compare: Sequence[Against], rounds: int
) -> Group:
    """Measure the *cases* in turn, *rounds* times, after one round for warming up.

    Each round begins with another case and every second one runs backwards, so that
    no case always follows the same other one.
    """
    times: dict[str, list[float]] = {case: [] for case in cases}
    names = list(cases)
    for number in range(rounds + 1):
        first = number % len(names)
        turn = names[first:] + names[:first]
        for case in turn[:: -1 if number % 2 else 1]:
            seconds = cases[case](number)
            if number:
                times[case].append(seconds)
    medians = {case: median(seconds) for case, seconds in times.items()}
    return Group(name, rounds, medians, [_ratio(times, medians, c) for c in compare])


def _ratio(
    times: Mapping[str, list[float]], medians: Mapping[str, float], wanted: Against
) -> Ratio:
    case, against, bar = wanted
    ratio = medians[case] / medians[against]
    pairs = zip(times[case], times[against], strict=True)
    return Ratio(
        case,
        against,
        ratio,
        median(ours / theirs for ours, theirs in pairs),
        bar,
        None if bar is None else ratio <= bar,
    )
