"""Reads migrations in Python without running them: what they would run, and how."""

import ast
from collections.abc import Iterator

from mooring.core.errors import MigrationParseError
from mooring.migrate._migration import Migration, Statement

_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
# What a name of a module can be bound to that certainly cannot be called.
_NO_FUNCTION = (ast.Constant, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.JoinedStr)


def parse_python(text: str, *, name: str, version: int) -> Migration:
    """Read a migration in Python: its functions, and whether they run in a transaction.

    Args:
        text: The source.
        name: The file name.
        version: What the name begins with.

    Raises:
        MigrationParseError: It is not Python, or has no ``up(tx)``.
    """
    module = _Module(text, name)
    up = module.function("up")
    if up is None:
        raise module.error(
            None, "there is no up(tx) in the file", "write `def up(tx):` around it"
        )
    down = module.function("down")
    return Migration(
        version=version,
        name=name,
        up=(up,),
        down=() if down is None else (down,),
        transaction=module.transaction(),
        python=True,
    )


class _Module:
    """The statements of a module, none of which is run."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._lines = text.split("\n")
        try:
            tree = ast.parse(text, name)
            # Some errors of syntax show only here.
            compile(text, name, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise self.error(
                error.lineno, f"not Python: {error.msg}", "correct the syntax"
            ) from error
        except (MemoryError, RecursionError, ValueError) as error:
            # ValueError: a NUL in the text, until Python 3.12.
            why = str(error) or "nested too deep"
            raise self.error(None, f"not Python: {why}", "correct the file") from error
        self._tree = tree

    def error(self, line: int | None, problem: str, hint: str) -> MigrationParseError:
        """Return the error for a line, None for the whole file."""
        return MigrationParseError(problem, file=self._name, line=line, hint=hint)

    def function(self, name: str) -> Statement | None:
        """Return what *name* runs, None if there is no such name."""
        bound = [node for node in _outside(self._tree.body) if _binds(node, name)]
        if not bound:
            return None
        node = bound[-1]
        # In a block, such as that of an `if`, it shows when it is run.
        problem = _unfit(node) if node in self._tree.body else ""
        if problem:
            raise self.error(
                node.lineno, f"{name} {problem}", f"write `def {name}(tx):` around it"
            )
        lines = self._lines[node.lineno - 1 : node.end_lineno]
        return Statement(sql="\n".join(lines).strip(), line=node.lineno)

    def transaction(self) -> bool:
        """Return whether each direction runs in one transaction: unless it says no."""
        bound = [n for n in _outside(self._tree.body) if _binds(n, "transaction")]
        if not bound:
            return True
        node = bound[-1]
        if len(bound) == 1 and node in self._tree.body:
            value = getattr(node, "value", None)
            if isinstance(value, ast.Constant) and isinstance(value.value, bool):
                return value.value
        raise self.error(
            node.lineno,
            "`transaction` says if the file runs in one, and it is read without running"
            " it: it must be True or False, once, at the start of a line",
            "write `transaction = False`; call what else has that name otherwise",
        )


def _unfit(node: ast.stmt) -> str:
    """Return why *node* does not make a function to run, "" if it may."""
    if isinstance(node, ast.AsyncFunctionDef):
        return "is async, and a migration runs in the thread of its caller"
    if isinstance(node, ast.ClassDef):
        return "is a class"
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return "is no function" if isinstance(node.value, _NO_FUNCTION) else ""
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return ""  # it shows when it is run
    inside = _own(node)
    if any(isinstance(one, ast.Yield | ast.YieldFrom) for one in inside):
        return "is a generator, which would not run"
    arguments = node.args
    most = len(arguments.posonlyargs) + len(arguments.args)
    least = most - len(arguments.defaults)
    takes_one = least <= 1 and (most >= 1 or arguments.vararg is not None)
    if not takes_one or None in arguments.kw_defaults:
        return "does not take one argument, what it runs its statements on"
    return ""


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield what belongs to a function, but not to one inside of it."""
    rest: list[ast.AST] = [*function.body]
    while rest:
        node = rest.pop()
        yield node
        if not isinstance(node, _FUNCTION | ast.Lambda | ast.ClassDef):
            rest += ast.iter_child_nodes(node)


def _outside(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements and those in their blocks, but not what is in functions."""
    for node in body:
        yield node
        if isinstance(node, _FUNCTION | ast.ClassDef):
            continue
        for inner in (
            node,
            *getattr(node, "handlers", ()),
            *getattr(node, "cases", ()),
        ):
            for block in ("body", "orelse", "finalbody"):
                yield from _outside(getattr(inner, block, []))


def _binds(node: ast.stmt, name: str) -> bool:
    """Return whether a statement, without its blocks, gives *name* a value."""
    if isinstance(node, _FUNCTION | ast.ClassDef):
        return node.name == name
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = (one.asname or one.name.partition(".")[0] for one in node.names)
        return name in names
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return False
    heads = (child for child in ast.iter_child_nodes(node) if _is_head(child))
    return any(
        isinstance(found, ast.Name)
        and found.id == name
        and isinstance(found.ctx, ast.Store)
        for head in heads
        for found in ast.walk(head)
    )


def _is_head(node: ast.AST) -> bool:
    return not isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case)
