"""A pytest plugin for tests whose mutants never answer: they wait less long for it."""

from pkgutil import iter_modules, resolve_name
from typing import Any

from mooring.testing import contract

# Still longer than a health check may take in the tests.
_SECONDS = 5.0

for _found in iter_modules(contract.__path__, f"{contract.__name__}."):
    _module: Any = resolve_name(_found.name)
    if hasattr(_module, "PATIENCE"):
        _module.PATIENCE = _SECONDS
