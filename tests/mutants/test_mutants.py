"""The contract catches what it is there to catch: each mutant, by the test named."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from mooring.testing import DriverContract
from mutant_drivers import CONTROLS, MUTANTS, Mutant

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "the-contract.md"
each = pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)


@pytest.fixture(scope="module")
def outcomes(run_contract: Callable[..., Any]) -> Any:
    """What became of each test that is named, on its mutant and on its control."""
    of_mutants = [(name, test) for name, m in MUTANTS.items() for test in m.caught_by]
    of_controls = [(m.control, test) for m in MUTANTS.values() for test in m.caught_by]
    waiting = [pair for pair in of_mutants if MUTANTS[pair[0]].waits]
    at_once = [pair for pair in of_mutants if not MUTANTS[pair[0]].waits]
    # Side by side: one process computes while another one waits.
    runs = [
        (at_once, "_first_failure"),
        ([*dict.fromkeys(of_controls)],),
        (waiting[::2], "_first_failure", "_impatience"),
        (waiting[1::2], "_first_failure", "_impatience"),
    ]
    with ThreadPoolExecutor(len(runs)) as pool:
        parts = list(pool.map(lambda run: run_contract(*run), runs))
    found = {driver: tests for part in parts for driver, tests in part.items()}
    # An error outside of a test says nothing of the driver: once more, by themselves.
    unclear = [
        (d, t) for d, tests in found.items() for t in tests if "error" in tests[t]
    ]
    for driver, tests in (run_contract(unclear) if unclear else {}).items():
        found[driver].update(tests)
    return found


def test_there_are_mutants_and_each_names_tests_of_the_contract() -> None:
    named = {test for mutant in MUTANTS.values() for test in mutant.caught_by}

    assert [test for test in named if not hasattr(DriverContract, test)] == []
    assert len(MUTANTS) >= 30
    assert all(mutant.caught_by for mutant in MUTANTS.values())
    assert {mutant.control for mutant in MUTANTS.values()} == CONTROLS.keys()


@each
def test_a_mutant_fails_each_test_that_is_named_for_it(
    outcomes: Any, mutant: Mutant
) -> None:
    found = {test: outcomes[mutant.name].get(test) for test in mutant.caught_by}
    # An error outside of the test, in a fixture, is not what the test says.
    survived = [test for test, kinds in found.items() if "failed" not in (kinds or ())]

    assert survived == [], f"it survives: {mutant.defect} {found}"


@each
def test_a_driver_without_the_defect_passes_them(outcomes: Any, mutant: Mutant) -> None:
    found = [outcomes[mutant.control].get(test) for test in mutant.caught_by]

    assert found == [{"passed"}] * len(mutant.caught_by)


def test_the_page_on_the_contract_has_every_mutant() -> None:
    rows = [
        f"| {mutant.topic} | {mutant.defect.replace('``', '`')} |"
        f" {', '.join(f'`{test}`' for test in mutant.caught_by)} |"
        for mutant in MUTANTS.values()
    ]
    header = "| rules | what is wrong | what catches it |\n| - | - | - |"
    table = "\n".join([header, *rows, ""])
    _, found = PAGE.read_text().split("with the tests that catch it.\n\n")

    assert found == table, f"write this table into {PAGE.name}:\n{table}"


@pytest.mark.soak
def test_on_the_whole_contract_the_named_test_is_among_those_that_fail(
    run_contract: Callable[..., Any],
    loop: Callable[[int, int], tuple[int, Random]],
    report: Callable[[str], None],
) -> None:
    count, random = loop(0, 10)  # some minutes each
    for name in ["commits_on_error", *random.sample([*MUTANTS], count)]:
        mutant = MUTANTS[name]
        tests = [""] if count else _beside(mutant.caught_by[0])
        pairs = [(name, test) for test in tests]
        found = run_contract(pairs, "_first_failure", "_impatience")[name]
        failed = sorted(test for test, kinds in found.items() if "failed" in kinds)
        others = [test for test in failed if test not in mutant.caught_by]
        report(f"{name}: {', '.join(mutant.caught_by)}, and {len(others)} others")
        for test in others[:10]:
            report(f"    {test}")

        assert set(mutant.caught_by) & set(failed)


def _beside(test: str) -> list[str]:
    """Return the tests of the group that has *test*."""
    (group,) = (kind for kind in DriverContract.__mro__ if test in vars(kind))
    return [name for name in vars(group) if name.startswith("test_")]
