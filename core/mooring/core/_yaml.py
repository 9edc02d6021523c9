"""YAML, read with care: no tags, no key twice, bounded in depth and size."""

from collections.abc import Iterator
from typing import Any

from mooring.core._document import MOST_NODES, Document, UnreadableError

_DEEPEST = 32


def read_yaml(text: str) -> Document:
    """Return what a YAML document holds.

    Raises:
        UnreadableError: It is none that is safe to read; it shows no value.
        ModuleNotFoundError: PyYAML, of the extra ``yaml``, is not installed.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Stops where a document is made to exhaust its reader."""

        depth = nodes = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.depth += 1
            self.nodes += 1
            if self.depth > _DEEPEST or self.nodes > MOST_NODES:
                what = "deeply" if self.depth > _DEEPEST else "much"
                mark = self.get_mark()
                raise yaml.MarkedYAMLError(problem=f"too {what}", problem_mark=mark)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    line = None
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        lines = dict(_lines(node)) if node is not None else {}
        data = loader.construct_document(node) if node is not None else {}
    except UnreadableError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        reason = _reason(error.problem or "")
    except (yaml.YAMLError, ValueError, TypeError, RecursionError, OverflowError):
        reason = "is not valid YAML"
    else:
        return Document(data=data, lines=lines)
    # Outside the except block: the context would hold what was read.
    raise UnreadableError(reason, line=line)


def _reason(problem: str) -> str:
    """Return why it cannot be read; the library's own text may show what was read."""
    if "constructor for the tag" in problem:
        return "has a tag (such as !!python), which a configuration must not have"
    if problem.startswith("too "):
        return f"is nested or repeated {problem}"
    if "alias" in problem:
        return "has an alias of an anchor that is not there"
    if "unhashable" in problem:
        return "has a key that is no text"
    return (
        "is not valid YAML; look for a missing ':', a tab, or wrong indentation, and"
        " put a value with special signs in quotes"
    )


def _lines(root: Any) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield each key with its line, and refuse what is given twice or without end."""
    count = 0

    def walk(
        node: Any, path: tuple[str, ...], around: tuple[int, ...]
    ) -> Iterator[tuple[tuple[str, ...], int]]:
        nonlocal count
        count += 1
        line = node.start_mark.line + 1
        if id(node) in around or count > MOST_NODES:
            raise UnreadableError("has an alias that repeats too much", line=line)
        around = (*around, id(node))
        if node.id == "sequence":
            for item in node.value:
                yield from walk(item, path, around)
        if node.id != "mapping":
            return
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value) if key.id == "scalar" else ""
            line = key.start_mark.line + 1
            if name in seen:
                raise UnreadableError("sets a key that is there already", line=line)
            seen.add(name)
            yield (*path, name), line
            yield from walk(value, (*path, name), around)

    yield from walk(root, (), ())
