-- +goose Up
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS workflow_states (
    workflow_exec_id TEXT NOT NULL PRIMARY KEY,
    workflow_id      TEXT NOT NULL,
    status           TEXT NOT NULL,
    usage            JSON,
    input            JSON,
    output           JSON,
    error            JSON,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),

    CHECK (usage IS NULL OR json_type(usage) = 'ARRAY')
);

-- No index on a column that changes while other rows refer to its row: DuckDB moves such
-- a row in its indexes by removing it first, which the foreign key then refuses.
CREATE INDEX IF NOT EXISTS idx_workflow_states_workflow_id ON workflow_states (workflow_id);
CREATE INDEX IF NOT EXISTS idx_workflow_states_created_at ON workflow_states (created_at);
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DROP TABLE IF EXISTS workflow_states;
-- +goose StatementEnd
