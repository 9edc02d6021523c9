"""The shipped migrations end in the same schema on every driver."""

from collections.abc import Callable

import pytest

from mooring import core, migrate
from mooring.core import Capability
from mooring.testing.contract._capabilities import requires

TablesOf = Callable[[core.SqlStore], list[str]]
OpenStore = Callable[..., core.SqlStore]

VERSIONS = [20250603124835, 20250603124915, 20250711163857, 20250711163858]
TABLES = ["api_keys", "task_states", "users", "workflow_states"]
OUR_TABLES = {"goose_db_version", "mooring_migrations"}
ADD_WORKFLOW = (
    "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, usage)"
    " VALUES (:id, 'w', 'PENDING', :usage)"
)
ADD_TASK = (
    "INSERT INTO task_states (component, status, task_exec_id, task_id,"
    " workflow_exec_id, workflow_id, parent_state_id)"
    " VALUES ('task', 'PENDING', :id, 't', :workflow, 'w', :parent)"
)
ADD_TYPED_TASK = (
    "INSERT INTO task_states (component, status, task_exec_id, task_id,"
    " workflow_exec_id, workflow_id, execution_type, agent_id, action_id, tool_id)"
    " VALUES ('task', 'PENDING', :id, 't', 'w1', 'w', :type, :agent, :action, :tool)"
)
ADD_USER = "INSERT INTO users (id, email, role) VALUES (:id, :email, :role)"
ADD_KEY = (
    "INSERT INTO api_keys (id, user_id, hash, prefix)"
    " VALUES (:id, :user, :hash, :prefix)"
)


def versions(store: core.SqlStore) -> list[int]:
    rows = store.execute("SELECT version_id FROM goose_db_version ORDER BY id")
    return [row["version_id"] for row in rows]


def fill(store: core.SqlStore) -> None:
    """Put a row into each table, with a child for each foreign key."""
    with store.transaction() as tx:
        tx.execute(ADD_WORKFLOW, {"id": "w1", "usage": None})
        tx.execute(ADD_TASK, {"id": "t1", "workflow": "w1", "parent": None})
        tx.execute(ADD_TASK, {"id": "t2", "workflow": "w1", "parent": "t1"})
        tx.execute(ADD_USER, {"id": "u1", "email": "a@b.c", "role": "admin"})
        key = {"id": "k1", "user": "u1", "hash": b"\0", "prefix": "p1"}
        tx.execute(ADD_KEY, key)


class ShippedSchemaContract:
    """The shipped migrations end in the same schema on every driver."""

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
        assert [n for n in tables_of(store) if n not in OUR_TABLES] == TABLES

    @requires(Capability.CASCADING_FOREIGN_KEYS)
    def test_should_enforce_foreign_keys(self, store: core.SqlStore) -> None:
        fill(store)
        orphans: list[tuple[str, dict[str, object]]] = [
            (ADD_TASK, {"id": "t3", "workflow": "none", "parent": None}),
            (ADD_TASK, {"id": "t3", "workflow": "w1", "parent": "none"}),
            (ADD_KEY, {"id": "k2", "user": "none", "hash": b"", "prefix": "p2"}),
        ]
        for sql, values in orphans:
            with pytest.raises(core.ForeignKeyViolation):
                store.execute(sql, values)

    @requires(Capability.CASCADING_FOREIGN_KEYS)
    def test_should_delete_children_with_their_parent(
        self, store: core.SqlStore
    ) -> None:
        fill(store)
        store.execute("DELETE FROM task_states WHERE task_exec_id = 't1'")
        tasks = store.execute("SELECT count(*) FROM task_states").scalar()
        store.execute(ADD_TASK, {"id": "t4", "workflow": "w1", "parent": None})
        store.execute("DELETE FROM workflow_states")
        store.execute("DELETE FROM users")

        assert tasks == 0
        assert store.execute("SELECT count(*) FROM task_states").scalar() == 0
        assert store.execute("SELECT count(*) FROM api_keys").scalar() == 0

    def test_should_enforce_check_constraints(self, store: core.SqlStore) -> None:
        fill(store)

        for role in ("guest", "", "Admin", "superuser"):
            with pytest.raises(core.CheckViolation):
                store.execute(ADD_USER, {"id": role, "email": role, "role": role})
        for role in ("admin", "user"):
            store.execute(ADD_USER, {"id": role, "email": role, "role": role})
        for usage in (None, "[]", '[{"total": 1}]', " [1, [2]] "):
            store.execute(ADD_WORKFLOW, {"id": f"ok {usage}", "usage": usage})
            store.execute("UPDATE task_states SET usage = :usage", {"usage": usage})
        for usage in ("{}", '{"a": []}', "null", '"[]"', "1", "not json", "[1", ""):
            with pytest.raises(core.CheckViolation):
                store.execute(ADD_WORKFLOW, {"id": "bad", "usage": usage})
            with pytest.raises(core.CheckViolation):
                store.execute("UPDATE task_states SET usage = :usage", {"usage": usage})

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
            assert migrate.Migrator(open_store()).up() == []

        assert footprint(first) == before
        assert versions(first) == [0, *VERSIONS]
        assert first.execute("SELECT count(*) FROM task_states").scalar() == 2

    def test_case_of_emails_is_folded_in_ascii_and_nowhere_else(
        self, store: core.SqlStore
    ) -> None:
        for email in ("Ann@b.c", "É@b.c", "é@b.c", "ß@b.c", "İ@b.c"):
            store.execute(ADD_USER, {"id": email, "email": email, "role": "user"})

        for email in ("Ann@b.c", "aNN@B.c", "É@B.C"):
            with pytest.raises(core.UniqueViolation):
                store.execute(ADD_USER, {"id": "n", "email": email, "role": "user"})
        rows = store.execute("SELECT id FROM users WHERE lower(email) = 'ann@b.c'")
        assert [row["id"] for row in rows] == ["Ann@b.c"]

    def test_ids_sort_by_their_code_points(self, store: core.SqlStore) -> None:
        ids = ["", " ", "0", "10", "9", "A", "Z", "_", "a", "z", "Ä", "é", "語", "😀"]
        for id_ in reversed(ids):
            store.execute(ADD_WORKFLOW, {"id": id_, "usage": None})

        rows = store.execute(
            "SELECT workflow_exec_id AS id FROM workflow_states"
            " ORDER BY workflow_exec_id"
        )
        assert [row["id"] for row in rows] == ids
