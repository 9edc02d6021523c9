"""Hand-written histories, each with one anomaly, and those that are in order."""

from itertools import count
from random import Random
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mooring.testing.history import Isolation, Op, Outcome, Txn, anomalies, dump, load

_clock = count()


def append(key: str, value: int) -> Op:
    return Op("append", key, value)


def listed(key: str, *values: int) -> Op:
    return Op("list", key, values)


def write(key: str, value: int) -> Op:
    return Op("write", key, value)


def register(key: str, value: int | None) -> Op:
    return Op("register", key, value)


def txn(
    *ops: Op,
    isolation: Isolation = "default",
    outcome: Outcome = "committed",
    at: tuple[int, int] | None = None,
) -> Txn:
    """Return a transaction that begins after those before, or overlaps them all."""
    invoked, completed = at or (next(_clock), next(_clock))
    return Txn(
        client="c",
        isolation=isolation,
        outcome=outcome,
        ops=ops,
        invoked=invoked,
        completed=completed,
    )


# All at one time: nobody had to see anybody.
TOGETHER = (0, 10**9)


def names(*history: Txn) -> set[str]:
    return {anomaly.name for anomaly in anomalies(history)}


def test_an_empty_history_is_in_order() -> None:
    assert anomalies([]) == []


def test_what_was_committed_is_seen_in_its_order() -> None:
    assert not names(
        txn(append("x", 1), append("y", 2)),
        txn(listed("x", 1), append("x", 3), listed("x", 1, 3)),
        txn(listed("x", 1, 3), listed("y", 2)),
        txn(register("r", None), write("r", 4), register("r", 4)),
        txn(register("r", 4), write("r", 5), isolation="serializable"),
        txn(register("r", 5), listed("x", 1, 3), isolation="snapshot"),
    )


def test_what_was_rolled_back_and_not_seen_is_in_order() -> None:
    assert not names(
        txn(append("x", 1), listed("x", 1), outcome="aborted"), txn(listed("x"))
    )


@pytest.mark.parametrize("seen", [True, False])
def test_an_unknown_outcome_may_be_either(*, seen: bool) -> None:
    unknown = txn(append("x", 1), outcome="unknown")
    assert not names(unknown, txn(listed("x", 1) if seen else listed("x")))


def test_an_unknown_outcome_is_whole_or_not_at_all() -> None:
    unknown = txn(append("x", 1), append("y", 2), outcome="unknown")
    half = txn(listed("x", 1), listed("y"), isolation="snapshot")
    late = txn(listed("y", 2))

    assert names(unknown, half, late) == {"half read"}


def test_a_value_that_nobody_wrote_is_garbage() -> None:
    assert names(txn(listed("x", 7))) == {"garbage read"}
    assert names(txn(register("r", 7))) == {"garbage read"}


def test_a_value_that_was_rolled_back_is_an_aborted_read() -> None:
    lists = txn(append("x", 1), outcome="aborted"), txn(listed("x", 1))
    registers = txn(write("r", 1), outcome="aborted"), txn(register("r", 1))

    assert names(*lists) == {"G1a"}
    assert names(*registers) == {"G1a"}


def test_a_value_of_the_middle_of_a_transaction_is_an_intermediate_read() -> None:
    lists = (
        txn(append("x", 1), append("x", 2), at=TOGETHER),
        txn(listed("x", 1), at=TOGETHER),
        txn(listed("x", 1, 2)),
    )
    registers = (
        txn(write("r", 1), write("r", 2), at=TOGETHER),
        txn(register("r", 1), at=TOGETHER),
    )

    assert names(*lists) == {"G1b"}
    assert names(*registers) == {"G1b"}


def test_an_append_that_no_later_read_sees_is_a_lost_update() -> None:
    history = (
        txn(append("x", 1), at=(0, 2)),
        txn(append("x", 2), at=(1, 3)),
        txn(listed("x", 2), at=(4, 5)),
    )

    assert names(*history) == {"lost update"}


def test_two_that_read_one_version_and_replace_it_lose_an_update() -> None:
    history = [
        txn(register("r", None), write("r", n), isolation="serializable", at=TOGETHER)
        for n in (1, 2)
    ]

    assert names(*history) == {"lost update"}


def test_the_default_isolation_does_not_promise_that() -> None:
    history = [
        txn(register("r", None), write("r", n), isolation="default", at=TOGETHER)
        for n in (1, 2)
    ]

    assert names(*history) == set()


