# ruff: noqa: PT012 - blocks that raise are what is tested
"""One scope a context: a second is refused at once, and never a false alarm."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from time import monotonic
from typing import Any

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import OpenStore, Spawn
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import add, count


def enter(block: Any) -> Any:
    return block.__enter__()


def leave(block: Any) -> None:
    block.__exit__(None, None, None)


SECOND: dict[str, Callable[[core.SqlStore], object]] = {
    "transaction": lambda store: enter(store.transaction()),
    "read": lambda store: enter(store.read()),
    "execute": count,
    "close": lambda store: store.close(),
}


# -- contexts that are copied ---------------------------------------------------


# -- scopes that are handed between threads ---------------------------------------


class NestingContract:
    """One scope a context: a second is refused at once, and never a false alarm."""

    @pytest.mark.parametrize("second", SECOND.values(), ids=SECOND)
    @pytest.mark.parametrize("first", ["transaction", "read"])
    def test_a_second_use_beside_an_open_scope_is_refused_and_harms_nothing(
        self,
        store: core.SqlStore,
        first: str,
        second: Callable[[core.SqlStore], object],
    ) -> None:
        started = monotonic()
        with getattr(store, first)() as scope:
            with pytest.raises(core.NestedTransactionError) as caught:
                second(store)

            assert count(scope) == 0

        assert caught.value.hint is not None
        assert not caught.value.retryable
        assert monotonic() - started < PATIENCE
        assert count(store) == 0

    @requires(Capability.SERIALIZABLE)
    @pytest.mark.parametrize("first", ["transaction", "read"])
    def test_run_beside_an_open_scope_is_refused(
        self, store: core.SqlStore, first: str
    ) -> None:
        with getattr(store, first)() as scope:
            with pytest.raises(core.NestedTransactionError):
                store.run(count)

            assert count(scope) == 0

    def test_the_hint_leads_to_the_connection_that_is_there(
        self, store: core.SqlStore
    ) -> None:
        with store.transaction(), pytest.raises(core.NestedTransactionError) as caught:
            count(store)

        assert caught.value.hint is not None
        assert "tx.execute" in caught.value.hint

    def test_the_work_of_the_first_scope_is_kept(self, store: core.SqlStore) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            with (
                pytest.raises(core.NestedTransactionError),
                store.transaction() as other,
            ):
                add(other, "u2")
            add(tx, "u3")

        assert count(store) == 2

    def test_a_refusal_that_leaves_the_block_rolls_it_back(
        self, store: core.SqlStore
    ) -> None:
        with pytest.raises(core.NestedTransactionError), store.transaction() as tx:
            add(tx, "u1")
            add(store, "u2")

        assert count(store) == 0

    def test_closing_inside_a_scope_leaves_the_store_open(
        self, store: core.SqlStore
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            with pytest.raises(core.NestedTransactionError, match="close"):
                store.close()

        assert count(store) == 1

    @requires(Capability.SERIALIZABLE)
    def test_inside_run_the_given_transaction_is_the_one_to_use(
        self,
        store: core.SqlStore,
    ) -> None:
        def work(tx: core.Transaction) -> None:
            add(tx, "u1")
            add(store, "u2")

        with pytest.raises(core.NestedTransactionError):
            store.run(work)

        assert count(store) == 0

    def test_scopes_of_two_stores_stand_in_one_context(
        self, open_store: OpenStore
    ) -> None:
        one, two = open_store(), open_store()
        with one.transaction() as tx, two.read() as snapshot:
            add(tx, "u1")

            assert count(snapshot) == 0

            with pytest.raises(core.NestedTransactionError):
                count(one)
            with pytest.raises(core.NestedTransactionError):
                count(two)

        assert count(one) == 1

    def test_scopes_of_two_stores_may_be_left_in_any_order(
        self, open_store: OpenStore
    ) -> None:
        one, two = open_store(), open_store()
        first, second = one.transaction(), two.read()
        enter(first)
        enter(second)
        leave(first)

        assert count(one) == 0
        with pytest.raises(core.NestedTransactionError):
            count(two)

        leave(second)

        assert count(two) == 0

    def test_one_scope_after_another_is_no_nesting(self, store: core.SqlStore) -> None:
        for number in range(5):
            with store.transaction() as tx:
                add(tx, f"u{number}")
            with store.read() as snapshot:
                count(snapshot)
            with pytest.raises(core.UniqueViolation), store.transaction() as tx:
                add(tx, "u0")

        assert count(store) == 5

    def test_a_scope_that_could_not_begin_leaves_no_trace(
        self, open_hasty: OpenStore, spawn: Spawn
    ) -> None:
        store = open_hasty(max_open_conns=1)
        entered, done = threading.Event(), threading.Event()

        def hold() -> None:
            with store.transaction():
                entered.set()
                done.wait(PATIENCE)

        held = spawn(hold)
        assert entered.wait(PATIENCE)
        with pytest.raises((core.StoreBusyError, core.PoolTimeoutError)):
            enter(store.transaction())
        done.set()
        held.result(PATIENCE)

        assert count(store) == 0

    def test_another_thread_has_a_context_of_its_own(
        self, store: core.SqlStore, spawn: Spawn
    ) -> None:
        entered = threading.Event()

        def wait_for_its_turn() -> None:
            entered.set()
            with store.transaction() as tx:
                add(tx, "u2")

        with store.transaction() as tx:
            other = spawn(wait_for_its_turn)
            assert entered.wait(PATIENCE)
            add(tx, "u1")
        other.result(PATIENCE)

        assert count(store) == 2

    def test_a_copied_context_sees_the_scope_while_it_is_open(
        self,
        store: core.SqlStore,
    ) -> None:
        with store.transaction(), pytest.raises(core.NestedTransactionError):
            copy_context().run(count, store)

    def test_a_copied_context_is_not_misled_after_the_scope(
        self, store: core.SqlStore
    ) -> None:
        scope = store.transaction()  # which lives on after its block
        with scope:
            copied = copy_context()

        assert copied.run(count, store) == 0

    def test_a_task_made_inside_a_scope_is_refused_then_and_not_later(
        self,
        store: core.SqlStore,
    ) -> None:
        async def look(may: asyncio.Event) -> object:
            await may.wait()
            return count(store)

        async def main() -> tuple[object, object]:
            may, later = asyncio.Event(), asyncio.Event()
            with store.transaction():
                early = asyncio.create_task(look(may))
                late = asyncio.create_task(look(later))
                may.set()
                found = await asyncio.gather(early, return_exceptions=True)
            later.set()
            return found[0], await late

        early, late = asyncio.run(main())

        assert isinstance(early, core.NestedTransactionError)
        assert late == 0

    def test_to_thread_inside_a_scope_is_refused_and_after_it_is_not(
        self,
        store: core.SqlStore,
    ) -> None:
        async def main() -> object:
            with store.transaction(), pytest.raises(core.NestedTransactionError):
                await asyncio.to_thread(count, store)
            return await asyncio.to_thread(count, store)

        assert asyncio.run(main()) == 0

    def test_the_connection_of_a_scope_may_be_used_in_another_thread(
        self,
        store: core.SqlStore,
    ) -> None:
        async def main() -> None:
            with store.transaction() as tx:
                await asyncio.to_thread(add, tx, "u1")

        asyncio.run(main())

        assert count(store) == 1

    def test_tasks_with_a_scope_each_do_not_disturb_each_other(
        self,
        store: core.SqlStore,
    ) -> None:
        async def work(number: int) -> None:
            await asyncio.sleep(0)
            with store.transaction() as tx:
                add(tx, f"u{number}")
            await asyncio.sleep(0)
            with store.read() as snapshot:
                count(snapshot)

        async def main() -> None:
            await asyncio.gather(*(work(number) for number in range(5)))

        asyncio.run(main())

        assert count(store) == 5

    def test_a_scope_may_be_entered_and_left_in_different_threads(
        self,
        store: core.SqlStore,
    ) -> None:
        """Web frameworks run each half of a generator in whichever thread is free."""
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two:
            for number in range(3):
                block = store.transaction()
                tx = one.submit(enter, block).result(PATIENCE)
                two.submit(add, tx, f"u{number}").result(PATIENCE)
                two.submit(leave, block).result(PATIENCE)

                # Neither thread is misled by what it entered, or left, before.
                seen = [
                    pool.submit(count, store).result(PATIENCE) for pool in (one, two)
                ]
                assert seen == [number + 1, number + 1]

            pools = [one, two]
            for pool in pools:
                block = store.transaction()
                pool.submit(enter, block).result(PATIENCE)
                pool.submit(leave, block).result(PATIENCE)

    def test_a_scope_left_in_a_copied_context_is_left_everywhere(
        self,
        store: core.SqlStore,
    ) -> None:
        block = store.transaction()
        add(enter(block), "u1")
        copy_context().run(leave, block)

        assert count(store) == 1

    def test_a_scope_entered_in_a_copied_context_is_not_seen_here(
        self,
        open_store: OpenStore,
    ) -> None:
        one, two = open_store(), open_store()
        block = one.transaction()
        copied = copy_context()
        copied.run(enter, block)
        with two.read() as snapshot:
            assert count(snapshot) == 0

        copied.run(leave, block)

        assert count(one) == 0

    def test_a_nesting_that_cannot_be_seen_ends_at_the_deadline_with_who_holds(
        self,
        open_hasty: OpenStore,
    ) -> None:
        store = open_hasty(max_open_conns=1)
        started = monotonic()
        with ThreadPoolExecutor(1, thread_name_prefix="request") as pool:
            block = store.transaction()
            tx = pool.submit(enter, block).result(PATIENCE)
            # This thread goes on with the same request, and does not know of the scope.
            with pytest.raises((core.StoreBusyError, core.PoolTimeoutError)) as caught:
                enter(store.transaction())
            with pytest.raises((core.StoreBusyError, core.PoolTimeoutError)):
                count(store)
            add(tx, "u1")
            leave(block)

        assert "request_0" in caught.value.message
        assert " s" in caught.value.message.partition("request_0")[2]
        assert caught.value.hint is not None
        assert caught.value.retryable
        assert monotonic() - started < PATIENCE
        assert count(store) == 1

    def test_a_holder_whose_thread_has_ended_is_named_so(
        self, open_hasty: OpenStore, spawn: Spawn
    ) -> None:
        store = open_hasty(max_open_conns=1)
        block = store.transaction()
        spawn(enter, block).result(PATIENCE)
        with pytest.raises((core.StoreBusyError, core.PoolTimeoutError)) as caught:
            count(store)
        leave(block)

        assert "thread" in caught.value.message
        assert count(store) == 0
