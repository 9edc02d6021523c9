"""The shipped migrations make the same indexes on the drivers that have them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mooring import core

INDEXES = [
    "idx_api_keys_created_at",
    "idx_api_keys_hash",
    "idx_api_keys_user_id",
    "idx_task_states_parent_state_id",
    "idx_task_states_status",
    "idx_task_states_task_id",
    "idx_task_states_workflow_exec_id",
    "idx_task_states_workflow_id",
    "idx_users_email_ci",
    "idx_users_role",
    "idx_workflow_states_created_at",
    "idx_workflow_states_status",
    "idx_workflow_states_updated_at",
    "idx_workflow_states_workflow_id",
    "idx_workflow_states_workflow_status",
]
QUERIES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY name",
    "postgres": (
        "SELECT indexname AS name FROM pg_indexes"
        " WHERE schemaname = current_schema() ORDER BY name"
    ),
}


@pytest.fixture
def sqlite_config(tmp_path: Path) -> dict[str, object]:
    """Options of a new file."""
    return {"driver": "sqlite", "path": str(tmp_path / "app.db")}


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Iterator[core.SqlStore]:
    """A migrated store of the driver."""
    with core.open(request.getfixturevalue(f"{request.param}_config")) as store:
        yield store


def indexes(store: core.SqlStore) -> list[str]:
    names = [row["name"] for row in store.execute(QUERIES[store.driver])]
    return [name for name in names if name.startswith("idx_")]


class TestMigrations:
    @pytest.mark.parametrize("store", QUERIES, indirect=True)
    def test_should_create_all_indexes(self, store: core.SqlStore) -> None:
        """Those of keys are the engine's to name."""
        assert indexes(store) == INDEXES
        assert len(INDEXES) == 15
