-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS task_states (
    component        TEXT NOT NULL,
    status           TEXT NOT NULL,
    task_exec_id     TEXT NOT NULL PRIMARY KEY,
    task_id          TEXT NOT NULL,
    workflow_exec_id TEXT NOT NULL,
    workflow_id      TEXT NOT NULL,
    execution_type   TEXT NOT NULL DEFAULT 'basic',
    usage            JSON,
    agent_id         TEXT,
    tool_id          TEXT,
    action_id        TEXT,
    parent_state_id  TEXT,
    input            JSON,
    output           JSON,
    error            JSON,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),

    -- DuckDB has no ON DELETE CASCADE: delete what refers to a row first.
    FOREIGN KEY (workflow_exec_id)
        REFERENCES workflow_states (workflow_exec_id),

    FOREIGN KEY (parent_state_id)
        REFERENCES task_states (task_exec_id),

    CHECK (
        (execution_type = 'basic' AND (
            (agent_id IS NOT NULL AND action_id IS NOT NULL AND tool_id IS NULL) OR
            (tool_id IS NOT NULL AND agent_id IS NULL AND action_id IS NULL) OR
            (agent_id IS NULL AND action_id IS NULL AND tool_id IS NULL)
        )) OR
        (execution_type = 'router' AND agent_id IS NULL AND action_id IS NULL AND tool_id IS NULL) OR
        (execution_type IN ('parallel', 'collection', 'composite')) OR
        (execution_type NOT IN ('parallel', 'collection', 'composite', 'basic', 'router'))
    ),

    CHECK (usage IS NULL OR json_type(usage) = 'ARRAY')
);

-- No index on a column that changes while other rows refer to its row: DuckDB moves such
-- a row in its indexes by removing it first, which the foreign key then refuses.
CREATE INDEX IF NOT EXISTS idx_task_states_workflow_id ON task_states (workflow_id);
CREATE INDEX IF NOT EXISTS idx_task_states_workflow_exec_id ON task_states (workflow_exec_id);
CREATE INDEX IF NOT EXISTS idx_task_states_task_id ON task_states (task_id);
CREATE INDEX IF NOT EXISTS idx_task_states_parent_state_id ON task_states (parent_state_id);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE IF EXISTS task_states;
-- +goose StatementEnd