def test_a_read_that_misses_what_others_saw_before_is_stale() -> None:
    lists = txn(append("x", 1)), txn(listed("x")), txn(listed("x", 1))
    registers = txn(write("r", 1)), txn(write("r", 2)), txn(register("r", 1))

    assert names(*lists) == {"stale read"}
    assert names(*registers) == {"stale read"}
    assert names(txn(write("r", 3)), txn(register("r", None))) == {"stale read"}


def test_a_read_that_began_before_the_commit_may_miss_it() -> None:
    history = (
        txn(append("x", 1), at=(0, 5)),
        txn(listed("x"), at=(4, 9)),
        txn(listed("x", 1), at=(10, 11)),
    )

    assert not names(*history)


def test_a_value_that_stands_twice_is_a_duplicate() -> None:
    assert names(txn(append("x", 1)), txn(listed("x", 1, 1))) == {"duplicate"}


def test_readers_that_disagree_about_the_order_are_told() -> None:
    history = (
        txn(append("x", 1), at=TOGETHER),
        txn(append("x", 2), at=TOGETHER),
        txn(listed("x", 1, 2), at=TOGETHER),
        txn(listed("x", 2, 1), at=TOGETHER),
    )

    assert "incompatible order" in names(*history)


@pytest.mark.parametrize(
    "ops",
    [
        (append("x", 1), listed("x")),
        (append("x", 1), append("x", 2), listed("x", 2, 1)),
        (append("x", 1), listed("x", 1), append("x", 2), listed("x", 1)),
        (write("r", 1), register("r", None)),
    ],
)
def test_a_transaction_that_does_not_see_its_own_writes_is_told(
    ops: tuple[Op, ...],
) -> None:
    assert names(txn(*ops)) == {"internal"}


def test_another_s_value_behind_one_that_is_not_committed_is_told() -> None:
    history = (
        txn(append("x", 1), listed("x", 1, 2), at=TOGETHER),
        txn(append("x", 2), at=TOGETHER),
    )

    assert "internal" in names(*history)


@pytest.mark.parametrize("isolation", ["snapshot", "serializable"])
def test_a_snapshot_that_moves_is_told(isolation: Isolation) -> None:
    history = (
        txn(append("x", 1), at=TOGETHER),
        txn(listed("x"), listed("x", 1), isolation=isolation, at=TOGETHER),
    )

    assert names(*history) == {"non-repeatable read"}


def test_the_default_isolation_may_see_more_later() -> None:
    history = (
        txn(append("x", 1), append("y", 2), at=TOGETHER),
        txn(listed("x"), listed("y", 2), listed("x", 1), at=TOGETHER),
    )

    assert not names(*history)


@pytest.mark.parametrize(
    "half",
    [
        (listed("x", 1), listed("y")),
        (listed("y"), listed("x", 1, 3)),
        (listed("x", 1), register("r", None)),
        (listed("x"), register("r", 4)),
    ],
)
def test_half_of_a_transaction_is_told(half: tuple[Op, ...]) -> None:
    whole = append("x", 1), append("y", 2), register("r", None), write("r", 4)
    history = (
        txn(*whole, at=TOGETHER),
        txn(append("x", 3), at=TOGETHER),
        txn(*half, isolation="snapshot", at=TOGETHER),
        txn(listed("x", 1, 3), listed("y", 2), register("r", 4)),
    )

    assert names(*history) == {"half read"}


def test_writes_in_two_orders_are_g0() -> None:
    history = (
        txn(append("x", 1), append("y", 1), at=TOGETHER),
        txn(append("x", 2), append("y", 2), at=TOGETHER),
        txn(listed("x", 1, 2), listed("y", 2, 1)),
    )

    assert names(*history) == {"G0"}


def test_two_that_see_each_other_are_g1c() -> None:
    history = (
        txn(append("x", 1), listed("y", 2), at=TOGETHER),
        txn(append("y", 2), listed("x", 1), at=TOGETHER),
    )

    assert names(*history) == {"G1c"}


def test_a_write_over_what_was_read_is_g_single() -> None:
    history = (
        txn(listed("x"), append("x", 1), isolation="serializable", at=TOGETHER),
        txn(listed("x"), append("x", 2), isolation="serializable", at=TOGETHER),
        txn(listed("x", 1, 2)),
    )

    assert names(*history) == {"G-single"}


def skew(isolation: Isolation) -> tuple[Txn, ...]:
    return (
        txn(listed("x"), append("y", 1), isolation=isolation, at=TOGETHER),
        txn(listed("y"), append("x", 2), isolation=isolation, at=TOGETHER),
        txn(listed("x", 2), listed("y", 1)),
    )


