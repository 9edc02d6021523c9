"""Optional SQL of an engine, found out by trying it."""

from typing import Final

from mooring.core import SqlStore, StatementError

_PROBES: Final = {
    "deferrable constraints": (
        "CREATE TABLE mooring_probe (id BIGINT PRIMARY KEY,"
        " parent BIGINT REFERENCES mooring_probe (id) DEFERRABLE INITIALLY DEFERRED)"
    ),
}


def sql_features(store: SqlStore) -> frozenset[str]:
    """Return which optional SQL the engine of *store* takes; nothing of it is left."""
    found = set()
    for name, table in _PROBES.items():
        try:
            store.execute(table)
        except StatementError:
            continue
        found.add(name)
        store.execute("DROP TABLE mooring_probe")
    return frozenset(found)
