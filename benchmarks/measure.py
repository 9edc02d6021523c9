"""Interleaved rounds, and how their medians compare."""

from collections.abc import Callable, Mapping, Sequence
from operator import sub, truediv
from statistics import median
from typing import NamedTuple

# Given the number of the round, returns the figure of one repetition.
Case = Callable[[int], float]

# What a figure is.
SECONDS, MEBIBYTE = "seconds", "MiB"
# How two are compared.
RATIO, DIFFERENCE = "ratio", "difference"


class Comparison(NamedTuple):
    """How one case compares with another.

    Attributes:
        case: The case.
        against: What it is compared with.
        figure: The ratio of the medians, or their difference in the group's unit.
        per_round: The median of what each round gives: the two should agree.
        bar: The most that *figure* should be, None where there is no bar.
        met: Whether it is within the bar; None where there is none.
    """

    case: str
    against: str
    figure: float
    per_round: float
    bar: float | None
    met: bool | None


class Group(NamedTuple):
    """Cases that were measured together.

    Attributes:
        name: What they do.
        rounds: How many times each was measured.
        unit: What the medians are: seconds or MiB.
        medians: The figure of one repetition of each case.
        compared: What the comparisons are: ratio or difference.
        comparisons: The comparisons.
    """

    name: str
    rounds: int
    unit: str
    medians: dict[str, float]
    compared: str
    comparisons: list[Comparison]


class Against(NamedTuple):
    """A comparison to make; see `Comparison`."""

    case: str
    against: str
    bar: float | None = None


def measure(
    name: str,
    cases: Mapping[str, Case],
    compare: Sequence[Against],
    rounds: int,
    *,
    unit: str = SECONDS,
    compared: str = RATIO,
) -> Group:
    """Measure the *cases* in turn, *rounds* times, after one round for warming up.

    Each round begins with another case and every second one runs backwards, so that
    no case always follows the same other one.
    """
    figures: dict[str, list[float]] = {case: [] for case in cases}
    names = list(cases)
    for number in range(rounds + 1):
        first = number % len(names)
        turn = names[first:] + names[:first]
        for case in turn[:: -1 if number % 2 else 1]:
            figure = cases[case](number)
            if number:
                figures[case].append(figure)
    apart = truediv if compared == RATIO else sub
    return Group(
        name,
        rounds,
        unit,
        {case: median(of_case) for case, of_case in figures.items()},
        compared,
        [_comparison(figures, wanted, apart) for wanted in compare],
    )


def _comparison(
    figures: Mapping[str, Sequence[float]],
    wanted: Against,
    apart: Callable[[float, float], float],
) -> Comparison:
    case, against, bar = wanted
    ours, theirs = figures[case], figures[against]
    figure = apart(median(ours), median(theirs))
    return Comparison(
        case,
        against,
        figure,
        median(map(apart, ours, theirs)),
        bar,
        None if bar is None else figure <= bar,
    )
