"""Histories of transactions: recorded from clients, and checked afterwards.

Pure but for the clients: `anomalies` looks at what was recorded, and needs no store.
"""

from mooring.testing.history._history import (
    Anomaly,
    Isolation,
    Op,
    Outcome,
    Txn,
    anomalies,
    dump,
    load,
)
from mooring.testing.history._workload import TABLES, Client, main, run_clients

__all__ = [
    "TABLES",
    "Anomaly",
    "Client",
    "Isolation",
    "Op",
    "Outcome",
    "Txn",
    "anomalies",
    "dump",
    "load",
    "main",
    "run_clients",
]
