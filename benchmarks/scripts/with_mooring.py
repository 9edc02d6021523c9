"""The same start with mooring, whose driver brings the migrations itself."""

import sys

from mooring import core


def main() -> None:
    """Do what the arguments say; the folder of migrations is not needed."""
    path, key, _ = sys.argv[1:]
    with core.open({"driver": "sqlite", "path": path}) as store:
        store.execute(
            "INSERT INTO workflow_states (workflow_exec_id, workflow_id, status, input)"
            " VALUES (:key, :workflow, :status, :input)",
            {
                "key": key,
                "workflow": "greeting",
                "status": "created",
                "input": '{"name": "world"}',
            },
        )


if __name__ == "__main__":
    main()
