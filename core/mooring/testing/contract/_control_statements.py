# ruff: noqa: PT012 - blocks that raise are what is tested
"""Statements that would outlive their caller run nowhere, however they are written."""

from collections.abc import Callable

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import OpenStore
from mooring.testing.contract._statements import add, ids

CONTROL = [
    "BEGIN",
    "begin",
    "BEGIN IMMEDIATE",
    "START TRANSACTION",
    "COMMIT",
    "CoMmIt WORK;",
    "END",
    "ROLLBACK",
    "ROLLBACK TO SAVEPOINT mooring_1",
    "ABORT",
    "SAVEPOINT s",
    "RELEASE s",
    "release savepoint mooring_1",
    "/* a comment */ COMMIT",
    "-- a comment\nROLLBACK",
    "\n\t /* one */ -- two\n /* three */\ncommit",
    "SET x = 1",
    "SET SESSION x = 1",
    "RESET x",
    "DISCARD ALL",
    "ATTACH 'other' AS other",
    "DETACH other",
    "CREATE TEMP TABLE made (id BIGINT)",
    "create /* a comment */ temporary table made (id BIGINT)",
    "CREATE TEMPORARY VIEW made AS SELECT 1",
]
SEVERAL = [
    "SELECT 1; SELECT 2",
    "SELECT 1; COMMIT",
    "INSERT INTO users (id, email, role) VALUES ('a', 'a', 'user'); COMMIT;",
    "SELECT 1;;",
]
NOTHING = ["", "  \n", ";", "-- a comment", "/* a comment */"]
USES: dict[str, Callable[[core.SqlStore, str], object]] = {}


def use(fn: Callable[[core.SqlStore, str], object]) -> None:
    USES[fn.__name__] = fn


@use
def execute(store: core.SqlStore, sql: str) -> object:
    return store.execute(sql)


@use
def transaction(store: core.SqlStore, sql: str) -> object:
    with store.transaction() as tx:
        return tx.execute(sql)


@use
def read(store: core.SqlStore, sql: str) -> object:
    with store.read() as snapshot:
        return snapshot.execute(sql)


@use
def stream(store: core.SqlStore, sql: str) -> object:
    with store.read() as snapshot:
        return list(snapshot.stream(sql))


class ControlStatementsContract:
    """Statements that would outlive their caller run nowhere."""

    @pytest.mark.parametrize("run", USES.values(), ids=USES)
    def test_statements_of_control_are_refused_everywhere(
        self, store: core.SqlStore, run: Callable[[core.SqlStore, str], object]
    ) -> None:
        for sql in [*CONTROL, *SEVERAL, *NOTHING]:
            with pytest.raises(core.StatementNotAllowedError) as caught:
                run(store, sql)

            assert caught.value.hint is not None, sql
            assert not caught.value.retryable

        assert ids(store) == []

    @pytest.mark.parametrize("run", USES.values(), ids=USES)
    def test_statements_of_this_engine_that_would_leak_are_refused(
        self,
        store: core.SqlStore,
        leaky: tuple[str, ...],
        run: Callable[[core.SqlStore, str], object],
    ) -> None:
        for sql in leaky:
            with pytest.raises(core.StatementNotAllowedError):
                run(store, sql)

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT 'COMMIT; BEGIN' AS s",
            'SELECT 1 AS "begin" -- ; COMMIT',
            "/* BEGIN; */ SELECT 1;",
            "SELECT 1 AS temp",
        ],
    )
    def test_what_only_looks_like_one_is_run(
        self, store: core.SqlStore, sql: str
    ) -> None:
        assert len(store.execute(sql).all()) == 1

    def test_a_commit_does_not_keep_what_the_block_rolls_back(
        self,
        store: core.SqlStore,
    ) -> None:
        with pytest.raises(core.StatementNotAllowedError), store.transaction() as tx:
            add(tx, "u1")
            tx.execute("COMMIT")

        assert ids(store) == []

    @requires(Capability.SAVEPOINTS)
    def test_a_rollback_does_not_lose_what_the_block_keeps(
        self, store: core.SqlStore
    ) -> None:
        with store.transaction() as tx:
            add(tx, "u1")
            with pytest.raises(core.StatementNotAllowedError), tx.savepoint():
                tx.execute("ROLLBACK")

        assert ids(store) == ["u1"]

    def test_nothing_is_left_for_the_next_borrower(
        self, open_store: OpenStore, leaky: tuple[str, ...]
    ) -> None:
        store = open_store(max_open_conns=1)
        for sql in [*CONTROL, *SEVERAL, *leaky]:
            for run in USES.values():
                with pytest.raises(core.StatementNotAllowedError):
                    run(store, sql)

        # Neither a transaction, nor a setting, nor a temporary table is left.
        add(store, "u1")
        with pytest.raises(core.ForeignKeyViolation):
            store.execute(
                "INSERT INTO api_keys (id, user_id, hash, prefix)"
                " VALUES ('k', 'nobody', :hash, 'p')",
                {"hash": b"x"},
            )
        with pytest.raises(ZeroDivisionError), store.transaction() as tx:
            add(tx, "u2")
            raise ZeroDivisionError
        with store.transaction() as tx:
            tx.execute("CREATE TABLE made (id BIGINT)")

        assert ids(store) == ["u1"]

    def test_foreign_keys_are_enforced_on_every_connection(
        self,
        open_store: OpenStore,
    ) -> None:
        store = open_store(max_idle_conns=0)
        for _ in range(3):
            with pytest.raises(core.ForeignKeyViolation):
                store.execute(
                    "INSERT INTO api_keys (id, user_id, hash, prefix)"
                    " VALUES ('k', 'nobody', :hash, 'p')",
                    {"hash": b"x"},
                )