def test_write_skew_is_g2_where_serializable_was_promised() -> None:
    assert names(*skew("serializable")) == {"G2-item"}
    assert names(*skew("default")) == set()


def test_a_cycle_of_three_through_registers_is_found() -> None:
    def around(isolation: Isolation) -> list[Txn]:
        return [
            txn(
                *(register(one, None), write(one, 1), register(other, None)),
                isolation=isolation,
                at=TOGETHER,
            )
            for one, other in ("ab", "bc", "ca")
        ]

    assert names(*around("default")) == set()
    (found,) = anomalies(around("serializable"))
    assert found.name == "G2-item"
    assert "rw on a" in found.detail


def test_a_cycle_over_a_transaction_without_the_promise_does_not_count() -> None:
    loose, *rest = skew("serializable")
    history = (txn(*loose.ops, at=TOGETHER), *rest)

    assert not names(*history)


def test_a_version_of_somebody_else_in_between_says_nothing() -> None:
    history = (
        txn(listed("x"), append("y", 1), isolation="serializable", at=TOGETHER),
        txn(listed("y"), append("x", 3), isolation="serializable", at=TOGETHER),
        txn(append("x", 2), at=TOGETHER),
        txn(listed("x", 2, 3), listed("y", 1)),
    )

    assert not names(*history)


def test_an_anomaly_says_who_saw_what() -> None:
    (found,) = anomalies([txn(append("x", 1), outcome="aborted"), txn(listed("x", 1))])

    assert found.name == "G1a"
    assert "1 in x" in found.detail
    assert "<c default aborted: append(x, 1)>" in found.detail


def test_a_value_that_is_written_twice_is_no_history() -> None:
    with pytest.raises(ValueError, match="written twice"):
        anomalies([txn(append("x", 1)), txn(append("x", 1))])


# -- histories that were made by running transactions one after the other --------------


def serial(seed: int, size: int) -> list[Txn]:
    """Run transactions on lists and registers of our own, one after the other."""
    random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    values = count(1)
    lists: dict[str, tuple[int, ...]] = dict.fromkeys("xyz", ())
    registers: dict[str, int | None] = dict.fromkeys("rs")
    history = []
    for _ in range(size):
        isolation = random.choice(get_args(Isolation))
        outcome: Any = random.choice(["committed", *get_args(Outcome)])
        own_lists, own_registers = dict(lists), dict(registers)
        ops = []
        for _ in range(random.randint(1, 5)):
            kind: Any = random.choice(get_args(Op.__annotations__["kind"]))
            if isolation == "snapshot" and kind in ("append", "write"):
                continue
            if kind in ("append", "list"):
                key = random.choice("xyz")
                if kind == "append":
                    own_lists[key] += (next(values),)
                seen: Any = own_lists[key]
                ops.append(Op(kind, key, seen[-1] if kind == "append" else seen))
            else:
                key = random.choice("rs")
                if kind == "write":
                    own_registers[key] = next(values)
                ops.append(Op(kind, key, own_registers[key]))
        if outcome == "committed" or (outcome == "unknown" and random.random() < 0.5):
            lists, registers = own_lists, own_registers
        history.append(txn(*ops, isolation=isolation, outcome=outcome))
    return [*history, txn(*(listed(key, *found) for key, found in lists.items()))]


@given(seed=st.integers(0, 2**32), size=st.integers(0, 40))
def test_one_after_the_other_is_always_in_order(seed: int, size: int) -> None:
    history = serial(seed, size)
    shuffled = list(history)
    Random(seed).shuffle(shuffled)  # noqa: S311 - as above

    assert anomalies(history) == []
    assert anomalies(shuffled) == []


@given(seed=st.integers(0, 2**32), size=st.integers(5, 40))
def test_a_committed_append_that_is_left_out_is_always_found(
    seed: int, size: int
) -> None:
    history = serial(seed, size)
    final = history[-1]
    committed = {
        (op.key, op.value)
        for one in history
        if one.outcome == "committed"
        for op in one.ops
        if op.kind == "append"
    }
    for number, op in enumerate(final.ops):
        lost = [value for value in op.value if (op.key, value) in committed]
        if lost:
            kept = tuple(value for value in op.value if value != lost[-1])
            ops = (*final.ops[:number], listed(op.key, *kept), *final.ops[number + 1 :])

            assert names(*history[:-1], txn(*ops))


@given(seed=st.integers(0, 2**32), size=st.integers(0, 20))
def test_a_history_is_the_same_after_it_was_written_and_read(
    seed: int, size: int
) -> None:
    history = serial(seed, size)

    assert load(dump(history)) == history
    assert "\n" not in dump(history)
