-- +goose Up
-- +goose StatementBegin
-- Collation "C" sorts by bytes and folds ASCII only, on every server and as SQLite does.
CREATE TABLE IF NOT EXISTS workflow_states (
    workflow_exec_id text COLLATE "C" NOT NULL PRIMARY KEY,
    workflow_id      text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL,
    usage            jsonb,
    input            jsonb,
    output           jsonb,
    error            jsonb,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT chk_workflow_states_usage_json
        CHECK (usage IS NULL OR jsonb_typeof(usage) = 'array')
);

CREATE INDEX IF NOT EXISTS idx_workflow_states_status ON workflow_states (status);
CREATE INDEX IF NOT EXISTS idx_workflow_states_workflow_id ON workflow_states (workflow_id);
CREATE INDEX IF NOT EXISTS idx_workflow_states_workflow_status ON workflow_states (workflow_id, status);
CREATE INDEX IF NOT EXISTS idx_workflow_states_created_at ON workflow_states (created_at);
CREATE INDEX IF NOT EXISTS idx_workflow_states_updated_at ON workflow_states (updated_at);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE IF EXISTS workflow_states;
-- +goose StatementEnd
