# ruff: noqa: PT012 - blocks that raise are what is tested
"""A savepoint fails by itself; its transaction goes on from where it was."""

from collections.abc import Iterator

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires, requires_sql
from mooring.testing.contract._statements import BROKEN, add, ids


def adding(tx: core.Transaction, user: str) -> Iterator[None]:
    with tx.savepoint():
        add(tx, user)
        yield


class SavepointsContract:
    """A savepoint fails by itself; its transaction goes on from where it was."""

    @requires(Capability.SAVEPOINTS)
    def test_leaving_a_savepoint_keeps_its_work(self, store: core.SqlStore) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            with tx.savepoint() as inner:
                add(inner, "u2")

        assert ids(store) == ["u1", "u2"]

    @requires(Capability.SAVEPOINTS)
    def test_the_work_of_a_savepoint_goes_with_its_transaction(
        self,
        store: core.SqlStore,
    ) -> None:
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:
            with tx.savepoint():
                add(tx, "u1")
            raise ZeroDivisionError

        assert ids(store) == []

    @requires(Capability.SAVEPOINTS)
    @pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
    def test_any_exception_undoes_the_savepoint_only(
        self, store: core.SqlStore, kind: type[BaseException]
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            with pytest.raises(kind), tx.savepoint():
                add(tx, "u2")
                raise kind
            add(tx, "u3")

        assert ids(store) == ["u1", "u3"]

    @requires(Capability.SAVEPOINTS)
    def test_an_error_in_a_savepoint_restores_its_parent(
        self, store: core.SqlStore
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            with pytest.raises(core.UniqueViolation), tx.savepoint():
                add(tx, "u2")
                add(tx, "u1")

            assert ids(tx) == ["u1"]

            add(tx, "u3")

        assert ids(store) == ["u1", "u3"]

    @requires(Capability.SAVEPOINTS)
    def test_after_an_error_a_further_statement_of_the_savepoint_is_refused(
        self,
        store: core.SqlStore,
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            with pytest.raises(core.TransactionAbortedError) as caught, tx.savepoint():
                add(tx, "u2")
                with pytest.raises(core.StatementError) as first:
                    tx.execute(BROKEN)
                add(tx, "u3")
            add(tx, "u4")

        assert caught.value.__cause__ is first.value
        assert caught.value.hint is not None
        assert ids(store) == ["u1", "u4"]

    @requires(Capability.SAVEPOINTS)
    def test_leaving_a_failed_savepoint_quietly_undoes_it_and_raises(
        self,
        store: core.SqlStore,
    ) -> None:
        with store.transaction() as tx:
            with pytest.raises(core.TransactionAbortedError) as caught, tx.savepoint():
                add(tx, "u1")
                with pytest.raises(core.StatementError) as first:
                    tx.execute(BROKEN)
            add(tx, "u2")

        assert caught.value.__cause__ is first.value
        assert ids(store) == ["u2"]

    @requires(Capability.SAVEPOINTS)
    def test_savepoints_stand_inside_each_other(self, store: core.SqlStore) -> None:
        with store.transaction() as tx:
            with tx.savepoint():
                add(tx, "u1")
                with pytest.raises(core.StatementError), tx.savepoint():
                    add(tx, "u2")
                    with tx.savepoint():
                        add(tx, "u3")
                    tx.execute(BROKEN)
                add(tx, "u4")
                with tx.savepoint():
                    add(tx, "u5")
            add(tx, "u6")

        assert ids(store) == ["u1", "u4", "u5", "u6"]

    @requires(Capability.SAVEPOINTS)
    def test_an_outer_savepoint_undoes_what_an_inner_one_kept(
        self, store: core.SqlStore
    ) -> None:
        with store.transaction() as tx:
            with pytest.raises(ZeroDivisionError), tx.savepoint():
                with tx.savepoint():
                    add(tx, "u1")
                raise ZeroDivisionError
            add(tx, "u2")

        assert ids(store) == ["u2"]

    @requires(Capability.SAVEPOINTS)
    def test_savepoints_may_follow_each_other(self, store: core.SqlStore) -> None:
        with store.transaction() as tx:
            for number in range(20):
                try:
                    with tx.savepoint():
                        add(tx, f"u{number % 10}")
                except core.UniqueViolation:
                    continue

        assert len(ids(store)) == 10

    @requires(Capability.SAVEPOINTS)
    def test_a_failed_transaction_takes_no_savepoint(
        self, store: core.SqlStore
    ) -> None:
        with (
            pytest.raises(core.TransactionAbortedError) as caught,
            store.transaction() as tx,
        ):
            with pytest.raises(core.StatementError) as first:
                tx.execute(BROKEN)
            with tx.savepoint():
                add(tx, "u1")

        assert caught.value.__cause__ is first.value
        assert ids(store) == []

    @requires(Capability.SAVEPOINTS)
    def test_a_transaction_left_with_an_open_savepoint_keeps_nothing(
        self,
        store: core.SqlStore,
    ) -> None:
        with (
            pytest.raises(core.TransactionAbortedError, match="savepoint"),
            store.transaction() as tx,
        ):
            add(tx, "u1")
            half_way = adding(tx, "u2")
            next(half_way)
        half_way.close()  # type: ignore[attr-defined]  # a generator

        assert ids(store) == []

    @requires(Capability.SAVEPOINTS)
    def test_a_generator_closed_half_way_undoes_its_savepoint(
        self, store: core.SqlStore
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            half_way = adding(tx, "u2")
            next(half_way)
            half_way.close()  # type: ignore[attr-defined]  # a generator
            add(tx, "u3")

        assert ids(store) == ["u1", "u3"]

    @requires(Capability.SAVEPOINTS)
    @pytest.mark.parametrize("finish", [True, False], ids=["run to the end", "closed"])
    def test_savepoints_left_out_of_order_keep_nothing(
        self, store: core.SqlStore, *, finish: bool
    ) -> None:
        with pytest.raises(core.TransactionAbortedError), store.transaction() as tx:
            outer, inner = adding(tx, "u1"), adding(tx, "u2")
            next(outer)
            next(inner)
            for half_way in (outer, inner):
                if finish:
                    next(half_way, None)
                else:
                    half_way.close()  # type: ignore[attr-defined]  # a generator

        assert ids(store) == []

    @requires(Capability.SAVEPOINTS)
    @requires_sql("deferrable constraints")
    def test_a_deferred_constraint_survives_its_savepoint(
        self, store: core.SqlStore
    ) -> None:
        store.execute("CREATE TABLE parents (id BIGINT PRIMARY KEY)")
        store.execute(
            "CREATE TABLE children (parent BIGINT NOT NULL"
            " REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)"
        )
        with store.transaction() as tx:
            with tx.savepoint():
                tx.execute("INSERT INTO children VALUES (7)")
            tx.execute("INSERT INTO parents VALUES (7)")

        assert store.execute("SELECT count(*) FROM children").scalar() == 1
