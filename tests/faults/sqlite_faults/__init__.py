"""Programs that use a SQLite store while its disk or their process fails.

Tests start them as processes of their own, with this folder on their path, and look at
the database afterwards: the workload and the verdict are the same for all faults.
"""
