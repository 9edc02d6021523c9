"""The shipped migrations end in the same schema on every driver."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import product

import attrs
import pytest

from mooring import core, migrate
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires
from mooring.testing.contract._fixture_types import OpenStore, Spawn, TablesOf
from mooring.testing.contract._migration_file import versions
from mooring.testing.contract._patience import PATIENCE
from mooring.testing.contract._statements import KEY, USER

VERSIONS = [20250603124835, 20250603124915, 20250711163857, 20250711163858]
OUR_TABLES = {"goose_db_version", "mooring_migrations"}
FLOW = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, usage)"
    " VALUES (:id, 'w', 'PENDING', :usage)"
)
TASK = (
    "INSERT INTO task_states (component, status, task_exec_id, task_id,"
    " workflow_exec_id, workflow_id, parent_state_id)"
    " VALUES ('task', 'PENDING', :id, 't', :flow, 'w', :parent)"
)
TYPED = (
    "INSERT INTO task_states (component, status, task_exec_id, task_id,"
    " workflow_exec_id, workflow_id, execution_type, agent_id, action_id, tool_id)"
    " VALUES ('task', 'PENDING', :id, 't', 'f1', 'w', :type, :agent, :action, :tool)"
)
COLUMNS = {
    "workflow_states": "workflow_exec_id workflow_id status usage input output error"
    " created_at updated_at",
    "task_states": "component status task_exec_id task_id workflow_exec_id workflow_id"
    " execution_type usage agent_id tool_id action_id parent_state_id input output"
    " error created_at updated_at",
    "users": "id email role created_at",
    "api_keys": "id user_id hash prefix created_at last_used",
}
REQUIRED = {
    "workflow_states": "workflow_exec_id workflow_id status created_at updated_at",
    "task_states": "component status task_exec_id task_id workflow_exec_id workflow_id"
    " execution_type created_at updated_at",
    "users": "id email role created_at",
    "api_keys": "id user_id hash prefix created_at",
}
ORPHANS: dict[str, tuple[str, dict[str, object]]] = {
    "a task of no workflow": (TASK, {"id": "t3", "flow": "none", "parent": None}),
    "a task of no parent": (TASK, {"id": "t3", "flow": "f1", "parent": "none"}),
    "a key of no user": (
        KEY,
        {"id": "k2", "user": "none", "hash": b"x", "prefix": "p2"},
    ),
}
# Agent, action and tool that each type allows; a type that is not here allows all.
ALLOWED: dict[str, set[tuple[str | None, str | None, str | None]]] = {
    "basic": {(None, None, None), ("a", "b", None), (None, None, "t")},
    "router": {(None, None, None)},
}


@attrs.frozen(kw_only=True)
class Made:
    """When a row was made."""

    created_at: datetime


def count(connection: core.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").scalar())


def fill(store: core.SqlStore) -> None:
    """Put a row into each table, with a child for each foreign key."""
    with store.transaction() as tx:
        tx.execute(FLOW, {"id": "f1", "usage": None})
        tx.execute(TASK, {"id": "t1", "flow": "f1", "parent": None})
        tx.execute(TASK, {"id": "t2", "flow": "f1", "parent": "t1"})
        tx.execute(USER, {"id": "u1", "email": "ann@b.c", "role": "admin"})
        key = {"id": "k1", "user": "u1", "hash": b"\0\xff", "prefix": "p1"}
        tx.execute(KEY, key)


class SchemaContract:
    """The shipped migrations end in the same schema, which behaves alike everywhere."""

    @pytest.fixture
    def filled(self, store: core.SqlStore) -> core.SqlStore:
        """A store with a row in each table, and a child for each foreign key."""
        fill(store)
        return store

    def test_should_apply_all_migrations_successfully(
        self, open_store: OpenStore
    ) -> None:
        store = open_store(migrate="skip")
        migrator = migrate.Migrator(store)
        steps = migrator.up()

        assert [step.version for step in steps] == VERSIONS
        assert all(step.direction == "up" for step in steps)
        assert {found.state for found in migrator.status()} == {"applied"}
        assert migrator.at_head()
        assert versions(store) == [0, *VERSIONS]

    def test_should_create_all_required_tables(
        self, store: core.SqlStore, tables_of: TablesOf
    ) -> None:
        assert [n for n in tables_of(store) if n not in OUR_TABLES] == sorted(COLUMNS)

    def test_should_rollback_migrations(
        self, store: core.SqlStore, tables_of: TablesOf
    ) -> None:
        fill(store)
        migrator = migrate.Migrator(store)
        steps = migrator.down(to=0)

        assert [step.version for step in steps] == VERSIONS[::-1]
        assert {step.direction for step in steps} == {"down"}
        assert set(tables_of(store)) <= OUR_TABLES
        assert versions(store) == [0]
        assert [step.version for step in migrator.up()] == VERSIONS
        fill(store)

    @requires(Capability.DURABLE)
    def test_should_be_idempotent(
        self,
        open_store: OpenStore,
        footprint: Callable[[core.SqlStore], object],
    ) -> None:
        first = open_store()
        fill(first)
        before = footprint(first)
        for _ in range(3):
            assert not migrate.Migrator(open_store()).up()

        assert footprint(first) == before
        assert versions(first) == [0, *VERSIONS]
        assert first.execute("SELECT count(*) FROM task_states").scalar() == 2

    def test_each_table_has_its_columns_in_order(self, filled: core.SqlStore) -> None:
        for table, columns in COLUMNS.items():
            row = filled.execute(f"SELECT * FROM {table}").all()[0]

            assert list(row.keys()) == columns.split()

    def test_no_required_column_takes_null(self, filled: core.SqlStore) -> None:
        # Children go first: an engine may refuse to change a key because of them.
        filled.execute("DELETE FROM task_states WHERE task_exec_id = 't2'")
        for table, columns in reversed(REQUIRED.items()):
            for column in columns.split():
                with pytest.raises(core.NotNullViolation):
                    filled.execute(f"UPDATE {table} SET {column} = NULL")
            filled.execute(f"DELETE FROM {table}")

    @pytest.mark.parametrize(("sql", "values"), ORPHANS.values(), ids=ORPHANS)
    def test_should_enforce_foreign_keys(
        self, filled: core.SqlStore, sql: str, values: dict[str, object]
    ) -> None:
        with pytest.raises(core.ForeignKeyViolation):
            filled.execute(sql, values)

    @pytest.mark.parametrize("kept", [0, 5], ids=["new ones", "pooled ones"])
    def test_foreign_keys_hold_on_every_connection(
        self, open_store: OpenStore, spawn: Spawn, kept: int
    ) -> None:
        store = open_store(max_open_conns=5, max_idle_conns=kept)
        together = threading.Barrier(5)
        sql, values = ORPHANS["a key of no user"]

        def orphan() -> bool:
            with suppress(core.ForeignKeyViolation), store.transaction() as tx:
                count(tx, "users")
                # Where writers take turns they never meet, and need not.
                with suppress(threading.BrokenBarrierError):
                    together.wait(0.15)
                tx.execute(sql, values)
                return False
            return True

        for _ in range(3):
            refused = [spawn(orphan) for _ in range(5)]
            assert all(future.result(PATIENCE) for future in refused)
            with pytest.raises(core.ForeignKeyViolation):
                store.execute(sql, values)
            together.reset()
        assert count(store, "api_keys") == 0

    @requires(Capability.CASCADING_FOREIGN_KEYS)
    def test_should_delete_children_with_their_parent(
        self, filled: core.SqlStore
    ) -> None:
        filled.execute("DELETE FROM task_states WHERE task_exec_id = 't1'")
        children = count(filled, "task_states")
        filled.execute(TASK, {"id": "t4", "flow": "f1", "parent": None})
        filled.execute("DELETE FROM workflow_states")
        filled.execute("DELETE FROM users")

        assert children == 0
        assert count(filled, "task_states") == 0
        assert count(filled, "api_keys") == 0

    @pytest.mark.parametrize(
        "type_",
        ["basic", "router", "parallel", "collection", "composite", "wait", "", "BASIC"],
    )
    def test_an_execution_type_takes_the_components_that_it_may_have(
        self, filled: core.SqlStore, type_: str
    ) -> None:
        combinations = set(product((None, "a"), (None, "b"), (None, "t")))
        taken = set()
        for number, used in enumerate(sorted(combinations, key=repr)):
            agent, action, tool = used
            values: dict[str, object] = {"id": f"x{number}", "type": type_}
            values |= {"agent": agent, "action": action, "tool": tool}
            with suppress(core.CheckViolation):
                filled.execute(TYPED, values)
                taken.add(used)

        assert taken == ALLOWED.get(type_, combinations)

    def test_should_enforce_check_constraints(self, filled: core.SqlStore) -> None:
        for role in ("guest", "", "Admin", "superuser", " user"):
            with pytest.raises(core.CheckViolation):
                filled.execute(USER, {"id": role, "email": role, "role": role})
        for role in ("admin", "user"):
            filled.execute(USER, {"id": role, "email": role, "role": role})
        set_usage = "UPDATE task_states SET usage = :usage"
        for usage in (None, "[]", '[{"total": 1}]', " [1, [2]] "):
            filled.execute(FLOW, {"id": f"ok {usage}", "usage": usage})
            filled.execute(set_usage, {"usage": usage})
        for usage in ("{}", '{"a": []}', "null", '"[]"', "1", "not json", "[1", ""):
            with pytest.raises(core.CheckViolation):
                filled.execute(FLOW, {"id": "bad", "usage": usage})
            with pytest.raises(core.CheckViolation):
                filled.execute(set_usage, {"usage": usage})

        assert count(filled, "users") == 3

    @pytest.mark.parametrize("email", ["ann@b.c", "ANN@B.C", "aNN@b.C"])
    def test_an_email_is_taken_in_any_case(
        self, filled: core.SqlStore, email: str
    ) -> None:
        with pytest.raises(core.UniqueViolation):
            filled.execute(USER, {"id": "u2", "email": email, "role": "user"})
        filled.execute(USER, {"id": "u2", "email": f"{email}d", "role": "user"})
        with pytest.raises(core.UniqueViolation):
            filled.execute(
                "UPDATE users SET email = :email WHERE id = 'u2'", {"email": email}
            )

    def test_case_of_emails_is_folded_in_ascii_and_nowhere_else(
        self, store: core.SqlStore
    ) -> None:
        for email in ("Ann@b.c", "É@b.c", "é@b.c", "ß@b.c", "İ@b.c"):
            store.execute(USER, {"id": email, "email": email, "role": "user"})

        for email in ("Ann@b.c", "aNN@B.c", "É@B.C"):
            with pytest.raises(core.UniqueViolation):
                store.execute(USER, {"id": "n", "email": email, "role": "user"})
        rows = store.execute("SELECT id FROM users WHERE lower(email) = 'ann@b.c'")
        assert [row["id"] for row in rows] == ["Ann@b.c"]

    def test_ids_sort_by_their_code_points(self, store: core.SqlStore) -> None:
        ids = ["", " ", "0", "10", "9", "A", "Z", "_", "a", "z", "Ä", "é", "語", "😀"]
        for id_ in reversed(ids):
            store.execute(FLOW, {"id": id_, "usage": None})

        rows = store.execute(
            "SELECT workflow_exec_id AS id FROM workflow_states"
            " ORDER BY workflow_exec_id"
        )
        assert [row["id"] for row in rows] == ids

    def test_ids_and_prefixes_are_unique_and_tell_case(
        self, filled: core.SqlStore
    ) -> None:
        key = {"id": "k1", "user": "u1", "hash": b"y", "prefix": "p1"}
        for changed in ({"id": "k2"}, {"prefix": "p2"}):
            with pytest.raises(core.UniqueViolation):
                filled.execute(KEY, {**key, **changed})
        filled.execute(KEY, {**key, "id": "K1", "prefix": "P1"})

        assert count(filled, "api_keys") == 2

    def test_what_is_not_given_has_its_default(self, filled: core.SqlStore) -> None:
        types = filled.execute("SELECT execution_type FROM task_states")
        now = datetime.now(UTC)

        assert {row["execution_type"] for row in types} == {"basic"}
        for table in COLUMNS:
            for made in _made(filled, table, "created_at"):
                # Far less than the next zone: it is the time in UTC.
                assert abs(made - now) < timedelta(minutes=10)
        for table in ("workflow_states", "task_states"):
            for made in _made(filled, table, "updated_at"):
                assert abs(made - now) < timedelta(minutes=10)


def _made(store: core.SqlStore, table: str, column: str) -> Iterator[datetime]:
    rows = store.execute(f"SELECT {column} AS created_at FROM {table}").all(Made)
    assert rows
    for row in rows:
        assert row.created_at.tzinfo is not None
        yield row.created_at
