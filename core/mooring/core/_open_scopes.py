"""Which scopes a context has open: at most one of each store.

A context is that of PEP 567, so a thread or a task. The scope is noted in a
`ContextVar`; whichever thread leaves it marks it closed, so that a context that was
copied while it was open is not misled afterwards. It is noted weakly: a signal's
exception may keep a block from being left at all, and then it ends as it is dropped.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from mooring.core.errors import NestedTransactionError

if TYPE_CHECKING:
    from weakref import ref

    from mooring.core._scope import Scope

open_scopes: ContextVar[tuple[ref[Scope[Any]], ...]] = ContextVar(
    "mooring_open_scopes", default=()
)


def open_scope(store: object) -> Scope[Any] | None:
    """Return the open scope of *store* that this context has."""
    for noted in open_scopes.get():
        scope = noted()
        if scope is not None and scope.belongs_to(store):
            return scope
    return None


def refuse_nested(store: object) -> None:
    """Raise NestedTransactionError if this context has an open scope of *store*."""
    scope = open_scope(store)
    if scope is not None:
        raise NestedTransactionError(
            f"this context already has an open {scope.kind} of the store",
            hint="use the connection it gave you (tx.execute, tx.savepoint), or"
            " leave the block first",
        )
