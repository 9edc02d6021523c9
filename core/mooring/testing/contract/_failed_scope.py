# ruff: noqa: PT012 - blocks that raise are what is tested
"""A transaction keeps all of its work or nothing, and says so when it is nothing."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import lacks_sql, requires, requires_sql
from mooring.testing.contract._fixture_types import RawQuery
from mooring.testing.contract._statements import BROKEN, add, ids

DEFERRED = (
    "CREATE TABLE parents (id BIGINT PRIMARY KEY)",
    (
        "CREATE TABLE children (id BIGINT PRIMARY KEY, parent BIGINT NOT NULL"
        " REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)"
    ),
)


class FailedScopeContract:
    """A transaction keeps all of its work or nothing, and says when it is nothing."""

    def test_leaving_the_block_commits(self, store: core.SqlStore) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            add(tx, "u2")

        assert ids(store) == ["u1", "u2"]

    def test_the_database_itself_has_what_was_committed_and_nothing_else(
        self, store: core.SqlStore, raw_query: RawQuery
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
        with suppress(ZeroDivisionError), store.transaction() as tx:
            add(tx, "undone")
            raise ZeroDivisionError
        with suppress(core.TransactionAbortedError), store.transaction() as tx:
            add(tx, "failed")
            with suppress(core.StatementError):
                tx.execute(BROKEN)
        add(store, "u2")

        assert raw_query("SELECT id FROM users ORDER BY id") == [("u1",), ("u2",)]

    def test_the_database_itself_has_nothing_of_a_block_before_its_end(
        self, store: core.SqlStore, raw_query: RawQuery
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            before = raw_query("SELECT id FROM users")

        assert before == []
        assert raw_query("SELECT id FROM users") == [("u1",)]

    def test_return_out_of_the_block_commits(self, store: core.SqlStore) -> None:
        def work() -> str:
            with store.transaction() as tx:
                add(tx, "u1")
                return "done"

        assert work() == "done"
        assert ids(store) == ["u1"]

    @pytest.mark.parametrize(
        "kind", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit]
    )
    def test_any_exception_rolls_back_and_goes_on_as_it_is(
        self, store: core.SqlStore, kind: type[BaseException]
    ) -> None:
        thrown = kind("out")

        with pytest.raises(kind) as caught, store.transaction() as tx:
            add(tx, "u1")
            raise thrown

        assert caught.value is thrown
        assert ids(store) == []

    def test_a_generator_that_is_closed_half_way_rolls_back(
        self, store: core.SqlStore
    ) -> None:
        def work() -> Iterator[None]:
            with store.transaction() as tx:
                add(tx, "u1")
                yield

        steps = work()
        next(steps)
        steps.close()  # type: ignore[attr-defined]  # a generator

        assert ids(store) == []

    def test_an_error_that_leaves_the_block_is_the_statement_s_own(
        self,
        store: core.SqlStore,
    ) -> None:
        with pytest.raises(core.UniqueViolation), store.transaction() as tx:
            add(tx, "u1")
            add(tx, "u1")

        assert ids(store) == []

    @pytest.mark.parametrize(
        "fail",
        [
            lambda tx: tx.execute(BROKEN),
            lambda tx: tx.execute("this is no SQL"),
            lambda tx: add(tx, "u1"),
            lambda tx: tx.execute("SELECT :a"),
            lambda tx: tx.execute("SELECT :a", {"a": object()}),
            lambda tx: tx.execute("COMMIT"),
        ],
        ids=["table", "syntax", "constraint", "missing value", "bad value", "control"],
    )
    def test_after_any_error_a_further_statement_is_refused(
        self, store: core.SqlStore, fail: Callable[[core.Transaction], None]
    ) -> None:
        with (
            pytest.raises(core.TransactionAbortedError) as caught,
            store.transaction() as tx,
        ):
            add(tx, "u1")
            with pytest.raises(core.StoreError) as first:
                fail(tx)
            add(tx, "u2")

        assert caught.value.__cause__ is first.value
        assert caught.value.hint is not None
        assert "tx.savepoint()" in caught.value.hint
        assert not caught.value.retryable
        assert ids(store) == []

    def test_leaving_a_failed_block_quietly_rolls_back_and_raises(
        self,
        store: core.SqlStore,
    ) -> None:
        with (
            pytest.raises(core.TransactionAbortedError) as caught,
            store.transaction() as tx,
        ):
            add(tx, "u1")
            with pytest.raises(core.StatementError) as first:
                tx.execute(BROKEN)

        assert caught.value.__cause__ is first.value
        assert ids(store) == []

    def test_another_exception_leaves_a_failed_block_as_it_is(
        self, store: core.SqlStore
    ) -> None:
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:
            add(tx, "u1")
            with pytest.raises(core.StatementError):
                tx.execute(BROKEN)
            raise ZeroDivisionError

        assert ids(store) == []

    def test_the_next_borrower_meets_nothing_of_a_failed_scope(
        self,
        open_store: Callable[..., core.SqlStore],
    ) -> None:
        store = open_store(max_open_conns=1)
        with pytest.raises(core.StatementError), store.transaction() as tx:
            add(tx, "u1")
            tx.execute(BROKEN)
        with store.transaction() as tx:
            add(tx, "u2")

        assert ids(store) == ["u2"]

    def test_a_failed_single_statement_leaves_nothing(
        self,
        open_store: Callable[..., core.SqlStore],
    ) -> None:
        store = open_store(max_open_conns=1)
        add(store, "u1")
        with pytest.raises(core.UniqueViolation):
            store.execute(
                "INSERT INTO users (id, email, role)"
                " VALUES ('u2', 'b', 'user'), ('u1', 'c', 'user')"
            )
        add(store, "u3")

        assert ids(store) == ["u1", "u3"]

    @requires_sql("deferrable constraints")
    def test_a_deferred_foreign_key_fails_at_commit_and_keeps_nothing(
        self,
        store: core.SqlStore,
    ) -> None:
        for sql in DEFERRED:
            store.execute(sql)

        with pytest.raises(core.ForeignKeyViolation), store.transaction() as tx:
            tx.execute("INSERT INTO children VALUES (1, 7)")

        assert store.execute("SELECT count(*) FROM children").scalar() == 0

    @requires_sql("deferrable constraints")
    def test_a_deferred_foreign_key_may_be_made_good_before_commit(
        self,
        store: core.SqlStore,
    ) -> None:
        for sql in DEFERRED:
            store.execute(sql)
        with store.transaction() as tx:
            tx.execute("INSERT INTO children VALUES (1, 7)")
            tx.execute("INSERT INTO parents VALUES (7)")

        assert store.execute("SELECT count(*) FROM children").scalar() == 1

    @requires_sql("deferrable constraints")
    def test_a_deferred_foreign_key_fails_a_single_statement_too(
        self,
        store: core.SqlStore,
    ) -> None:
        for sql in DEFERRED:
            store.execute(sql)

        with pytest.raises(core.ForeignKeyViolation):
            store.execute("INSERT INTO children VALUES (1, 7)")

        assert store.execute("SELECT count(*) FROM children").scalar() == 0

    @lacks_sql("deferrable constraints")
    def test_a_foreign_key_that_cannot_be_deferred_is_not_made_without(
        self,
        store: core.SqlStore,
    ) -> None:
        store.execute(DEFERRED[0])

        with pytest.raises(core.StatementError):
            store.execute(DEFERRED[1])
        with pytest.raises(core.StatementError):
            store.execute("SELECT * FROM children")

    @requires(Capability.TRANSACTIONAL_DDL)
    def test_a_table_made_in_a_transaction_is_rolled_back_with_it(
        self,
        store: core.SqlStore,
    ) -> None:
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:
            tx.execute("CREATE TABLE made (id BIGINT)")
            tx.execute("INSERT INTO made VALUES (1)")
            raise ZeroDivisionError

        with pytest.raises(core.StatementError):
            store.execute("SELECT * FROM made")

    def test_a_block_is_entered_once(self, store: core.SqlStore) -> None:
        block = store.transaction()
        with block as tx:
            add(tx, "u1")

        with pytest.raises(core.NestedTransactionError), block:
            pass

        assert ids(store) == ["u1"]

    def test_a_transaction_is_of_no_use_after_its_block(
        self, store: core.SqlStore
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")

        with pytest.raises(core.StoreError):
            add(tx, "u2")
        assert ids(store) == ["u1"]

    @requires(Capability.SAVEPOINTS)
    def test_a_savepoint_is_of_no_use_after_its_transaction(
        self, store: core.SqlStore
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")

        with pytest.raises(core.StoreError), tx.savepoint():
            pass

    def test_leaving_a_block_twice_does_nothing(self, store: core.SqlStore) -> None:
        block = store.transaction()
        add(block.__enter__(), "u1")
        block.__exit__(None, None, None)
        block.__exit__(ValueError, ValueError(), None)

        assert ids(store) == ["u1"]
