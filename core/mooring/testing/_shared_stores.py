"""Stores that tests share, since each undoes what it did."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from mooring import core
from mooring.testing._rollback import rolled_back
from mooring.testing._templates import Kind, Templates


class SharedStores:
    """Opens a store for each kind of test, and closes all of them when it is closed.

    Args:
        templates: Where their databases come from; closed after this.
    """

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._found: dict[object, _Shared] = {}

    @contextmanager
    def rolled_back(self, kind: Kind) -> Iterator[core.SqlStore]:
        """Lend a store, and undo what is done in it; see `rolled_back`.

        A test that leaves something behind keeps its database, so that it fails alone.
        """
        key = kind.key()
        if key not in self._found:
            self._found[key] = _Shared(self._templates, kind)
        store = self._found[key].store()
        try:
            with rolled_back(store):
                yield store
        except BaseException:
            with suppress(core.StoreBusyError):  # which was told already
                self._found.pop(key).close()
            raise

    def close(self) -> None:
        """Close the stores, and drop their databases."""
        with ExitStack() as stack:
            for shared in self._found.values():
                stack.callback(shared.close)


class _Shared:
    """One database, and the store on it."""

    def __init__(self, templates: Templates, kind: Kind) -> None:
        self._kind = kind
        self._stack = ExitStack()
        self._options = self._stack.enter_context(templates.database(kind))
        self._store: core.SqlStore | None = None

    def store(self) -> core.SqlStore:
        """Return the store; it is opened again if somebody closed it."""
        if self._store is None or getattr(self._store, "closed", False):
            self._store = self._stack.enter_context(self._kind.open(self._options))
        return self._store

    def close(self) -> None:
        """Close the store, and drop the database."""
        self._stack.close()
