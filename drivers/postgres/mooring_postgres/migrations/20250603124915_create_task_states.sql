-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS task_states (
    component        text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL,
    task_exec_id     text COLLATE "C" NOT NULL PRIMARY KEY,
    task_id          text COLLATE "C" NOT NULL,
    workflow_exec_id text COLLATE "C" NOT NULL,
    workflow_id      text COLLATE "C" NOT NULL,
    execution_type   text COLLATE "C" NOT NULL DEFAULT 'basic',
    usage            jsonb,
    agent_id         text COLLATE "C",
    tool_id          text COLLATE "C",
    action_id        text COLLATE "C",
    parent_state_id  text COLLATE "C",
    input            jsonb,
    output           jsonb,
    error            jsonb,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT fk_workflow FOREIGN KEY (workflow_exec_id)
        REFERENCES workflow_states (workflow_exec_id)
        ON DELETE CASCADE,

    CONSTRAINT fk_parent_task FOREIGN KEY (parent_state_id)
        REFERENCES task_states (task_exec_id)
        ON DELETE CASCADE,

    CONSTRAINT chk_execution_type_consistency CHECK (
        (execution_type = 'basic' AND (
            (agent_id IS NOT NULL AND action_id IS NOT NULL AND tool_id IS NULL) OR
            (tool_id IS NOT NULL AND agent_id IS NULL AND action_id IS NULL) OR
            (agent_id IS NULL AND action_id IS NULL AND tool_id IS NULL)
        )) OR
        (execution_type = 'router' AND agent_id IS NULL AND action_id IS NULL AND tool_id IS NULL) OR
        (execution_type IN ('parallel', 'collection', 'composite')) OR
        (execution_type NOT IN ('parallel', 'collection', 'composite', 'basic', 'router'))
    ),

    CONSTRAINT chk_task_states_usage_json
        CHECK (usage IS NULL OR jsonb_typeof(usage) = 'array')
);

CREATE INDEX IF NOT EXISTS idx_task_states_status ON task_states (status);
CREATE INDEX IF NOT EXISTS idx_task_states_workflow_id ON task_states (workflow_id);
CREATE INDEX IF NOT EXISTS idx_task_states_workflow_exec_id ON task_states (workflow_exec_id);
CREATE INDEX IF NOT EXISTS idx_task_states_task_id ON task_states (task_id);
CREATE INDEX IF NOT EXISTS idx_task_states_parent_state_id ON task_states (parent_state_id);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE IF EXISTS task_states;
-- +goose StatementEnd
