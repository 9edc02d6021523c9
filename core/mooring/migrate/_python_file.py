"""A migration in Python: its module, made from the bytes of its file, and its run."""

import os
import sys
from collections.abc import Callable
from traceback import walk_tb
from types import ModuleType
from typing import Any

from mooring.core import (
    File,
    LendsConnection,
    MigrationSession,
    MigrationUnit,
    SqlStoreBase,
    unit_scope,
)
from mooring.core.errors import (
    MigrationFailedError,
    MooringError,
    UnsupportedByDriver,
)
from mooring.migrate._files import Direction, ReadFile
from mooring.migrate._migration import Migration, Statement


class PythonFile(ReadFile):
    """A migration in Python.

    Attributes:
        where: Where it is, for tracebacks: its path, which may lead into a zip.
    """

    __slots__ = ("_lend", "_module", "_store", "where")
    fails_with = Exception

    def __init__(self, migration: Migration, data: bytes, file: File) -> None:
        super().__init__(migration, data)
        self.where = _place(file)

    def planned(self, direction: Direction) -> tuple[str, ...]:
        """Return what it runs, as a line of SQL that does nothing."""
        name = self.migration.name
        return tuple(
            f"-- runs {direction}() of {name}, which is Python: read the file"
            for _ in self.statements(direction)
        )

    def prepare(
        self, store: Any, session: MigrationSession, direction: Direction
    ) -> None:
        """Execute the module, so that what is wrong shows before any file runs.

        Raises:
            UnsupportedByDriver: Files in Python cannot run on this store.
            MigrationFailedError: It fails, or has nothing to call.
        """
        if not self.statements(direction):
            return
        if not (
            isinstance(session, LendsConnection) and isinstance(store, SqlStoreBase)
        ):
            raise _unsupported(self.migration.name, store.config.driver)
        self._store, self._lend = store, session.lend
        try:
            self._module = self._loaded(direction)
        except Exception as cause:
            statement = self.statements(direction)[0]
            state = f"no file had begun to go {direction}"
            raise self.failed(cause, statement, state, direction) from cause

    def execute(
        self,
        unit: MigrationUnit,
        statement: Statement,  # noqa: ARG002 - its function stands for it
        direction: Direction,
    ) -> None:
        """Call the function of a direction with what it runs its statements on."""
        function: Callable[[object], object] = getattr(self._module, direction)
        transaction = self.migration.transaction
        with _Importable(self._module), self._lend(unit) as session:
            scope = unit_scope(
                self._store, session, transaction=transaction, kept=self._keep
            )
            with scope as tx:
                found = function(tx)
                if hasattr(found, "__await__") or hasattr(found, "__next__"):
                    kind = type(found).__name__
                    raise TypeError(f"{direction} returned a {kind}, which did not run")

    def failed(
        self,
        cause: Exception,
        statement: Statement,
        state: str,
        direction: Direction,  # noqa: ARG002 - the statement is its function
    ) -> MigrationFailedError:
        """Return the error for an exception, with the line that it came by."""
        line = self._line(cause) or statement.line
        lines = self.text.split("\n")
        shown = lines[line - 1].strip() if line <= len(lines) else ""
        name = self.migration.name
        hint = None
        if isinstance(cause, MooringError):
            reason, hint = cause.message, cause.hint
        else:
            reason = f"{type(cause).__name__}: {cause}".removesuffix(": ")
        return MigrationFailedError(
            f"{name}:{line}: {reason}\n  {shown}\n{state}",
            file=name,
            version=self.migration.version,
            line=line,
            column=None,
            statement=shown,
            state=state,
            hint=hint or "correct the file and run again",
        )

    def shows_value(self, cause: Exception, statement: Statement) -> bool:  # noqa: ARG002 - nothing is put in
        """Return False: there is no ENVSUB in Python."""
        return False

    def _loaded(self, direction: Direction) -> ModuleType:
        text = self.text.removeprefix("\ufeff")
        if not os.path.exists(self.where):
            _show_in_tracebacks(self.where, text)
        module = ModuleType(self.migration.name.removesuffix(".py"))
        module.__file__ = self.where
        with _Importable(module):
            code = compile(text, self.where, "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102 - that is what such a file is for
        if not callable(getattr(module, direction, None)):
            raise TypeError(f"{direction} cannot be called")
        return module

    def _keep(self) -> None:
        self.stays = True

    def _line(self, error: BaseException | None) -> int | None:
        """Return the innermost line of the file that *error*, or its cause, went by."""
        seen = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            lines = [
                line
                for frame, line in walk_tb(error.__traceback__)
                if frame.f_code.co_filename == self.where
            ]
            if lines:
                return lines[-1]
            error = error.__cause__ or error.__context__
        return None


def _unsupported(name: str, driver: str) -> UnsupportedByDriver:
    return UnsupportedByDriver(
        f"{name}: {driver} does not run migrations in Python; nothing was changed",
        driver=driver,
        capability="python_migrations",
        hint="write it in SQL; or ask the authors of the driver for"
        " core.LendsConnection",
    )


class _Importable:
    """Let what a module defines find it by its name: type hints of classes do."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __enter__(self) -> None:
        sys.modules[self._module.__name__] = self._module

    def __exit__(self, *_: object) -> None:
        if sys.modules.get(self._module.__name__) is self._module:
            del sys.modules[self._module.__name__]


def _place(file: File) -> str:
    """Return where a file is: its path, or what a zip's entry says."""
    if isinstance(file, os.PathLike):
        path: str = os.fspath(file)
        return path
    # One that says nothing of itself would say where it is in memory.
    silent = type(file).__str__ is object.__str__
    return file.name if silent else str(file)


def _show_in_tracebacks(where: str, text: str) -> None:
    """Let a traceback quote the lines of a file that is in no directory."""
    import linecache

    lines = text.splitlines(keepends=True)
    linecache.cache[where] = (len(text), None, lines, where)
