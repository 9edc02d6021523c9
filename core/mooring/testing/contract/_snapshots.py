# ruff: noqa: PT012 - blocks that raise are what is tested
"""``store.read()``: one consistent state, read only, streamed if it is large."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mooring import core
from mooring.core import Capability
from mooring.testing.contract._capabilities import lacks, requires
from mooring.testing.contract._fixture_types import Spawn
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import ADD, COUNT, add

EVERY = "SELECT id FROM users ORDER BY id"


def fill(store: core.SqlStore, rows: int) -> list[str]:
    names = [f"u{number:05}" for number in range(rows)]
    with store.transaction() as tx:
        add(tx, *names)
    return names


def close(rows: Iterator[core.Row]) -> None:
    rows.close()  # type: ignore[attr-defined]  # a generator, or like one


class SnapshotsContract:
    """``store.read()``: one consistent state, read only, streamed if it is large."""

    def test_a_snapshot_reads_what_is_committed(self, store: core.SqlStore) -> None:
        add(store, "u1")
        with store.read() as snapshot:
            assert snapshot.execute(COUNT).scalar() == 1

    @requires(Capability.CONCURRENT_SNAPSHOTS)
    def test_a_snapshot_repeats_what_it_read(
        self, store: core.SqlStore, spawn: Spawn
    ) -> None:
        with store.read() as snapshot:
            before = snapshot.execute(COUNT).scalar()
            spawn(add, store, "u1").result(PATIENCE)
            after = snapshot.execute(COUNT).scalar()

        assert (before, after) == (0, 0)
        assert store.execute(COUNT).scalar() == 1

    @requires(Capability.CONCURRENT_SNAPSHOTS)
    def test_a_snapshot_begins_with_its_first_statement(
        self, store: core.SqlStore, spawn: Spawn
    ) -> None:
        with store.read() as snapshot:
            spawn(add, store, "u1").result(PATIENCE)
            first = snapshot.execute(COUNT).scalar()
            spawn(add, store, "u2").result(PATIENCE)
            second = snapshot.execute(COUNT).scalar()

        assert (first, second) == (1, 1)

    @requires(Capability.CONCURRENT_SNAPSHOTS)
    def test_snapshots_do_not_wait_for_each_other(
        self, store: core.SqlStore, spawn: Spawn
    ) -> None:
        add(store, "u1")

        def look() -> object:
            with store.read() as other:
                return other.execute(COUNT).scalar()

        with store.read() as snapshot:
            snapshot.execute(COUNT)
            seen = [spawn(look).result(PATIENCE) for _ in range(3)]

        assert seen == [1, 1, 1]

    @lacks(Capability.CONCURRENT_SNAPSHOTS)
    def test_without_concurrent_snapshots_others_wait_and_say_for_whom(
        self, open_hasty: Callable[..., core.SqlStore], spawn: Spawn
    ) -> None:
        store = open_hasty()

        with store.read() as snapshot:
            snapshot.execute(COUNT)
            waiting = spawn(store.execute, COUNT)
            error = waiting.exception(PATIENCE)

        assert isinstance(error, core.StoreBusyError | core.PoolTimeoutError)
        assert "MainThread" in error.message
        assert store.execute(COUNT).scalar() == 0

    @pytest.mark.parametrize(
        "write",
        [
            "INSERT INTO users (id, email, role) VALUES ('u2', 'b', 'user')",
            (
                "INSERT INTO users (id, email, role) VALUES ('u2', 'b', 'user')"
                " RETURNING id"
            ),
            (
                "WITH t AS (SELECT 'u2' AS id) INSERT INTO users (id, email, role)"
                " SELECT id, id, 'user' FROM t"
            ),
            "UPDATE users SET role = 'admin'",
            "DELETE FROM users",
            "CREATE TABLE made (id BIGINT)",
            "DROP TABLE api_keys",
        ],
    )
    def test_a_write_in_a_snapshot_is_refused_and_changes_nothing(
        self, store: core.SqlStore, write: str
    ) -> None:
        add(store, "u1")

        with pytest.raises(core.ReadOnlyError) as caught, store.read() as snapshot:
            snapshot.execute(write)

        assert caught.value.__cause__ is not None
        assert caught.value.hint is not None
        rows = store.execute("SELECT id, role FROM users").all()
        assert [tuple(row) for row in rows] == [("u1", "user")]
        assert store.execute("SELECT count(*) FROM api_keys").scalar() == 0

    def test_a_write_in_a_stream_is_refused_and_changes_nothing(
        self,
        store: core.SqlStore,
    ) -> None:
        with pytest.raises(core.ReadOnlyError), store.read() as snapshot:
            list(snapshot.stream(ADD + " RETURNING id", {"id": "u1"}))

        assert store.execute(COUNT).scalar() == 0

    def test_after_an_error_a_snapshot_refuses_further_statements(
        self,
        store: core.SqlStore,
    ) -> None:
        with store.read() as snapshot:
            with pytest.raises(core.ReadOnlyError) as first:
                snapshot.execute("DELETE FROM users")
            with pytest.raises(core.TransactionAbortedError) as caught:
                snapshot.execute(COUNT)
            with pytest.raises(core.TransactionAbortedError):
                snapshot.stream(EVERY)

        assert caught.value.__cause__ is first.value

    def test_the_next_borrower_of_its_connection_may_write(
        self,
        open_store: Callable[..., core.SqlStore],
    ) -> None:
        store = open_store(max_open_conns=1)
        with store.read() as snapshot:
            snapshot.execute(COUNT)
        with pytest.raises(core.ReadOnlyError), store.read() as snapshot:
            snapshot.execute("DELETE FROM users")
        add(store, "u1")
        with store.transaction() as tx:
            add(tx, "u2")

        assert store.execute(COUNT).scalar() == 2

    def test_a_snapshot_is_of_no_use_after_its_block(
        self, store: core.SqlStore
    ) -> None:
        with store.read() as snapshot:
            snapshot.execute(COUNT)

        with pytest.raises(core.StoreError):
            snapshot.execute(COUNT)
        with pytest.raises(core.StoreError):
            snapshot.stream(COUNT)

    def test_an_exception_leaves_a_snapshot_as_it_is(
        self, store: core.SqlStore
    ) -> None:
        with pytest.raises(ZeroDivisionError), store.read() as snapshot:
            snapshot.execute(COUNT)
            raise ZeroDivisionError

        assert store.execute(COUNT).scalar() == 0

    @pytest.mark.parametrize("size", [1, 7, 50, 1000])
    def test_a_stream_yields_every_row_in_order(
        self, store: core.SqlStore, size: int
    ) -> None:
        names = fill(store, 50)

        with store.read() as snapshot:
            found = [row["id"] for row in snapshot.stream(EVERY, size=size)]

        assert found == names

    def test_a_stream_of_what_no_cursor_reads_has_the_rows_of_execute(
        self,
        store: core.SqlStore,
    ) -> None:
        plan = "EXPLAIN SELECT * FROM users JOIN api_keys ON users.id = user_id"

        with store.read() as snapshot:
            found = list(snapshot.stream(plan, size=1))
            wanted = snapshot.execute(plan).all()

        assert wanted
        assert found == wanted

    def test_a_stream_takes_parameters_and_may_be_empty(
        self, store: core.SqlStore
    ) -> None:
        fill(store, 5)

        with store.read() as snapshot:
            some = list(
                snapshot.stream(
                    EVERY.replace("ORDER", "WHERE id > :id ORDER"), {"id": "u00002"}
                )
            )
            none = list(snapshot.stream("SELECT id FROM users WHERE 1 = 0"))

        assert [row["id"] for row in some] == ["u00003", "u00004"]
        assert none == []

    @pytest.mark.parametrize("size", [0, -1, True, 2.0, "10", None])
    def test_a_wrong_size_of_a_stream_is_refused(
        self, store: core.SqlStore, size: Any
    ) -> None:
        with store.read() as snapshot, pytest.raises(core.ArgumentError, match="size"):
            snapshot.stream(EVERY, size=size)

    @pytest.mark.parametrize("sql", ["COMMIT", "SELECT 1; SELECT 2", ""])
    def test_a_stream_of_a_control_statement_is_refused(
        self, store: core.SqlStore, sql: str
    ) -> None:
        with store.read() as snapshot, pytest.raises(core.StatementNotAllowedError):
            list(snapshot.stream(sql))

    def test_an_error_of_a_stream_fails_its_snapshot(
        self, store: core.SqlStore
    ) -> None:
        with store.read() as snapshot:
            with pytest.raises(core.StatementError) as first:
                list(snapshot.stream("SELECT * FROM there_is_no_such_table"))
            with pytest.raises(core.TransactionAbortedError) as caught:
                snapshot.execute(COUNT)

        assert caught.value.__cause__ is first.value

    def test_streams_of_one_snapshot_may_be_read_in_turns(
        self, store: core.SqlStore
    ) -> None:
        names = fill(store, 20)

        with store.read() as snapshot:
            one = snapshot.stream(EVERY, size=3)
            two = snapshot.stream(EVERY, size=5)
            pairs = [(a["id"], b["id"]) for a, b in zip(one, two, strict=True)]

        assert pairs == list(zip(names, names, strict=True))

    def test_other_statements_may_run_while_a_stream_is_read(
        self, store: core.SqlStore
    ) -> None:
        fill(store, 20)

        with store.read() as snapshot:
            counts = [
                snapshot.execute(COUNT).scalar() for _ in snapshot.stream(EVERY, size=3)
            ]

        assert counts == [20] * 20

    def test_a_stream_closed_half_way_leaves_the_snapshot_usable(
        self,
        store: core.SqlStore,
    ) -> None:
        fill(store, 20)

        with store.read() as snapshot:
            rows = snapshot.stream(EVERY, size=3)
            next(rows)
            close(rows)

            assert list(rows) == []
            assert snapshot.execute(COUNT).scalar() == 20

    @pytest.mark.parametrize("taken", [0, 1, 3, 4])
    def test_going_on_with_a_stream_after_its_block_is_refused(
        self, store: core.SqlStore, taken: int
    ) -> None:
        """Rows that end early and quietly would be taken for all there are."""
        fill(store, 20)
        with store.read() as snapshot:
            rows = snapshot.stream(EVERY, size=3)
            for _ in range(taken):
                next(rows)

        with pytest.raises(core.StoreError):
            next(rows)

    def test_going_on_with_a_stream_after_the_snapshot_failed_is_refused(
        self,
        store: core.SqlStore,
    ) -> None:
        fill(store, 20)
        with store.read() as snapshot:
            rows = snapshot.stream(EVERY, size=3)
            next(rows)
            with pytest.raises(core.StatementError):
                snapshot.execute("SELECT * FROM there_is_no_such_table")
            with pytest.raises(core.TransactionAbortedError):
                list(rows)

    def test_a_stream_read_to_its_end_stays_at_its_end(
        self, store: core.SqlStore
    ) -> None:
        with store.read() as snapshot:
            rows = snapshot.stream(EVERY)

            assert list(rows) == []
            assert list(rows) == []

        assert list(rows) == []

    def test_a_stream_left_half_way_frees_its_connection(
        self,
        open_store: Callable[..., core.SqlStore],
    ) -> None:
        store = open_store(max_open_conns=1)
        fill(store, 20)
        with store.read() as snapshot:
            rows = snapshot.stream(EVERY, size=3)
            next(rows)
        add(store, "v1")
        store.execute("DROP TABLE api_keys")

        assert store.execute(COUNT).scalar() == 21
        close(rows)

    def test_a_stream_holds_no_more_rows_than_its_size(
        self, store: core.SqlStore
    ) -> None:
        """An endless query yields its first rows at once."""
        endless = (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT i FROM n"
        )

        with store.read() as snapshot:
            rows = snapshot.stream(endless, size=10)
            first = [next(rows)["i"] for _ in range(25)]

        assert first == list(range(1, 26))
