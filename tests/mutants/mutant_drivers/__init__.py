"""Drivers with one defect each, and the controls, which have none.

Each is an entry point, so that a process with this folder on its path finds it as it
finds any driver: see the ``entry_points.txt`` that the tests write.
"""

from importlib import import_module

from mutant_drivers._capabilities import LACKING
from mutant_drivers._driver import Driver
from mutant_drivers._mutant import MUTANTS, Mutant
from mutant_drivers._plain_driver import PLAIN, PlainDriver

__all__ = ["CONTROLS", "MUTANTS", "Mutant"]

# In the order of the rules.
for _topic in (
    "capabilities",
    "identity",
    "secrets",
    "lifecycle",
    "health",
    "failed_scope",
    "isolation",
    "snapshots",
    "nesting",
    "parameters",
    "results",
    "control_statements",
    "errors",
    "deadlines",
    "concurrency",
    "migrations",
    "plain_stores",
):
    import_module(f"mutant_drivers._{_topic}")

# Without a defect: what the exchange of parts and the harness do breaks nothing.
CONTROLS: dict[str, Driver | PlainDriver] = {
    "unharmed": Driver("unharmed"),
    **LACKING,
    **PLAIN,
}


def __getattr__(name: str) -> Driver | PlainDriver:
    if name in CONTROLS:
        return CONTROLS[name]
    if name in MUTANTS:
        return MUTANTS[name].driver
    raise AttributeError(name)
