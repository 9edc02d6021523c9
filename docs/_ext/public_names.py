"""Links the names that docstrings use to where they are documented.

The code is in private modules (``mooring.core._result.Result``) and docstrings say
``core.Result``, ``Result`` or ``migrate.Migrator``; the reference documents each under
its public name only.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

_PACKAGES = (
    "mooring.core",
    "mooring.migrate",
    "mooring.testing",
    "mooring_sqlite",
    "mooring_sqlite.testing",
    "mooring_postgres",
    "mooring_postgres.testing",
)
_PRIVATE = re.compile(rf"^({'|'.join(map(re.escape, _PACKAGES))})\.(_\w+|errors)\.")
_SHORT = re.compile(r"^(core|migrate)\.")


def candidates(target: str) -> list[str]:
    """Return the public names that *target* may mean."""
    public = _SHORT.sub(r"mooring.\1.", _PRIVATE.sub(r"\1.", target))
    return [public, *(f"{package}.{public}" for package in _PACKAGES)]


def resolve(
    app: Sphinx,
    env: BuildEnvironment,
    node: Any,
    contnode: nodes.TextElement,
) -> nodes.reference | None:
    """Answer a reference that the Python domain could not resolve."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains["py"]
    for name in candidates(node["reftarget"]):
        found = domain.resolve_xref(
            env, node["refdoc"], app.builder, "obj", name, node, contnode
        )
        if found is not None:
            return found
    return None


def setup(app: Sphinx) -> dict[str, object]:
    """Register the handler."""
    app.connect("missing-reference", resolve)
    return {"version": "1", "parallel_read_safe": True}
