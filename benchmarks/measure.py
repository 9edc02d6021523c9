"""Interleaved rounds, and how their medians compare."""

from collections.abc import Callable, Mapping, Sequence
from operator import sub, truediv
from statistics import median
from typing import NamedTuple, TypeVar

# Given the number of the round, returns the figure of one repetition.
Case = Callable[[int], float]

# What a figure is.
SECONDS, MEBIBYTE = "seconds", "MiB"
PER_SECOND, SHARE, COUNT = "per second", "share", "count"
# Of the others less is better, and a bar is the most that a figure should be.
MORE_IS_BETTER = frozenset({PER_SECOND, SHARE})
# How two are compared.
RATIO, DIFFERENCE = "ratio", "difference"

T = TypeVar("T")


class Comparison(NamedTuple):
    """How one case compares with another, or with a bar alone.

    Attributes:
        case: The case.
        against: What it is compared with; None where its own figure has a bar.
        figure: The ratio of the medians, or their difference in the group's unit, or
            the case's median. None where one of the two could not be measured.
        per_round: The median of what each round gives: the two should agree.
        bar: The most that *figure* should be - where more is better, the least; None
            where there is no bar.
        met: Whether it is within the bar; None where there is none, or no figure.
    """

    case: str
    against: str | None
    figure: float | None
    per_round: float | None
    bar: float | None
    met: bool | None


class Group(NamedTuple):
    """Cases that were measured together.

    Attributes:
        key: Its name in the pages that show it; it stays.
        name: What they do.
        rounds: How many times each was measured.
        unit: What the medians are: seconds, MiB, per second, a share or a count.
        medians: The figure of one repetition of each case.
        compared: What the comparisons are: ratio or difference.
        comparisons: The comparisons.
        not_measured: Why a case has no figure here, by case.
    """

    key: str
    name: str
    rounds: int
    unit: str
    medians: dict[str, float]
    compared: str
    comparisons: list[Comparison]
    not_measured: dict[str, str]


class Against(NamedTuple):
    """A comparison to make; see `Comparison`."""

    case: str
    against: str | None
    bar: float | None = None


def in_threads(number: int) -> str:
    """Return how a group's name says that so many threads work."""
    return f"{number} thread{'s' if number > 1 else ''}"


def measure(
    key: str,
    name: str,
    cases: Mapping[str, Case],
    compare: Sequence[Against],
    rounds: int,
    *,
    unit: str = SECONDS,
    compared: str = RATIO,
    not_measured: Mapping[str, str] | None = None,
) -> Group:
    """Measure the *cases* in turn, *rounds* times, and compare them."""
    return group(
        key,
        name,
        take_turns(cases, rounds),
        compare,
        unit=unit,
        compared=compared,
        not_measured=not_measured,
    )


def take_turns(
    cases: Mapping[str, Callable[[int], T]], rounds: int
) -> dict[str, list[T]]:
    """Run the *cases* in turn, *rounds* times, after one round for warming up.

    Each round begins with another case and every second one runs backwards, so that
    no case always follows the same other one.

    Returns:
        What each case returned, in the order of the rounds; of the first, which has
        the number 0, nothing.
    """
    found: dict[str, list[T]] = {case: [] for case in cases}
    names = list(cases)
    for number in range(rounds + 1):
        first = number % len(names)
        turn = names[first:] + names[:first]
        for case in turn[:: -1 if number % 2 else 1]:
            figure = cases[case](number)
            if number:
                found[case].append(figure)
    return found


def group(
    key: str,
    name: str,
    figures: Mapping[str, Sequence[float]],
    compare: Sequence[Against],
    *,
    unit: str = SECONDS,
    compared: str = RATIO,
    not_measured: Mapping[str, str] | None = None,
) -> Group:
    """Return the medians of what was measured, and how they compare.

    Raises:
        ValueError: A comparison names a case that nothing is known of.
    """
    absent = dict(not_measured or {})
    return Group(
        key,
        name,
        max(map(len, figures.values())),
        unit,
        {case: median(of_case) for case, of_case in figures.items()},
        compared,
        [_comparison(figures, one, unit, compared, absent) for one in compare],
        absent,
    )


def _comparison(
    figures: Mapping[str, Sequence[float]],
    wanted: Against,
    unit: str,
    compared: str,
    absent: Mapping[str, str],
) -> Comparison:
    case, against, bar = wanted
    for name in (case, against):
        if name in absent:
            return Comparison(case, against, None, None, bar, None)
        if name is not None and name not in figures:
            raise ValueError(f"{name!r} is compared, but not measured")
    if against is None:
        figure = per_round = median(figures[case])
    else:
        apart = truediv if compared == RATIO else sub
        ours, theirs = figures[case], figures[against]
        figure = apart(median(ours), median(theirs))
        per_round = median(map(apart, ours, theirs))
    return Comparison(case, against, figure, per_round, bar, _met(figure, bar, unit))


def _met(figure: float, bar: float | None, unit: str) -> bool | None:
    if bar is None:
        return None
    return figure >= bar if unit in MORE_IS_BETTER else figure <= bar
