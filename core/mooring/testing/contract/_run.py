"""``store.run``: a serializable transaction that is run again on conflicts."""

import threading
from contextvars import ContextVar
from typing import Any

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import Spawn
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import add, ids


class Work:
    """Adds a row at each call, and raises at the first *failures* of them."""

    def __init__(self, failures: int, error: BaseException) -> None:
        self.calls = 0
        self.failures = failures
        self.error = error

    def __call__(self, tx: core.Transaction) -> int:
        self.calls += 1
        add(tx, f"u{self.calls}")
        if self.calls <= self.failures:
            raise self.error
        return self.calls


def conflict() -> core.SerializationError:
    return core.SerializationError("a conflict")


class RunContract:
    """``store.run``: a serializable transaction that is run again on conflicts."""

    @requires(Capability.SERIALIZABLE)
    def test_it_commits_and_returns_what_the_function_returns(
        self, store: core.SqlStore
    ) -> None:
        assert store.run(Work(0, conflict())) == 1
        assert ids(store) == ["u1"]

    @requires(Capability.SERIALIZABLE)
    def test_it_runs_again_on_a_conflict_and_keeps_only_the_last_attempt(
        self,
        store: core.SqlStore,
    ) -> None:
        work = Work(2, conflict())

        assert store.run(work) == 3
        assert ids(store) == ["u3"]

    @requires(Capability.SERIALIZABLE)
    def test_conflicts_without_end_are_bounded(self, store: core.SqlStore) -> None:
        work = Work(100, conflict())

        with pytest.raises(core.SerializationError) as caught:
            store.run(work, attempts=3)

        assert work.calls == 3
        assert caught.value.retryable
        assert ids(store) == []

    @requires(Capability.SERIALIZABLE)
    def test_one_attempt_is_no_retry(self, store: core.SqlStore) -> None:
        work = Work(1, conflict())

        with pytest.raises(core.SerializationError):
            store.run(work, attempts=1)

        assert work.calls == 1

    @requires(Capability.SERIALIZABLE)
    @pytest.mark.parametrize("attempts", [0, -1, True, 2.0, "3", None])
    def test_a_wrong_number_of_attempts_is_refused(
        self, store: core.SqlStore, attempts: Any
    ) -> None:
        work = Work(0, conflict())

        with pytest.raises(core.ArgumentError, match="attempts"):
            store.run(work, attempts=attempts)

        assert work.calls == 0

    @requires(Capability.SERIALIZABLE)
    @pytest.mark.parametrize(
        "error",
        [
            core.OutcomeUnknownError("perhaps"),
            core.ConnectionLostError("gone"),
            core.StoreBusyError("busy"),
            core.TransactionAbortedError("failed before"),
            ValueError("wrong"),
            KeyboardInterrupt(),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_whatever_else_is_raised_ends_it_at_once(
        self, store: core.SqlStore, error: BaseException
    ) -> None:
        work = Work(100, error)

        with pytest.raises(type(error)) as caught:
            store.run(work)

        assert caught.value is error
        assert work.calls == 1
        assert ids(store) == []

    @requires(Capability.SERIALIZABLE)
    def test_an_error_that_the_function_hides_is_not_retried(
        self, store: core.SqlStore
    ) -> None:
        calls = []

        def hide(tx: core.Transaction) -> None:
            calls.append(1)
            add(tx, "u1")
            with pytest.raises(core.UniqueViolation):
                add(tx, "u1")

        with pytest.raises(core.TransactionAbortedError):
            store.run(hide)

        assert calls == [1]
        assert ids(store) == []

    @requires(Capability.SERIALIZABLE)
    def test_each_attempt_has_the_caller_s_thread_and_context(
        self, store: core.SqlStore
    ) -> None:
        token: ContextVar[str] = ContextVar("token")
        token.set("of the caller")
        seen = []
        work = Work(2, conflict())

        def look(tx: core.Transaction) -> None:
            seen.append((threading.get_ident(), token.get()))
            token.set("of the function")
            work(tx)

        store.run(look)
        here = threading.get_ident()

        assert seen == [
            (here, "of the caller"),
            (here, "of the function"),
            (here, "of the function"),
        ]
        assert token.get() == "of the function"

    @requires(Capability.SERIALIZABLE)
    def test_it_leaves_no_scope_behind(self, store: core.SqlStore) -> None:
        with pytest.raises(core.SerializationError):
            store.run(Work(9, conflict()), attempts=2)
        with store.transaction() as tx:
            add(tx, "u9")

        assert ids(store) == ["u9"]

    @requires(Capability.SERIALIZABLE)
    def test_conflicts_of_real_transactions_lose_no_update(
        self, store: core.SqlStore, spawn: Spawn
    ) -> None:
        store.execute("CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT)")
        store.execute("INSERT INTO counters VALUES (1, 0)")

        def increment(tx: core.Transaction) -> None:
            n = tx.execute("SELECT n FROM counters WHERE id = 1").scalar()
            tx.execute("UPDATE counters SET n = :n WHERE id = 1", {"n": n + 1})

        def work() -> None:
            for _ in range(10):
                store.run(increment, attempts=50)

        for future in [spawn(work) for _ in range(4)]:
            future.result(PATIENCE)

        assert store.execute("SELECT n FROM counters").scalar() == 40
